//! Malformed requests without number: each gets a well-formed error or none, and the server stays as it was.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::SystemTime;

use serde_json::Value;
use waxseal_kms_local::model::{operation, operations};
use waxseal_kms_server::{Config, Listen};

use crate::support::{Answer, PATIENCE, Store, sign_request};

/// Requests of a usual run; `WAXSEAL_TEST_SCALE=25` makes them a hundred thousand.
const USUAL: u64 = 4000;
const THREADS: u64 = 4;
/// What the process may grow by after the first tenth: buffers that threads keep, and nothing for each request.
const MAX_GROWTH_KIB: u64 = 24 << 10;

/// Random numbers, the same for the same seed (Vigna's splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }
}

/// One malformed request.
fn request(random: &mut Random, store: &Store) -> Vec<u8> {
    let mut bytes = match random.below(8) {
        0 => {
            let len = random.below(300);
            random.bytes(len)
        }
        1 => lying_about_its_length(random),
        2 => with_strange_headers(random),
        _ => {
            let name = operation_name(random);
            let body = body(random, &name);
            sign_request(&store.credential, &name, &body, SystemTime::now())
        }
    };
    // Some are spoilt once more, wherever it hits them.
    if random.below(4) == 0 {
        for _ in 0..=random.below(4) {
            spoil(random, &mut bytes);
        }
    }
    bytes
}

fn operation_name(random: &mut Random) -> String {
    match random.below(12) {
        0 => random.one(&["", "x", "generateDataKey", "../x", "CreateKey CreateKey", "é"]).escape_default().to_string(),
        1..6 => random.one(&["GenerateDataKey", "Encrypt", "Decrypt", "CreateAlias", "DescribeKey"]).to_owned(),
        _ => operations()[random.below(operations().len())].name.to_owned(),
    }
}

/// A body: JSON of the right names with wrong values, or no JSON at all.
fn body(random: &mut Random, operation: &str) -> Vec<u8> {
    const FIXED: [&str; 14] = [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{}}",
        "{\"KeyId\"}",
        "{\"KeyId\":}",
        "{\"KeyId\":\"a\",}",
        "\u{feff}{}",
        "{\"a\":1e999}",
        "{\"KeyId\":\"\\ud800\"}",
        "{\"KeyId\":\"a\",\"KeyId\":\"b\"}",
        "NaN",
    ];
    let mut bytes = match random.below(12) {
        0 => FIXED[random.below(FIXED.len())].as_bytes().to_vec(),
        1 => {
            let depth = random.below(5000);
            [b"{\"EncryptionContext\":".as_slice(), b"[".repeat(depth).as_slice()].concat()
        }
        2 => {
            let len = random.below(2000);
            random.bytes(len)
        }
        _ => object(random, operation).into_bytes(),
    };
    if random.below(4) == 0 {
        spoil(random, &mut bytes);
    }
    bytes
}

/// An object of names that the operation takes, with values that it mostly does not.
fn object(random: &mut Random, name: &str) -> String {
    let known = operation(name).map_or(&[] as &[_], |operation| operation.input);
    let mut pairs = Vec::new();
    for member in known {
        if member.required || random.below(4) == 0 {
            pairs.push(format!("\"{}\":{}", member.name, value(random)));
        }
    }
    if random.below(8) == 0 {
        pairs.push(format!("\"Unknown\":{}", value(random)));
    }
    format!("{{{}}}", pairs.join(","))
}

fn value(random: &mut Random) -> String {
    const VALUES: [&str; 26] = [
        "\"alias/default\"",
        "\"AES_256\"",
        "\"AES_129\"",
        "32",
        "0",
        "-1",
        "1025",
        "2147483648",
        "1e400",
        "1.5",
        "true",
        "\"true\"",
        "null",
        "[]",
        "{}",
        "[[]]",
        "{\"a\":\"b\"}",
        "{\"a\":1}",
        "{\"\":\"\"}",
        "\"====\"",
        "\"YQ\"",
        "\"YQ==\"",
        "\"Y Q==\"",
        "\"\\u0000\"",
        "[{\"TagKey\":\"aws:x\",\"TagValue\":\"\"}]",
        "{\"KeyEncryptionAlgorithm\":\"x\"}",
    ];
    match random.below(8) {
        0 => format!("\"{}\"", "A".repeat(random.below(12_000))),
        1 => format!("\"{}\"", "é".repeat(random.below(3000))),
        2 => format!("\"arn:aws:kms:us-east-1:000000000000:key/{:016x}\"", random.next()),
        // Base64 of the length and the first byte of a ciphertext.
        3 => format!("\"AQ{}\"", "Qk9C".repeat(20 + random.below(20)) + "QQ"),
        _ => VALUES[random.below(VALUES.len())].to_owned(),
    }
}

fn lying_about_its_length(random: &mut Random) -> Vec<u8> {
    let length =
        random.one(&["0", "1", "99999999", "18446744073709551616", "-1", "1, 2", "0x10", "", "2\r\ncontent-length: 3"]);
    let framing = match random.below(3) {
        0 => format!("content-length: {length}\r\n"),
        1 => "transfer-encoding: chunked\r\n".to_owned(),
        _ => format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
    };
    let body = random.one(&[
        "",
        "{}",
        "2\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n{}",
        "x\r\n",
        "2\r\n{}{}\r\n",
        "0\r\na: b\r\n\r\n",
    ]);
    format!("POST / HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n{body}").into_bytes()
}

fn with_strange_headers(random: &mut Random) -> Vec<u8> {
    const AUTHORIZATIONS: [&str; 9] = [
        "AWS4-HMAC-SHA256 Credential=a/20261122/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;, Signature=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/kms/aws4_request,SignedHeaders=;;;,Signature=x",
        "AWS4-HMAC-SHA256 ,,,,====",
        "AWS4-HMAC-SHA256",
        "Basic YTpi",
        "Bearer x",
        "",
        "\u{e9}",
    ];
    let line = random.one(&[
        "POST / HTTP/1.1",
        "POST / HTTP/1.0",
        "GET / HTTP/1.1",
        "POST /../ HTTP/1.1",
        "PRI * HTTP/2.0",
        "post / http/1.1",
    ]);
    let date = random.one(&["20261122T061751Z", "00000000T000000Z", "99999999T999999Z", "2026", ""]);
    let authorization = AUTHORIZATIONS[random.below(AUTHORIZATIONS.len())];
    let connection = random.one(&["close", "keep-alive", "upgrade\r\nupgrade: h2c", "Authorization"]);
    format!(
        "{line}\r\nhost: localhost\r\nx-amz-date: {date}\r\nauthorization: {authorization}\r\nconnection: {connection}\r\n\
         content-length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Changes, removes, repeats or inserts bytes somewhere.
fn spoil(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.byte()),
        2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        3 if at < bytes.len() => drop(bytes.remove(at)),
        _ => {
            let end = (at + random.below(40)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
    }
}

/// Sends a request, and checks whatever comes back until the server closes.
fn check(path: &std::path::Path, request: &[u8], seen: &mut BTreeMap<String, u64>) {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has read enough to refuse it closes before it was sent entirely.
    if stream.write_all(request).is_ok() {
        stream.shutdown(Shutdown::Write).ok();
    }
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{}", String::from_utf8_lossy(request));
    }
    if bytes.is_empty() {
        *seen.entry("no answer".to_owned()).or_default() += 1;
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let found = is_well_formed(&mut rest).unwrap_or_else(|| {
            panic!("{}\n---\n{}", String::from_utf8_lossy(request), String::from_utf8_lossy(&bytes))
        });
        *seen.entry(found).or_default() += 1;
    }
}

/// Takes one answer off, and says what it is; none if it is not well-formed, or is the server's own failure.
fn is_well_formed(bytes: &mut &[u8]) -> Option<String> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let (head, rest) = bytes.split_at(end);
    let answer = Answer::parse(head)?;
    let length: usize = answer.header("content-length").map_or(Some(0), |text| text.parse().ok())?;
    let (body, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    let json = || serde_json::from_slice::<Value>(body).ok();
    match answer.status {
        100 => Some("100".to_owned()),
        200 => (body.is_empty() || json()?.is_object()).then(|| "200".to_owned()),
        // What is not HTTP is answered by its status alone.
        400 | 414 | 431 | 505 if body.is_empty() => Some(answer.status.to_string()),
        400 | 404 | 408 | 413 => {
            let code = json()?["__type"].as_str()?.to_owned();
            answer.header("x-amzn-requestid")?;
            Some(format!("{} {code}", answer.status))
        }
        _ => None,
    }
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn malformed_requests_get_well_formed_errors_and_leave_the_server_as_it_was() {
    let asked = std::env::var("WAXSEAL_TEST_SCALE").ok();
    let scale: u64 = asked.map_or(1, |text| text.parse().expect("WAXSEAL_TEST_SCALE is a whole number"));
    let store = Store::new();
    let path = store.scratch.path().join("kms.sock");
    let served = store.served_as(Config { listen: Listen::Unix(path.clone()), ..Config::default() });
    let mut seen = BTreeMap::new();
    let mut run = |seeds: std::ops::Range<u64>| {
        thread::scope(|scope| {
            let work = |thread: u64| {
                let (store, path, seeds) = (&store, &path, seeds.clone());
                scope.spawn(move || {
                    let mut seen = BTreeMap::new();
                    for seed in seeds.filter(|seed| seed % THREADS == thread) {
                        check(path, &request(&mut Random(seed), store), &mut seen);
                    }
                    seen
                })
            };
            let threads: Vec<_> = (0..THREADS).map(work).collect();
            for (what, count) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
                *seen.entry(what).or_insert(0) += count;
            }
        });
    };
    let total = USUAL * scale;
    run(0..total / 10);
    let before = resident_kib();
    run(total / 10..total);
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < MAX_GROWTH_KIB, "the process has grown by {grown} KiB");
    served.ask(&store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#)).succeeds();
    // The requests reach every check, from HTTP to the operations themselves.
    let answered: u64 = seen.iter().filter(|(what, _)| *what != "no answer").map(|(_, count)| count).sum();
    assert!(answered > total / 2, "{seen:?}");
    for code in [
        "SerializationException",
        "ValidationException",
        "InvalidSignatureException",
        "UnknownOperationException",
        "IncompleteSignatureException",
        "NotFoundException",
        "InvalidCiphertextException",
    ] {
        assert!(seen.contains_key(&format!("400 {code}")), "{code} is not in {seen:?}");
    }
}

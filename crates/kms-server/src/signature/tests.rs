//! Requests that were signed well, and every way in which they can be wrong.

use std::time::{Duration, UNIX_EPOCH};

use axum::http::Request;
use waxseal_kms_local::{CreateOptions, LocalKms};

use super::*;

/// A store with one credential, and a moment to sign at.
struct World {
    _scratch: tempfile::TempDir,
    credential: Arc<Credential>,
    now: SystemTime,
}

/// What there is to change about a signed request.
struct Signed {
    request: Request<()>,
    body: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&scratch.path().join("kms"), &CreateOptions::default()).unwrap();
        let credential = Arc::new(kms.create_credential("somebody").unwrap());
        Self { _scratch: scratch, credential, now: UNIX_EPOCH + Duration::from_secs(1_800_000_000) }
    }

    /// A request that the SDK has signed at `at`, with two headers of the client's own.
    fn signed_at(&self, at: SystemTime) -> Signed {
        self.signed_for(at, "http://localhost:8181/", &[("x-own", "a"), ("x-own", " b   c ")])
    }

    fn signed_for(&self, at: SystemTime, url: &str, headers: &[(&str, &str)]) -> Signed {
        self.signed_with(at, url, headers, b"{}".to_vec())
    }

    /// A request that the SDK has signed.
    fn signed_with(&self, at: SystemTime, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Signed {
        let mut request = Request::post("/").body(()).unwrap();
        let usual = [("host", "localhost:8181"), ("x-amz-target", "TrentService.ListKeys")];
        for (name, value) in usual.iter().chain(headers) {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let secret = self.credential.expose_secret();
        let identity = Credentials::new(self.credential.access_key_id(), secret, None, None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(SERVICE)
            .time(at)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let signable = SignableRequest::new("POST", url, headers, SignableBody::Bytes(&body)).unwrap();
        sign(signable, &parameters).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
        Signed { request, body }
    }

    fn verify(&self, signed: Signed) -> Result<Caller, Refusal> {
        let (parts, ()) = signed.request.into_parts();
        verify(&parts, &signed.body, self.now, |id| {
            Ok((id == self.credential.access_key_id()).then(|| Arc::clone(&self.credential)))
        })
    }

    /// The refusal of a good request that `change` has spoilt.
    fn refusal(&self, change: impl FnOnce(&mut Signed)) -> (&'static str, String) {
        let mut signed = self.signed_at(self.now);
        change(&mut signed);
        let refusal = self.verify(signed).unwrap_err();
        (refusal.code(), refusal.message().unwrap().to_owned())
    }
}

impl Signed {
    fn set(&mut self, name: HeaderName, value: &str) {
        self.request.headers_mut().insert(name, value.parse().unwrap());
    }

    fn edit_authorization(&mut self, find: &str, replace: &str) {
        let value = self.request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
        assert!(value.contains(find), "{value}");
        self.set(AUTHORIZATION, &value.replace(find, replace));
    }
}

#[test]
fn a_signed_request_is_its_signer_s_and_its_scope_s() {
    let world = World::new();
    let caller = world.verify(world.signed_at(world.now)).unwrap();
    assert_eq!(caller.region.as_str(), "eu-west-1");
    assert_eq!(caller.name, "somebody");
}

#[test]
fn whatever_is_changed_after_the_signing_is_refused() {
    let world = World::new();
    type Change = fn(&mut Signed);
    let changes: [Change; 12] = [
        |signed| signed.body.push(b' '),
        |signed| signed.body.clear(),
        |signed| signed.set(TARGET, "TrentService.ScheduleKeyDeletion"),
        |signed| signed.set(HOST, "elsewhere"),
        |signed| signed.set(HeaderName::from_static("x-own"), "other"),
        |signed| drop(signed.request.headers_mut().remove("x-own")),
        |signed| *signed.request.uri_mut() = "/?a=b".parse().unwrap(),
        |signed| *signed.request.method_mut() = axum::http::Method::PUT,
        |signed| signed.edit_authorization("eu-west-1", "eu-west-2"),
        |signed| signed.edit_authorization("host;", "content-type;host;"),
        |signed| signed.edit_authorization("x-amz-target;x-own", "x-own;x-amz-target"),
        |signed| signed.edit_authorization("Signature=", "Signature=0"),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let (code, message) = world.refusal(change);
        assert_eq!(code, "InvalidSignatureException", "{index}");
        assert!(message.starts_with("The request signature we calculated does not match"), "{index}: {message}");
    }
}

#[test]
fn a_signature_is_good_for_five_minutes_around_its_date() {
    let world = World::new();
    let (skew, moment) = (Duration::from_secs(300), Duration::from_secs(1));
    for at in [world.now - skew, world.now + skew] {
        assert!(world.verify(world.signed_at(at)).is_ok());
    }
    let refusal = |at| world.verify(world.signed_at(at)).unwrap_err();
    let expired = refusal(world.now - skew - moment);
    assert_eq!(expired.code(), "InvalidSignatureException");
    assert_eq!(
        expired.message().unwrap(),
        "Signature expired: 20270115T075459Z is now earlier than 20270115T075500Z (20270115T080000Z - 5 min.)"
    );
    let early = refusal(world.now + skew + moment);
    assert_eq!(
        early.message().unwrap(),
        "Signature not yet current: 20270115T080501Z is still later than 20270115T080500Z (20270115T080000Z + 5 min.)"
    );
}

#[test]
fn unsigned_and_presigned_requests_and_tokens_are_refused() {
    let world = World::new();
    let unsigned = |signed: &mut Signed| drop(signed.request.headers_mut().remove(AUTHORIZATION));
    assert_eq!(world.refusal(unsigned).0, "MissingAuthenticationTokenException");
    let presigned = |signed: &mut Signed| {
        unsigned(signed);
        *signed.request.uri_mut() = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00".parse().unwrap();
    };
    assert_eq!(world.refusal(presigned).0, "MissingAuthenticationTokenException");
    assert_eq!(world.refusal(|signed| signed.set(TOKEN, "t")).0, "UnrecognizedClientException");
    let stranger = |signed: &mut Signed| signed.edit_authorization("Credential=", "Credential=X");
    assert_eq!(world.refusal(stranger).0, "UnrecognizedClientException");
}

#[test]
fn what_the_request_means_has_to_be_signed() {
    let world = World::new();
    for (name, list) in [(TARGET, "x-amz-target;"), (HOST, "host;")] {
        let (code, message) = world.refusal(|signed| signed.edit_authorization(list, ""));
        assert_eq!(code, "InvalidSignatureException");
        assert_eq!(message, format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."));
    }
}

#[test]
fn headers_that_are_there_twice_are_refused() {
    let world = World::new();
    for name in [AUTHORIZATION, DATE, TARGET, HOST] {
        let (code, message) = world.refusal(|signed| {
            let value = signed.request.headers()[&name].clone();
            signed.request.headers_mut().append(name.clone(), value);
        });
        assert_eq!(code, "IncompleteSignatureException");
        assert_eq!(message, format!("There is more than one '{name}' header."));
    }
}

#[test]
fn dates_that_are_missing_or_wrong_are_refused() {
    let world = World::new();
    let undated = world.refusal(|signed| drop(signed.request.headers_mut().remove(DATE)));
    assert_eq!(undated.0, "IncompleteSignatureException");
    assert_eq!(world.refusal(|signed| signed.set(DATE, "yesterday")).0, "IncompleteSignatureException");
    let other_day = world.refusal(|signed| signed.edit_authorization("/20270115/", "/20270116/"));
    assert_eq!(other_day.0, "InvalidSignatureException");
    assert!(other_day.1.starts_with("Date in Credential scope"));
    let no_region = world.refusal(|signed| signed.edit_authorization("/eu-west-1/", "/EU/"));
    assert_eq!(no_region.1, "Credential should be scoped to a valid region. ");
}

#[test]
fn a_request_with_a_query_is_verified_too() {
    let world = World::new();
    let signed = |query: &str| {
        let mut signed = world.signed_for(world.now, &format!("http://localhost:8181/{query}"), &[]);
        *signed.request.uri_mut() = format!("/{query}").parse().unwrap();
        signed
    };
    for query in ["?", "?a=b", "?b=%20&a=/&a", "?%zz&&="] {
        assert!(world.verify(signed(query)).is_ok(), "{query}");
        let mut other = signed(query);
        *other.request.uri_mut() = "/?other".parse().unwrap();
        assert!(world.verify(other).is_err(), "{query}");
    }
}

#[test]
fn a_request_without_a_host_is_refused() {
    let world = World::new();
    let (code, message) = world.refusal(|signed| {
        signed.edit_authorization("host;", "");
        signed.request.headers_mut().remove(HOST);
    });
    assert_eq!(
        (code, message.as_str()),
        ("InvalidSignatureException", "'host' must be a 'SignedHeader' in the AWS Authorization.")
    );
}

#[test]
fn a_secret_that_signs_differently_is_not_taken_for_the_one_that_signed_before() {
    let world = World::new();
    assert!(world.verify(world.signed_at(world.now)).is_ok());
    let other = World { credential: World::new().credential, ..World::new() };
    let signed = world.signed_at(world.now);
    let (parts, ()) = signed.request.into_parts();
    let refused = verify(&parts, &signed.body, world.now, |_| Ok(Some(Arc::clone(&other.credential))));
    assert_eq!(refused.unwrap_err().code(), "InvalidSignatureException");
    // A day later the same scope's key is another one.
    let later = World {
        now: world.now + Duration::from_secs(86_400),
        credential: Arc::clone(&world.credential),
        ..World::new()
    };
    assert!(later.verify(later.signed_at(later.now)).is_ok());
    assert!(world.verify(world.signed_at(world.now)).is_ok());
}

#[test]
fn whatever_headers_and_bodies_the_sdk_signs_are_verified() {
    let world = World::new();
    let headers = proptest::collection::vec(("x-[a-d]{1,2}", "[ -~]{0,12}| {0,3}[a-b ,\t]{0,8}"), 0..6);
    let body = proptest::collection::vec(proptest::num::u8::ANY, 0..100);
    proptest::proptest!(|(headers in headers, body in body, flipped in 0..64_usize)| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut signed = world.signed_with(world.now, "http://localhost:8181/", &headers, body);
        let authorization = signed.request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
        let again = Signed { request: copy(&signed.request), body: signed.body.clone() };
        proptest::prop_assert!(world.verify(again).is_ok());
        // Another signature is refused, whichever digit of it is wrong.
        let at = authorization.len() - 1 - flipped;
        let digit = if authorization.as_bytes()[at] == b'0' { "1" } else { "0" };
        signed.set(AUTHORIZATION, &format!("{}{digit}{}", &authorization[..at], &authorization[at + 1..]));
        proptest::prop_assert!(world.verify(signed).is_err());
    });
}

#[test]
fn the_canonical_form_is_that_of_the_sdk_s_own_signing_whatever_is_signed() {
    let world = World::new();
    let name = proptest::sample::select(vec!["accept", "content-type", "user-agent", "x-a", "x-amz-meta", "x-b", "zz"]);
    let headers = proptest::collection::vec((name, "[ -~\t]{0,12}| {0,3}[a-b ,\t]{0,8}"), 0..8);
    let body = proptest::collection::vec(proptest::num::u8::ANY, 0..200);
    let method = proptest::sample::select(vec!["POST", "PUT", "X-OWN"]);
    proptest::proptest!(|(headers in headers, body in body, method in method, dated in proptest::bool::ANY)| {
        let now = OffsetDateTime::from(world.now);
        let (date, day) = (date::basic(now), &date::basic(now)[..8]);
        let usual = [("host", "localhost"), ("x-amz-target", "TrentService.ListKeys"), ("x-amz-date", date.as_str())];
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in usual.into_iter().chain(headers.iter().map(|(name, value)| (*name, value.as_str()))) {
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut names: Vec<&str> = headers.iter().map(|(name, _)| *name).chain(["host", "x-amz-target"]).collect();
        names.extend(dated.then_some("x-amz-date"));
        names.sort_unstable();
        names.dedup();
        let claimed = Authorization {
            access_key_id: world.credential.access_key_id(),
            day,
            region: "eu-west-1",
            signed_headers: &names.join(";"),
            signed_names: names,
            signature: "",
        };
        let covered = covered_headers(&parts.headers, &claimed).unwrap();
        let text = canonical::string_to_sign(&parts, &body, &covered, &claimed, &date).unwrap();
        let scope = SigningScope { day, region: claimed.region, service: SERVICE };
        let ours = canonical::hex(&world.credential.signing_key(scope).sign(text.as_bytes()));
        let theirs = by_the_sdk(&parts, &body, &covered, &claimed, &world.credential, now.into()).unwrap();
        proptest::prop_assert_eq!(&ours[..], theirs);
    });
}

fn copy(request: &Request<()>) -> Request<()> {
    let mut copy = Request::post(request.uri()).body(()).unwrap();
    *copy.headers_mut() = request.headers().clone();
    copy
}

//! The canonical form of a request, which is what is signed
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//!
//! Every request of AWS KMS is for `/`, without a query: for these it is put together here, once and without copies. The SDK
//! does it for all others, and tests hold this to be the same.

use axum::http::request::Parts;
use sha2::{Digest, Sha256};

use super::authorization::{ALGORITHM, Authorization, SERVICE, TERMINATOR};

/// The string to sign of a request that has nothing but the usual path; `None` for any other.
pub(super) fn string_to_sign(
    parts: &Parts,
    body: &[u8],
    covered: &[(&str, &str)],
    claimed: &Authorization<'_>,
    date: &str,
) -> Option<String> {
    if parts.uri.path() != "/" || parts.uri.query().is_some() {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(parts.method.as_str());
    hash.update("\n/\n\n");
    let mut last = None;
    for (name, value) in covered {
        if last == Some(name) {
            hash.update(",");
        } else {
            hash.update(if last.is_some() { "\n" } else { "" });
            hash.update(name);
            hash.update(":");
        }
        last = Some(name);
        add_value(&mut hash, value);
    }
    hash.update("\n\n");
    hash.update(claimed.signed_headers);
    hash.update("\n");
    hash.update(hex(&Sha256::digest(body).into()));
    let canonical = hex(&hash.finalize().into());
    let (day, region) = (claimed.day, claimed.region);
    let canonical = std::str::from_utf8(&canonical).expect("hexadecimal digits are ASCII");
    Some([ALGORITHM, "\n", date, "\n", day, "/", region, "/", SERVICE, "/", TERMINATOR, "\n", canonical].concat())
}

/// Adds a header's value: without spaces around it, and with one where there are several.
fn add_value(hash: &mut Sha256, value: &str) {
    // Most have none.
    if !value.as_bytes().contains(&b' ') {
        return hash.update(value);
    }
    let mut rest = value.trim_matches(' ');
    while let Some(at) = rest.find("  ") {
        let (before, after) = rest.split_at(at + 1);
        hash.update(before);
        rest = after.trim_start_matches(' ');
    }
    hash.update(rest);
}

/// The hexadecimal digits of 32 bytes, in lower case.
pub(super) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    digits
}

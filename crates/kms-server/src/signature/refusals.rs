//! What is said to a request that is not signed as it has to be, in AWS's words where they are known.

use time::OffsetDateTime;

use super::date::basic;
use crate::refusal::Refusal;

/// There is no `Authorization` header.
pub(super) fn missing_token() -> Refusal {
    Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token")
}

/// There is a header twice of which there can be one.
pub(super) fn repeated(header: &str) -> Refusal {
    incomplete(format!("There is more than one '{header}' header."))
}

/// A header is no text.
pub(super) fn not_text(header: &str) -> Refusal {
    incomplete(format!("The '{header}' header is not a text."))
}

/// The request is signed in another way than this server verifies.
pub(super) fn unknown_algorithm() -> Refusal {
    incomplete("Unsupported AWS 'algorithm'. The Authorization header has to begin with 'AWS4-HMAC-SHA256'.")
}

/// A parameter is no pair, is not known, or is there twice.
pub(super) fn no_pair() -> Refusal {
    incomplete("The Authorization header holds something that is not a valid key=value pair.")
}

/// Parameters of the header are missing.
pub(super) fn missing_parameters(names: &[&str]) -> Refusal {
    let sentences: Vec<_> =
        names.iter().map(|name| format!("Authorization header requires '{name}' parameter.")).collect();
    incomplete(sentences.join(" "))
}

/// The credential is not of five parts.
pub(super) fn malformed_credential() -> Refusal {
    incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
}

/// The credential's scope ends otherwise than it has to.
pub(super) fn wrong_terminator() -> Refusal {
    invalid("Credential should be scoped with a valid terminator: 'aws4_request'. ")
}

/// The credential's scope is another service's.
pub(super) fn wrong_service() -> Refusal {
    invalid("Credential should be scoped to correct service: 'kms'. ")
}

/// The credential's scope names no region.
pub(super) fn wrong_region() -> Refusal {
    invalid("Credential should be scoped to a valid region. ")
}

/// The credential's scope is of another day than the request.
pub(super) fn wrong_day() -> Refusal {
    invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
}

/// The request does not say when it was signed.
pub(super) fn no_date() -> Refusal {
    incomplete("Authorization header requires existence of a 'X-Amz-Date' header.")
}

/// The request's date is none.
pub(super) fn malformed_date() -> Refusal {
    incomplete("Date must be in ISO-8601 'basic format'.")
}

/// The request was signed too long ago.
pub(super) fn expired(signed: OffsetDateTime, now: OffsetDateTime, skew: time::Duration) -> Refusal {
    let (minutes, earliest) = (skew.whole_minutes(), basic(now.saturating_sub(skew)));
    let (signed, now) = (basic(signed), basic(now));
    invalid(format!("Signature expired: {signed} is now earlier than {earliest} ({now} - {minutes} min.)"))
}

/// The request was signed in the future.
pub(super) fn not_yet_current(signed: OffsetDateTime, now: OffsetDateTime, skew: time::Duration) -> Refusal {
    let (minutes, latest) = (skew.whole_minutes(), basic(now.saturating_add(skew)));
    let (signed, now) = (basic(signed), basic(now));
    invalid(format!("Signature not yet current: {signed} is still later than {latest} ({now} + {minutes} min.)"))
}

/// A header that decides what the request means is not signed.
pub(super) fn not_signed(header: &str) -> Refusal {
    invalid(format!("'{header}' must be a 'SignedHeader' in the AWS Authorization."))
}

/// The signature is another one.
pub(super) fn mismatch() -> Refusal {
    invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
    )
}

/// Nobody has this access key id, or a session token came with it.
pub(super) fn unrecognized() -> Refusal {
    Refusal::new("UnrecognizedClientException", "The security token included in the request is invalid.")
}

fn incomplete(message: impl Into<String>) -> Refusal {
    Refusal::new("IncompleteSignatureException", message)
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidSignatureException", message)
}

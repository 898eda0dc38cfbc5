//! Verifies who signed a request (AWS Signature Version 4), by signing it once more and comparing.
//!
//! What a signature covers is decided by its maker, within bounds: the host, the operation's name and the date have to be
//! covered, and the body always is. A signature is good for five minutes before and after its date, and as often as it is
//! sent within them, as with AWS.

mod authorization;
mod canonical;
mod date;
mod refusals;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use waxseal_kms_local::{Credential, Region, SigningScope};

use self::authorization::{Authorization, SERVICE};
use crate::refusal::Refusal;

/// How far the clocks of client and server may be apart.
const SKEW: time::Duration = time::Duration::minutes(5);
/// The header that names the operation.
pub(crate) const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const AUTHORIZATION: HeaderName = header::AUTHORIZATION;
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const HOST: HeaderName = header::HOST;
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Who calls, and for which region. The secret that signed is not kept: a request may wait while the store is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name of the credential that has signed, as the log shows it.
    pub(crate) name: String,
    /// The region of the credential scope, or the one that the owner names: the request's.
    pub(crate) region: Region,
}

impl Caller {
    /// The owner of the server, who need not sign. No credential can have this name.
    pub(crate) fn owner(region: Region) -> Self {
        Self { name: "(owner)".to_owned(), region }
    }
}

/// Verifies the signature of a request at the time `now`, with the credential that `find` gives for an access key id.
pub(crate) fn verify(
    parts: &Parts,
    body: &[u8],
    now: SystemTime,
    find: impl FnOnce(&str) -> Result<Option<Arc<Credential>>, Refusal>,
) -> Result<Caller, Refusal> {
    // Also of a presigned request, whose signature is in its query: there is no use for one here.
    let header = text(&parts.headers, &AUTHORIZATION)?.ok_or_else(refusals::missing_token)?;
    let claimed = Authorization::parse(header)?;
    let (date, signed_at) = signed_at(&parts.headers, &claimed, now)?;
    let region: Region = claimed.region.parse().map_err(|_| refusals::wrong_region())?;
    let covered = covered_headers(&parts.headers, &claimed)?;
    // No credential of this server's comes with a token.
    if parts.headers.contains_key(TOKEN) {
        return Err(refusals::unrecognized());
    }
    let credential = find(claimed.access_key_id)?.ok_or_else(refusals::unrecognized)?;
    let scope = SigningScope { day: claimed.day, region: claimed.region, service: SERVICE };
    let key = credential.signing_key(scope);
    let is_it = match canonical::string_to_sign(parts, body, &covered, &claimed, date) {
        Some(text) => canonical::hex(&key.sign(text.as_bytes())).ct_eq(claimed.signature.as_bytes()),
        None => {
            let calculated = by_the_sdk(parts, body, &covered, &claimed, &credential, signed_at);
            calculated.ok_or_else(refusals::mismatch)?.ct_eq(claimed.signature.as_bytes())
        }
    };
    if !bool::from(is_it) {
        return Err(refusals::mismatch());
    }
    credential.keep_signing_key(scope, &key);
    Ok(Caller { name: credential.name().to_owned(), region })
}

/// When the request says it was signed, as it says it and as a time, if that is of the scope's day and near enough.
fn signed_at<'a>(
    headers: &'a HeaderMap,
    claimed: &Authorization<'_>,
    now: SystemTime,
) -> Result<(&'a str, SystemTime), Refusal> {
    let text = text(headers, &DATE)?.ok_or_else(refusals::no_date)?;
    let (signed, now) = (date::parse(text).ok_or_else(refusals::malformed_date)?, OffsetDateTime::from(now));
    if !text.starts_with(claimed.day) || claimed.day.len() != 8 {
        return Err(refusals::wrong_day());
    }
    match signed - now {
        apart if apart < -SKEW => Err(refusals::expired(signed, now, SKEW)),
        apart if apart > SKEW => Err(refusals::not_yet_current(signed, now, SKEW)),
        _ => Ok((text, signed.into())),
    }
}

/// The headers that the signature covers: all that it names, in order, each of them there.
fn covered_headers<'a>(
    headers: &'a HeaderMap,
    claimed: &Authorization<'a>,
) -> Result<Vec<(&'a str, &'a str)>, Refusal> {
    for needed in [&HOST, &TARGET] {
        // No client signs a request without a host; one without a target asks for nothing.
        if !claimed.signs(needed) && (needed == HOST || headers.contains_key(needed)) {
            return Err(refusals::not_signed(needed.as_str()));
        }
        text(headers, needed)?;
    }
    if !claimed.signed_names.is_sorted_by(|one, next| one < next) {
        return Err(refusals::mismatch());
    }
    let mut covered = Vec::with_capacity(16);
    for &name in &claimed.signed_names {
        let mut values = headers.get_all(name).into_iter().peekable();
        if values.peek().is_none() || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refusals::mismatch());
        }
        for value in values {
            covered.push((name, value.to_str().map_err(|_| refusals::not_text(name))?));
        }
    }
    Ok(covered)
}

/// Signs the request once more with the SDK's own signing; `None` if nobody can have signed what it is.
fn by_the_sdk(
    parts: &Parts,
    body: &[u8],
    covered: &[(&str, &str)],
    claimed: &Authorization<'_>,
    credential: &Credential,
    signed_at: SystemTime,
) -> Option<Vec<u8>> {
    let mut settings = SigningSettings::default();
    // The date is signed as such. As a header too, where its maker has done so.
    settings.excluded_headers = (!claimed.signs(&DATE)).then(|| vec![Cow::Borrowed("x-amz-date")]);
    let identity = Credentials::new(claimed.access_key_id, credential.expose_secret(), None, None, "store").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(claimed.region)
        .name(SERVICE)
        .time(signed_at)
        .settings(settings)
        .build()
        .expect("everything that is asked for is given")
        .into();
    // The host is signed as the header says it. It stands in no other place that is signed.
    let uri = format!("http://{HOST}{}", parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    let headers = covered.iter().copied().filter(|(name, _)| *name != DATE);
    let request = SignableRequest::new(parts.method.as_str(), uri, headers, SignableBody::Bytes(body)).ok()?;
    Some(sign(request, &parameters).ok()?.into_parts().1.into_bytes())
}

/// The one value of a header, if it is there.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).into_iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(refusals::repeated(name.as_str()));
    }
    first.map(HeaderValue::to_str).transpose().map_err(|_| refusals::not_text(name.as_str()))
}

#[cfg(test)]
mod tests;

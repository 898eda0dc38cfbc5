//! The `Authorization` header of a signed request, taken apart.

use axum::http::HeaderName;

use super::refusals;
use crate::refusal::Refusal;

/// The one way of signing that is known (AWS Signature Version 4).
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What ends every credential scope.
pub(super) const TERMINATOR: &str = "aws4_request";
/// The service of this server's credential scopes.
pub(super) const SERVICE: &str = "kms";

/// What a request claims about who signed it, and how. Nothing of it is proven yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    /// Whose secret signed it.
    pub(super) access_key_id: &'a str,
    /// The day of the credential scope, `YYYYMMDD`.
    pub(super) day: &'a str,
    /// The region of the credential scope.
    pub(super) region: &'a str,
    /// The signed headers' names, as they stand there.
    pub(super) signed_headers: &'a str,
    /// The same, taken apart.
    pub(super) signed_names: Vec<&'a str>,
    /// The signature, as it stands there.
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Takes the header's value apart.
    pub(super) fn parse(value: &'a str) -> Result<Self, Refusal> {
        let (algorithm, parameters) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if algorithm != ALGORITHM {
            return Err(refusals::unknown_algorithm());
        }
        let mut parts = Parts::default();
        for parameter in parameters.split(',').map(str::trim) {
            parts.take(parameter)?;
        }
        let (Some(credential), Some(signed_headers), Some(signature)) =
            (parts.credential, parts.signed_headers, parts.signature)
        else {
            return Err(refusals::missing_parameters(&parts.missing()));
        };
        let scope: Vec<&str> = credential.split('/').collect();
        let &[access_key_id, day, region, service, terminator] = scope.as_slice() else {
            return Err(refusals::malformed_credential());
        };
        if terminator != TERMINATOR {
            return Err(refusals::wrong_terminator());
        }
        if service != SERVICE {
            return Err(refusals::wrong_service());
        }
        let signed_names = signed_headers.split(';').collect();
        Ok(Self { access_key_id, day, region, signed_headers, signed_names, signature })
    }

    /// Whether a header is among the signed ones. Only names in their canonical form are found among them.
    pub(super) fn signs(&self, name: &HeaderName) -> bool {
        self.signed_names.contains(&name.as_str())
    }
}

/// The parameters that have been seen.
#[derive(Default)]
struct Parts<'a> {
    credential: Option<&'a str>,
    signed_headers: Option<&'a str>,
    signature: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn take(&mut self, parameter: &'a str) -> Result<(), Refusal> {
        let (name, value) = parameter.split_once('=').ok_or_else(refusals::no_pair)?;
        let place = match name {
            "Credential" => &mut self.credential,
            "SignedHeaders" => &mut self.signed_headers,
            "Signature" => &mut self.signature,
            _ => return Err(refusals::no_pair()),
        };
        // Which of two would count is nobody's guess to make.
        if value.is_empty() || place.replace(value).is_some() {
            return Err(refusals::no_pair());
        }
        Ok(())
    }

    fn missing(&self) -> Vec<&'static str> {
        let parts =
            [("Credential", self.credential), ("Signature", self.signature), ("SignedHeaders", self.signed_headers)];
        parts.into_iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "AWS4-HMAC-SHA256 Credential=AK/20261122/eu-west-1/kms/aws4_request, \
                        SignedHeaders=host;x-amz-date, Signature=ab12";

    #[test]
    fn the_parts_are_found_whatever_stands_between_them() {
        let tight = GOOD.replace(", ", ",");
        let (found, again) = (Authorization::parse(GOOD).unwrap(), Authorization::parse(&tight).unwrap());
        assert_eq!(found, again);
        assert_eq!((found.access_key_id, found.day, found.region), ("AK", "20261122", "eu-west-1"));
        let signs = |name| found.signs(&HeaderName::from_static(name));
        assert!(signs("host") && signs("x-amz-date") && !signs("x-amz-target"));
    }

    #[test]
    fn anything_else_is_refused_by_its_name() {
        let code = |text: &str| Authorization::parse(text).unwrap_err().code();
        for (find, replace) in [
            ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            ("Credential=", "Credential"),
            (", Signature=ab12", ""),
            (", Signature=ab12", ", Signature=ab12, Signature=ab12"),
            (", Signature=ab12", ", Signature="),
            ("Signature=", "signature="),
            ("/kms/", "/kms/x/"),
        ] {
            assert_eq!(code(&GOOD.replace(find, replace)), "IncompleteSignatureException", "{replace}");
        }
        for (find, replace) in [("/kms/", "/s3/"), ("aws4_request", "aws5_request")] {
            assert_eq!(code(&GOOD.replace(find, replace)), "InvalidSignatureException", "{replace}");
        }
        assert_eq!(code(""), "IncompleteSignatureException");
    }
}

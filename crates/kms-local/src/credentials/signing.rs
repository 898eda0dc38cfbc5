//! Signing keys of AWS Signature Version 4: what a secret access key becomes for one day, region and service
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Credential;

/// Most signing keys of one credential that are kept: a client signs for a region or a few, and two days meet at midnight.
const MAX_KEPT: usize = 8;

/// For what a signature is good: a credential scope without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningScope<'a> {
    /// The day, `YYYYMMDD`.
    pub day: &'a str,
    /// The region, for instance `us-east-1`.
    pub region: &'a str,
    /// The service, for instance `kms`.
    pub service: &'a str,
}

/// A signing key, ready to sign. It is wiped when dropped.
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    fn derive(secret: &str, scope: SigningScope<'_>) -> Self {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret.as_bytes());
        let steps = [scope.day, scope.region, scope.service, "aws4_request"];
        Self(steps.iter().fold(keyed(&first), |key, step| {
            let next: Zeroizing<[u8; 32]> = Zeroizing::new(key.chain_update(step).finalize().into_bytes().into());
            keyed(next.as_slice())
        }))
    }

    /// Signs a string.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(text).finalize().into_bytes().into()
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

/// The signing keys of a credential that were used of late.
#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<KeptKey>>);

struct KeptKey {
    day: String,
    region: String,
    service: String,
    key: Arc<SigningKey>,
}

impl KeptKey {
    fn is_for(&self, scope: SigningScope<'_>) -> bool {
        SigningScope { day: &self.day, region: &self.region, service: &self.service } == scope
    }
}

impl Kept {
    fn keys(&self) -> MutexGuard<'_, VecDeque<KeptKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credential {
    /// The signing key for a scope.
    #[must_use]
    pub fn signing_key(&self, scope: SigningScope<'_>) -> Arc<SigningKey> {
        let kept = self.kept.keys().iter().find(|kept| kept.is_for(scope)).map(|kept| Arc::clone(&kept.key));
        kept.unwrap_or_else(|| Arc::new(SigningKey::derive(self.expose_secret(), scope)))
    }

    /// Keeps a signing key for requests to come, for as long as the credential itself stays in memory. Only one that was
    /// proven to be used should be: others could be without number.
    pub fn keep_signing_key(&self, scope: SigningScope<'_>, key: &Arc<SigningKey>) {
        let mut keys = self.kept.keys();
        if keys.iter().any(|kept| kept.is_for(scope)) {
            return;
        }
        if keys.len() >= MAX_KEPT {
            keys.pop_front();
        }
        let SigningScope { day, region, service } = scope;
        let (day, region, service) = (day.to_owned(), region.to_owned(), service.to_owned());
        keys.push_back(KeptKey { day, region, service, key: Arc::clone(key) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::CredentialInfo;
    use crate::timestamp::Timestamp;

    fn credential(secret: &str) -> Credential {
        let about =
            CredentialInfo { access_key_id: "WAXK".to_owned(), name: "a".to_owned(), created_at: Timestamp::now() };
        Credential::new(about, Zeroizing::new(secret.to_owned()))
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn aws_s_own_example_is_signed_as_there() {
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html, the example of Amazon EC2's
        // predecessor in the test suite of Signature Version 4: "get-vanilla".
        let credential = credential("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let scope = SigningScope { day: "20150830", region: "us-east-1", service: "service" };
        let text = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n\
                    bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63";
        let signature = hex(&credential.signing_key(scope).sign(text.as_bytes()));
        assert_eq!(signature, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    }

    #[test]
    fn a_key_that_is_kept_is_the_same_and_their_number_is_bounded() {
        let credential = credential("secret");
        let days: Vec<String> = (0..20).map(|day| format!("202611{day:02}")).collect();
        let scope = |day| SigningScope { day, region: "eu-west-1", service: "kms" };
        for day in &days {
            let key = credential.signing_key(scope(day));
            credential.keep_signing_key(scope(day), &key);
            credential.keep_signing_key(scope(day), &key);
            assert!(Arc::ptr_eq(&key, &credential.signing_key(scope(day))));
            assert_eq!(key.sign(b"x"), SigningKey::derive("secret", scope(day)).sign(b"x"));
        }
        assert_eq!(credential.kept.keys().len(), MAX_KEPT);
        assert_ne!(
            credential.signing_key(scope("20261101")).sign(b"x"),
            credential.signing_key(scope("20261102")).sign(b"x")
        );
        assert!(!format!("{:?}", credential.signing_key(scope("20261101"))).contains("secret"));
    }
}

//! Encrypt (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>).

use std::fmt;

use waxseal_key_service::{EncryptionContext, KeyArn, KeyId, KeyServiceError};

use super::SYMMETRIC_DEFAULT;
use crate::ciphertext::MAX_PLAINTEXT;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

/// A request to encrypt a few bytes.
#[derive(Clone, Copy)]
pub struct EncryptRequest<'a> {
    /// The region that the request acts in.
    pub region: &'a Region,
    /// The key, in any form.
    pub key_id: &'a KeyId,
    /// What is bound to the ciphertext.
    pub encryption_context: &'a EncryptionContext,
    /// 1 to 4096 bytes.
    pub plaintext: &'a [u8],
}

/// What Encrypt returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptResponse {
    /// The key that encrypted.
    pub key_id: KeyArn,
    /// The ciphertext.
    pub ciphertext_blob: Vec<u8>,
}

const NAME: &str = "Encrypt";

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let key_id = &arguments.key("KeyId")?;
    kms.check_algorithm(region, arguments, "EncryptionAlgorithm", Some(key_id), NAME)?;
    let encrypted = kms.encrypt(&EncryptRequest {
        region,
        key_id,
        encryption_context: &arguments.context("EncryptionContext")?,
        plaintext: arguments.bytes("Plaintext").unwrap_or_default(),
    })?;
    Ok(Answer::of(|answer| {
        answer.bytes("CiphertextBlob", &encrypted.ciphertext_blob);
        answer.text("KeyId", encrypted.key_id.as_str());
        answer.text("EncryptionAlgorithm", SYMMETRIC_DEFAULT);
    }))
}

impl LocalKms {
    /// Encrypts 1 to 4096 bytes under a key.
    ///
    /// # Errors
    /// `ValidationException`, `NotFoundException`, `DisabledException`, `KMSInvalidStateException`, and whatever the store
    /// answers.
    pub fn encrypt(&self, request: &EncryptRequest<'_>) -> Result<EncryptResponse, KeyServiceError> {
        if let Some(error) = refusals::bad_length("plaintext", request.plaintext.len(), 1, MAX_PLAINTEXT) {
            return Err(error);
        }
        let with = self.encrypting(request.region, request.key_id, request.encryption_context, NAME)?;
        let ciphertext_blob = with.encrypt(request.encryption_context, request.plaintext)?;
        Ok(EncryptResponse { key_id: with.key.metadata.arn.clone(), ciphertext_blob })
    }
}

impl fmt::Debug for EncryptRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptRequest")
            .field("region", self.region)
            .field("key_id", self.key_id)
            .field("encryption_context", self.encryption_context)
            .finish_non_exhaustive()
    }
}

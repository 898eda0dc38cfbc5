//! GenerateDataKey (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html>).

use std::sync::Arc;

use waxseal_key_service::{EncryptionContext, KeyArn, KeyId, KeyServiceError};

use super::Plaintext;
use crate::error::StoreError;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

const MAX_BYTES: i64 = 1024;

/// A request for a data key, in both forms or without its plaintext.
#[derive(Clone, Copy, Debug)]
pub struct GenerateDataKeyRequest<'a> {
    /// The region that the request acts in.
    pub region: &'a Region,
    /// The key that the data key is encrypted under, in any form.
    pub key_id: &'a KeyId,
    /// What is bound to the encrypted data key.
    pub encryption_context: &'a EncryptionContext,
    /// The kind of the data key. Exactly one of this and `number_of_bytes` has to be given.
    pub key_spec: Option<DataKeySpec>,
    /// The length of the data key: 1 to 1024 bytes.
    pub number_of_bytes: Option<i32>,
}

/// The kind of a data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataKeySpec {
    /// 32 bytes.
    Aes256,
    /// 16 bytes.
    Aes128,
}

impl DataKeySpec {
    /// Reads the name in AWS KMS; others were refused as breaking the service model.
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "AES_256" => Some(Self::Aes256),
            "AES_128" => Some(Self::Aes128),
            _ => None,
        }
    }
}

/// What GenerateDataKey returns.
#[derive(Clone, Debug)]
pub struct GenerateDataKeyResponse {
    /// The key that the data key is encrypted under.
    pub key_id: KeyArn,
    /// The id of the material that encrypted it: 64 hexadecimal digits.
    pub key_material_id: Arc<str>,
    /// The data key.
    pub plaintext: Plaintext,
    /// The data key, encrypted.
    pub ciphertext_blob: Vec<u8>,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let generated = with_request(region, arguments, |request| kms.generate_data_key(request))?;
    Ok(Answer::of(|answer| {
        answer.bytes("CiphertextBlob", &generated.ciphertext_blob);
        answer.bytes("Plaintext", generated.plaintext.expose());
        answer.text("KeyId", generated.key_id.as_str());
        answer.text("KeyMaterialId", &generated.key_material_id);
    }))
}

/// Reads the protocol's request, which is that of GenerateDataKeyWithoutPlaintext too.
pub(super) fn with_request<T>(
    region: &Region,
    arguments: &Arguments<'_>,
    run: impl FnOnce(&GenerateDataKeyRequest<'_>) -> Result<T, KeyServiceError>,
) -> Result<T, KeyServiceError> {
    run(&GenerateDataKeyRequest {
        region,
        key_id: &arguments.key("KeyId")?,
        encryption_context: &arguments.context("EncryptionContext")?,
        key_spec: arguments.text("KeySpec").and_then(DataKeySpec::from_name),
        number_of_bytes: arguments.integer("NumberOfBytes"),
    })
}

impl LocalKms {
    /// Makes a fresh data key and returns it in clear and encrypted.
    ///
    /// # Errors
    /// `ValidationException`, `NotFoundException`, `DisabledException`, `KMSInvalidStateException`, and whatever the store
    /// answers.
    pub fn generate_data_key(
        &self,
        request: &GenerateDataKeyRequest<'_>,
    ) -> Result<GenerateDataKeyResponse, KeyServiceError> {
        self.generate(request, "GenerateDataKey")
    }

    /// Makes a data key for the operation of this name.
    pub(super) fn generate(
        &self,
        request: &GenerateDataKeyRequest<'_>,
        operation: &str,
    ) -> Result<GenerateDataKeyResponse, KeyServiceError> {
        let len = request.length()?;
        let with = self.encrypting(request.region, request.key_id, request.encryption_context, operation)?;
        let mut plaintext = Plaintext::zeros(len);
        getrandom::fill(plaintext.expose_mut()).map_err(StoreError::random)?;
        let ciphertext_blob = with.encrypt(request.encryption_context, plaintext.expose())?;
        Ok(GenerateDataKeyResponse {
            key_id: with.key.metadata.arn.clone(),
            key_material_id: Arc::clone(&with.material.id),
            plaintext,
            ciphertext_blob,
        })
    }
}

impl GenerateDataKeyRequest<'_> {
    /// The length asked for, in bytes.
    fn length(&self) -> Result<usize, KeyServiceError> {
        let bytes = self.number_of_bytes.map(i64::from);
        if let Some(error) = bytes.and_then(|bytes| refusals::out_of_range("numberOfBytes", bytes, 1, MAX_BYTES)) {
            return Err(error);
        }
        match (self.key_spec, bytes) {
            (Some(DataKeySpec::Aes256), None) => Ok(32),
            (Some(DataKeySpec::Aes128), None) => Ok(16),
            (None, Some(bytes)) => Ok(usize::try_from(bytes).expect("the length is at least 1 here")),
            (Some(_), Some(_)) | (None, None) => Err(refusals::not_one_length()),
        }
    }
}

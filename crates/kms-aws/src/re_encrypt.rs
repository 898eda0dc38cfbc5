//! ReEncrypt (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html>): a data key goes from one KMS key to
//! another, and nobody here sees it.

use aws_sdk_kms::primitives::Blob;
use waxseal_key_service::{
    EncryptedDataKey, EncryptionContext, ErrorCode, KeyArn, KeyId, KeyIdError, KeyServiceError, Provider,
};

use crate::answer;
use crate::connection::AwsKms;
use crate::key_service::pairs;

/// What ReEncrypt answered.
pub(crate) struct ReEncrypted {
    /// The data key under the new key.
    pub(crate) encrypted: EncryptedDataKey,
    /// The ids of the key material that decrypted and that encrypted, where the service gives them.
    materials: Option<(String, String)>,
}

impl ReEncrypted {
    /// Whether another version of the key's material has encrypted than the one that decrypted.
    pub(crate) fn is_renewed(&self) -> Result<bool, KeyServiceError> {
        let (source, destination) = self.materials.as_ref().ok_or_else(|| {
            KeyServiceError::new(
                ErrorCode::UnsupportedOperation,
                "The service does not say which key material it used.",
            )
        })?;
        Ok(source != destination)
    }
}

impl AwsKms {
    /// Has a data key encrypted under `to`. The key that it is under is named in the region of `to`, which makes a difference
    /// for multi-Region keys only: the service refuses keys of two regions.
    pub(crate) async fn re_encrypt(
        &self,
        encrypted: &EncryptedDataKey,
        to: &KeyArn,
        context: &EncryptionContext,
    ) -> Result<ReEncrypted, KeyServiceError> {
        if encrypted.provider != Provider::Aws {
            return Err(KeyServiceError::bare(ErrorCode::IncorrectKey));
        }
        let source = from_region_of(to, &encrypted.key_arn)
            .map_err(|error| KeyServiceError::new(ErrorCode::InvalidArn, error.to_string()))?;
        let (source, destination) = (KeyId::Arn(source), KeyId::Arn(to.clone()));
        let (context, tokens) = (pairs(context), self.grant_tokens());
        let blob = Blob::new(encrypted.ciphertext_blob.as_slice());
        self.ask(
            "ReEncrypt",
            &destination,
            |client, id| {
                let request = client.re_encrypt().destination_key_id(id).source_key_id(source.to_string());
                let request = request.ciphertext_blob(blob).set_source_encryption_context(context.clone());
                request.set_destination_encryption_context(context).set_grant_tokens(tokens).send()
            },
            |answer| {
                answer::key_arn(&source, answer.source_key_id.as_deref())?;
                let materials = answer.source_key_material_id.zip(answer.destination_key_material_id);
                let encrypted =
                    answer::encrypted_data_key(&destination, answer.key_id.as_deref(), answer.ciphertext_blob)?;
                Ok(ReEncrypted { encrypted, materials })
            },
        )
        .await
    }
}

/// The ARN of a multi-Region key where the other key is; any other key stays where it is.
fn from_region_of(other: &KeyArn, key: &KeyArn) -> Result<KeyArn, KeyIdError> {
    if key.is_multi_region() { key.in_region(other.region()) } else { Ok(key.clone()) }
}

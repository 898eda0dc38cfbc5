//! ReEncrypt (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html>).

use std::sync::Arc;

use waxseal_key_service::{EncryptionContext, KeyArn, KeyId, KeyServiceError};

use super::decrypt::ciphertext;
use super::{DecryptRequest, Plaintext, SYMMETRIC_DEFAULT};
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

const NAME: &str = "ReEncrypt";

/// A request to put a ciphertext under another key or another context, without showing its plaintext.
#[derive(Clone, Copy, Debug)]
pub struct ReEncryptRequest<'a> {
    /// The region that the request acts in.
    pub region: &'a Region,
    /// The ciphertext, 1 to 6144 bytes.
    pub ciphertext_blob: &'a [u8],
    /// The context that it was encrypted with.
    pub source_encryption_context: &'a EncryptionContext,
    /// The key that it has to be encrypted under, in any form.
    pub source_key_id: Option<&'a KeyId>,
    /// The key that it is to be encrypted under, in any form.
    pub destination_key_id: &'a KeyId,
    /// What is to be bound to the new ciphertext.
    pub destination_encryption_context: &'a EncryptionContext,
}

/// What ReEncrypt returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReEncryptResponse {
    /// The new ciphertext.
    pub ciphertext_blob: Vec<u8>,
    /// The key that decrypted.
    pub source_key_id: KeyArn,
    /// The id of the material that decrypted: 64 hexadecimal digits.
    pub source_key_material_id: Arc<str>,
    /// The key that encrypted.
    pub key_id: KeyArn,
    /// The id of the material that encrypted.
    pub destination_key_material_id: Arc<str>,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let (source_key_id, destination_key_id) =
        (arguments.optional_key("SourceKeyId")?, arguments.key("DestinationKeyId")?);
    kms.check_algorithm(region, arguments, "SourceEncryptionAlgorithm", source_key_id.as_ref(), NAME)?;
    kms.check_algorithm(region, arguments, "DestinationEncryptionAlgorithm", Some(&destination_key_id), NAME)?;
    let Some(ciphertext_blob) = ciphertext(arguments)? else {
        let source = source_key_id.ok_or_else(|| refusals::missing("sourceKeyId"))?;
        kms.check_may_use(region, &source, NAME)?;
        kms.check_may_use(region, &destination_key_id, NAME)?;
        return Ok(Answer::none());
    };
    let done = kms.re_encrypt(&ReEncryptRequest {
        region,
        ciphertext_blob,
        source_encryption_context: &arguments.context("SourceEncryptionContext")?,
        source_key_id: source_key_id.as_ref(),
        destination_key_id: &destination_key_id,
        destination_encryption_context: &arguments.context("DestinationEncryptionContext")?,
    })?;
    Ok(Answer::of(|answer| {
        answer.bytes("CiphertextBlob", &done.ciphertext_blob);
        answer.text("SourceKeyId", done.source_key_id.as_str());
        answer.text("KeyId", done.key_id.as_str());
        answer.text("SourceEncryptionAlgorithm", SYMMETRIC_DEFAULT);
        answer.text("DestinationEncryptionAlgorithm", SYMMETRIC_DEFAULT);
        answer.text("SourceKeyMaterialId", &done.source_key_material_id);
        answer.text("DestinationKeyMaterialId", &done.destination_key_material_id);
    }))
}

impl LocalKms {
    /// Decrypts a ciphertext and encrypts it anew. Both keys have to be usable before anything is decrypted.
    ///
    /// # Errors
    /// As [`LocalKms::decrypt`] and [`LocalKms::encrypt`].
    pub fn re_encrypt(&self, request: &ReEncryptRequest<'_>) -> Result<ReEncryptResponse, KeyServiceError> {
        let source = DecryptRequest {
            region: request.region,
            ciphertext_blob: request.ciphertext_blob,
            encryption_context: request.source_encryption_context,
            key_id: request.source_key_id,
        };
        let source = self.decrypting(&source, NAME)?;
        let context = request.destination_encryption_context;
        let destination = self.encrypting(request.region, request.destination_key_id, context, NAME)?;
        let mut plaintext = Plaintext::zeros(source.plaintext_len());
        source.decrypt_into(plaintext.expose_mut())?;
        Ok(ReEncryptResponse {
            ciphertext_blob: destination.encrypt(context, plaintext.expose())?,
            source_key_id: source.key.metadata.arn.clone(),
            source_key_material_id: Arc::clone(&source.material.id),
            key_id: destination.key.metadata.arn.clone(),
            destination_key_material_id: Arc::clone(&destination.material.id),
        })
    }
}

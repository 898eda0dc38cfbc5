//! Decrypt (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>).

use std::sync::Arc;

use waxseal_key_service::{EncryptionContext, KeyArn, KeyId, KeyServiceError};

use super::{Plaintext, SYMMETRIC_DEFAULT};
use crate::ciphertext::Blob;
use crate::context;
use crate::key::{Key, Material};
use crate::local_kms::LocalKms;
use crate::names::Name;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::store::{Usable, Wanted};

/// Longest ciphertext in bytes (`CiphertextType` in the service model).
const MAX_CIPHERTEXT: usize = 6144;

/// A request to decrypt.
#[derive(Clone, Copy, Debug)]
pub struct DecryptRequest<'a> {
    /// The region that the request acts in.
    pub region: &'a Region,
    /// The ciphertext, 1 to 6144 bytes.
    pub ciphertext_blob: &'a [u8],
    /// The context that it was encrypted with.
    pub encryption_context: &'a EncryptionContext,
    /// The key that it has to be encrypted under, in any form.
    pub key_id: Option<&'a KeyId>,
}

/// What Decrypt returns.
#[derive(Clone, Debug)]
pub struct DecryptResponse {
    /// The key that decrypted.
    pub key_id: KeyArn,
    /// The id of the material that decrypted: 64 hexadecimal digits.
    pub key_material_id: Arc<str>,
    /// The plaintext.
    pub plaintext: Plaintext,
}

/// A ciphertext together with the key and the material that it claims.
pub(crate) struct Decrypting<'a> {
    blob: Blob<'a>,
    pub(crate) key: Arc<Key>,
    pub(super) material: Arc<Material>,
    context: &'a EncryptionContext,
}

const NAME: &str = "Decrypt";

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let key_id = arguments.optional_key("KeyId")?;
    kms.check_algorithm(region, arguments, "EncryptionAlgorithm", key_id.as_ref(), NAME)?;
    let Some(ciphertext_blob) = ciphertext(arguments)? else {
        let key_id = key_id.ok_or_else(|| refusals::missing("keyId"))?;
        kms.check_may_use(region, &key_id, NAME)?;
        return Ok(Answer::none());
    };
    let decrypted = kms.decrypt(&DecryptRequest {
        region,
        ciphertext_blob,
        encryption_context: &arguments.context("EncryptionContext")?,
        key_id: key_id.as_ref(),
    })?;
    Ok(Answer::of(|answer| {
        answer.text("KeyId", decrypted.key_id.as_str());
        answer.bytes("Plaintext", decrypted.plaintext.expose());
        answer.text("EncryptionAlgorithm", SYMMETRIC_DEFAULT);
        answer.text("KeyMaterialId", &decrypted.key_material_id);
    }))
}

/// The ciphertext of a request; `None` means that it is a dry run that asks to look at none.
pub(super) fn ciphertext<'a>(arguments: &'a Arguments<'_>) -> Result<Option<&'a [u8]>, KeyServiceError> {
    let ignored = arguments.texts("DryRunModifiers").any(|modifier| modifier == "IGNORE_CIPHERTEXT");
    if ignored && arguments.flag("DryRun") {
        return Ok(None);
    }
    arguments.bytes("CiphertextBlob").map(Some).ok_or_else(refusals::missing_ciphertext)
}

impl LocalKms {
    /// Decrypts what Encrypt, GenerateDataKey or GenerateDataKeyWithoutPlaintext returned.
    ///
    /// # Errors
    /// `ValidationException`, `InvalidCiphertextException` for a damaged ciphertext or another context,
    /// `IncorrectKeyException`, `NotFoundException`, `DisabledException`, `KMSInvalidStateException`, and whatever the
    /// store answers.
    pub fn decrypt(&self, request: &DecryptRequest<'_>) -> Result<DecryptResponse, KeyServiceError> {
        let with = self.decrypting(request, NAME)?;
        let mut plaintext = Plaintext::zeros(with.plaintext_len());
        with.decrypt_into(plaintext.expose_mut())?;
        Ok(DecryptResponse {
            key_id: with.key.metadata.arn.clone(),
            key_material_id: Arc::clone(&with.material.id),
            plaintext,
        })
    }

    /// Finds the key of a ciphertext, for decrypting.
    pub(crate) fn decrypting<'a>(
        &self,
        request: &DecryptRequest<'a>,
        operation: &str,
    ) -> Result<Decrypting<'a>, KeyServiceError> {
        let DecryptRequest { region, ciphertext_blob, encryption_context: context, key_id } = *request;
        if let Some(error) = refusals::bad_length("ciphertextBlob", ciphertext_blob.len(), 1, MAX_CIPHERTEXT) {
            return Err(error);
        }
        context::check_size(context)?;
        let name = key_id.map(|key| Name::within(region, key)).transpose()?;
        let parsed = Blob::parse(ciphertext_blob);
        let claimed = parsed.as_ref().map_or(String::new(), |blob| blob.key.text());
        // A name that is the claimed key id itself needs no look-up of its own.
        if let Some(name) = name.filter(|name| !matches!(name, Name::Id(id) if *id == claimed)) {
            let named = self.store.find(region, name)?.ok_or_else(|| name.not_found(region))?;
            if parsed.is_ok() && named.metadata.arn.key_id() != claimed {
                return Err(refusals::incorrect_key());
            }
        }
        let blob = parsed?;
        let Usable { key, material } =
            self.store.find_usable(region, Name::Id(&claimed), Wanted::Version(blob.version), operation)?;
        // A version that the key never had: nobody can have encrypted with it.
        let material = material.ok_or_else(refusals::invalid_ciphertext)?;
        Ok(Decrypting { blob, key, material, context })
    }
}

impl Decrypting<'_> {
    pub(crate) fn plaintext_len(&self) -> usize {
        self.blob.plaintext_len()
    }

    /// Decrypts into `out`, which has as many bytes as the plaintext.
    pub(crate) fn decrypt_into(&self, out: &mut [u8]) -> Result<(), KeyServiceError> {
        self.blob.decrypt(&self.key, &self.material, self.context, out)
    }
}

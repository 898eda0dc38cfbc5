//! GenerateDataKeyWithoutPlaintext
//! (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyWithoutPlaintext.html>).

use std::sync::Arc;

use waxseal_key_service::{KeyArn, KeyServiceError};

use super::GenerateDataKeyRequest;
use super::generate_data_key::with_request;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// What GenerateDataKeyWithoutPlaintext returns.
#[derive(Clone, Debug)]
pub struct GenerateDataKeyWithoutPlaintextResponse {
    /// The key that the data key is encrypted under.
    pub key_id: KeyArn,
    /// The id of the material that encrypted it: 64 hexadecimal digits.
    pub key_material_id: Arc<str>,
    /// The data key, encrypted.
    pub ciphertext_blob: Vec<u8>,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let generated = with_request(region, arguments, |request| kms.generate_data_key_without_plaintext(request))?;
    Ok(Answer::of(|answer| {
        answer.bytes("CiphertextBlob", &generated.ciphertext_blob);
        answer.text("KeyId", generated.key_id.as_str());
        answer.text("KeyMaterialId", &generated.key_material_id);
    }))
}

impl LocalKms {
    /// Makes a fresh data key and returns it encrypted only.
    ///
    /// # Errors
    /// As [`LocalKms::generate_data_key`].
    pub fn generate_data_key_without_plaintext(
        &self,
        request: &GenerateDataKeyRequest<'_>,
    ) -> Result<GenerateDataKeyWithoutPlaintextResponse, KeyServiceError> {
        let generated = self.generate(request, "GenerateDataKeyWithoutPlaintext")?;
        Ok(GenerateDataKeyWithoutPlaintextResponse {
            key_id: generated.key_id,
            key_material_id: generated.key_material_id,
            ciphertext_blob: generated.ciphertext_blob,
        })
    }
}

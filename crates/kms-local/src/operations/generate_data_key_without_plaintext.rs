//! GenerateDataKeyWithoutPlaintext
//! (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyWithoutPlaintext.html>).

use std::sync::Arc;

use waxseal_key_service::{KeyArn, KeyServiceError};

use super::GenerateDataKeyRequest;
use crate::local_kms::LocalKms;

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

impl LocalKms {
    /// Makes a fresh data key and returns it encrypted only.
    ///
    /// # Errors
    /// As [`LocalKms::generate_data_key`].
    pub fn generate_data_key_without_plaintext(
        &self,
        request: &GenerateDataKeyRequest<'_>,
    ) -> Result<GenerateDataKeyWithoutPlaintextResponse, KeyServiceError> {
        let generated = self.generate_data_key(request)?;
        Ok(GenerateDataKeyWithoutPlaintextResponse {
            key_id: generated.key_id,
            key_material_id: generated.key_material_id,
            ciphertext_blob: generated.ciphertext_blob,
        })
    }
}

//! What a key service does for files.

use async_trait::async_trait;

use crate::{DataKey, EncryptedDataKey, EncryptionContext, KeyArn, KeyId, KeyServiceError, Provider};

/// A fresh data key in both forms.
#[derive(Debug)]
pub struct GeneratedDataKey {
    /// The key itself, for encrypting the content now.
    pub plaintext: DataKey,
    /// The key under the KMS key, for the file's header.
    pub encrypted: EncryptedDataKey,
}

/// A key management service, as far as envelope encryption of files needs one.
///
/// Every implementation enforces what AWS KMS enforces: the context is bound to the encrypted data key, an encrypted data
/// key opens only under the KMS key it names, and a key that is disabled or pending deletion does nothing.
#[async_trait]
pub trait KeyService: Send + Sync {
    /// The provider whose encrypted data keys this service makes and opens.
    fn provider(&self) -> Provider;

    /// Finds the ARN of the key that an id or alias stands for
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>).
    ///
    /// # Errors
    /// The key is unknown; the caller may not; the service is unavailable.
    async fn resolve_key(&self, key: &KeyId) -> Result<KeyArn, KeyServiceError>;

    /// Makes a fresh 256-bit data key under `key`
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html>).
    ///
    /// # Errors
    /// The key is unknown, disabled, pending deletion or of another usage; the caller may not; the service is unavailable.
    async fn generate_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<GeneratedDataKey, KeyServiceError>;

    /// Makes a fresh 256-bit data key of which the caller sees the encrypted form only
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyWithoutPlaintext.html>).
    ///
    /// # Errors
    /// As [`KeyService::generate_data_key`].
    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError>;

    /// Encrypts an existing data key under `key`, so that a further KMS key opens the same file
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>).
    ///
    /// # Errors
    /// As [`KeyService::generate_data_key`].
    async fn encrypt_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, KeyServiceError>;

    /// Decrypts a data key, under exactly the KMS key that it names
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>).
    ///
    /// # Errors
    /// The blob is damaged or was made under another context (`InvalidCiphertextException`) or another key
    /// (`IncorrectKeyException`); the key is unknown, disabled or pending deletion; the caller may not; the service is
    /// unavailable; the decrypted value is not 32 bytes long.
    async fn decrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<DataKey, KeyServiceError>;
}

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

    /// Has a data key encrypted under another key of the same service and region, without showing it to anybody here
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html>). The context stays.
    ///
    /// The key that it is encrypted under is always named, and `to` may be the same key: its newest version encrypts then. A
    /// multi-Region key is asked for in the region of `to`.
    ///
    /// # Errors
    /// As [`KeyService::decrypt_data_key`] for the one key and as [`KeyService::generate_data_key`] for the other; they are of
    /// two regions.
    async fn re_encrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        to: &KeyArn,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError>;

    /// Whether a data key is encrypted under an older version of its KMS key than the one that encrypts now
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>). The data key is not shown.
    ///
    /// # Errors
    /// As [`KeyService::re_encrypt_data_key`]; the service does not tell versions apart (`UnsupportedOperationException`).
    async fn is_stale(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<bool, KeyServiceError>;
}

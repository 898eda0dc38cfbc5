//! What stands in front of a key service.

use async_trait::async_trait;

use crate::{
    DataKey, EncryptedDataKey, EncryptionContext, GeneratedDataKey, KeyArn, KeyId, KeyService, KeyServiceError,
    Provider,
};

/// The requests that a [`KeyService`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// [`KeyService::resolve_key`].
    ResolveKey,
    /// [`KeyService::generate_data_key`].
    GenerateDataKey,
    /// [`KeyService::generate_data_key_without_plaintext`].
    GenerateDataKeyWithoutPlaintext,
    /// [`KeyService::encrypt_data_key`].
    EncryptDataKey,
    /// [`KeyService::decrypt_data_key`].
    DecryptDataKey,
    /// [`KeyService::re_encrypt_data_key`].
    ReEncryptDataKey,
    /// [`KeyService::is_stale`].
    IsStale,
}

/// What stands in front of a key service, and has a say before a request goes on to it as it is: a store that is opened by
/// the first of them, for instance. It is a [`KeyService`] itself.
#[async_trait]
pub trait Front: Send + Sync {
    /// As [`KeyService::provider`].
    fn provider(&self) -> Provider;

    /// The service behind, for one request.
    ///
    /// # Errors
    /// The request goes no further; this is its answer.
    async fn behind(&self, request: Request) -> Result<&dyn KeyService, KeyServiceError>;
}

#[async_trait]
impl<F: Front> KeyService for F {
    fn provider(&self) -> Provider {
        Front::provider(self)
    }

    async fn resolve_key(&self, key: &KeyId) -> Result<KeyArn, KeyServiceError> {
        self.behind(Request::ResolveKey).await?.resolve_key(key).await
    }

    async fn generate_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<GeneratedDataKey, KeyServiceError> {
        self.behind(Request::GenerateDataKey).await?.generate_data_key(key, context).await
    }

    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        let behind = self.behind(Request::GenerateDataKeyWithoutPlaintext).await?;
        behind.generate_data_key_without_plaintext(key, context).await
    }

    async fn encrypt_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        self.behind(Request::EncryptDataKey).await?.encrypt_data_key(key, context, data_key).await
    }

    async fn decrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<DataKey, KeyServiceError> {
        self.behind(Request::DecryptDataKey).await?.decrypt_data_key(encrypted, context).await
    }

    async fn re_encrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        to: &KeyArn,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        self.behind(Request::ReEncryptDataKey).await?.re_encrypt_data_key(encrypted, to, context).await
    }

    async fn is_stale(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<bool, KeyServiceError> {
        self.behind(Request::IsStale).await?.is_stale(encrypted, context).await
    }
}

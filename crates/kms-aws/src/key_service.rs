//! AWS KMS as a [`KeyService`].

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, ErrorCode, GeneratedDataKey, KeyArn, KeyId, KeyService,
    KeyServiceError, Provider,
};

use crate::answer;
use crate::connection::AwsKms;

/// An ARN names its own region; a bare key id or alias is one of the caller's region.
#[async_trait]
impl KeyService for AwsKms {
    fn provider(&self) -> Provider {
        Provider::Aws
    }

    /// A key ARN stands for itself, without a request; whether it exists is seen when it is used.
    async fn resolve_key(&self, key: &KeyId) -> Result<KeyArn, KeyServiceError> {
        if let KeyId::Arn(arn) = key {
            return Ok(arn.clone());
        }
        let tokens = self.grant_tokens();
        self.ask(
            "DescribeKey",
            key,
            |client, id| client.describe_key().key_id(id).set_grant_tokens(tokens).send(),
            |answer| answer::key_arn(key, answer.key_metadata().and_then(|key| key.arn())),
        )
        .await
    }

    async fn generate_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<GeneratedDataKey, KeyServiceError> {
        let (context, tokens) = (pairs(context), self.grant_tokens());
        self.ask(
            "GenerateDataKey",
            key,
            |client, id| {
                let request = client.generate_data_key().key_id(id).key_spec(DataKeySpec::Aes256);
                request.set_encryption_context(context).set_grant_tokens(tokens).send()
            },
            |answer| {
                // Taken first, so that it is wiped whatever else is wrong.
                let plaintext = answer::data_key(answer.plaintext)?;
                let encrypted = answer::encrypted_data_key(key, answer.key_id.as_deref(), answer.ciphertext_blob)?;
                Ok(GeneratedDataKey { plaintext, encrypted })
            },
        )
        .await
    }

    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        let (context, tokens) = (pairs(context), self.grant_tokens());
        self.ask(
            "GenerateDataKeyWithoutPlaintext",
            key,
            |client, id| {
                let request = client.generate_data_key_without_plaintext().key_id(id).key_spec(DataKeySpec::Aes256);
                request.set_encryption_context(context).set_grant_tokens(tokens).send()
            },
            |answer| answer::encrypted_data_key(key, answer.key_id.as_deref(), answer.ciphertext_blob),
        )
        .await
    }

    async fn encrypt_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        let (context, tokens) = (pairs(context), self.grant_tokens());
        let plaintext = Blob::new(data_key.expose().as_slice());
        self.ask(
            "Encrypt",
            key,
            |client, id| {
                let request = client.encrypt().key_id(id).plaintext(plaintext);
                request.set_encryption_context(context).set_grant_tokens(tokens).send()
            },
            |answer| answer::encrypted_data_key(key, answer.key_id.as_deref(), answer.ciphertext_blob),
        )
        .await
    }

    /// A multi-Region key is tried in the caller's region first. Whatever is refused there is asked for where the ARN says.
    async fn decrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<DataKey, KeyServiceError> {
        if encrypted.provider != Provider::Aws {
            return Err(KeyServiceError::bare(ErrorCode::IncorrectKey));
        }
        if let Some(nearer) = self.nearer(&encrypted.key_arn)
            && let Ok(data_key) = self.decrypt_under(nearer, encrypted, context).await
        {
            return Ok(data_key);
        }
        self.decrypt_under(encrypted.key_arn.clone(), encrypted, context).await
    }

    /// Both keys are asked for in the region of `to`.
    async fn re_encrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        to: &KeyArn,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        Ok(self.re_encrypt(encrypted, to, context).await?.encrypted)
    }

    /// A ciphertext of AWS KMS says nothing, but the answer to a ReEncrypt under its own key names both versions.
    async fn is_stale(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<bool, KeyServiceError> {
        self.re_encrypt(encrypted, &encrypted.key_arn, context).await?.is_renewed()
    }
}

impl AwsKms {
    async fn decrypt_under(
        &self,
        arn: KeyArn,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<DataKey, KeyServiceError> {
        let key = KeyId::Arn(arn);
        let (context, tokens) = (pairs(context), self.grant_tokens());
        let blob = Blob::new(encrypted.ciphertext_blob.as_slice());
        self.ask(
            "Decrypt",
            &key,
            |client, id| {
                let request = client.decrypt().key_id(id).ciphertext_blob(blob);
                request.set_encryption_context(context).set_grant_tokens(tokens).send()
            },
            |answer| {
                let data_key = answer::data_key(answer.plaintext)?;
                answer::key_arn(&key, answer.key_id.as_deref())?;
                Ok(data_key)
            },
        )
        .await
    }
}

/// The context as the SDK takes it.
pub(crate) fn pairs(context: &EncryptionContext) -> Option<HashMap<String, String>> {
    (!context.is_empty()).then(|| context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

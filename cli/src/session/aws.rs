//! AWS KMS of a command: set up by the first call to it, so that commands that need none read no configuration of AWS.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, GeneratedDataKey, KeyArn, KeyId, KeyService, KeyServiceError,
    Provider,
};
use waxseal_kms_aws::{AwsKms, AwsKmsOptions};

use crate::args::AwsOptions;
use crate::error::CliError;

/// Most grant tokens that a request takes (`GrantTokenList` in the service model).
const MAX_GRANT_TOKENS: usize = 10;

/// The options as they were typed, checked.
pub(super) fn options(typed: &AwsOptions) -> Result<AwsKmsOptions, CliError> {
    if typed.grant_tokens.len() > MAX_GRANT_TOKENS {
        return Err(CliError::usage(format!("more than {MAX_GRANT_TOKENS} grant tokens"))
            .hint("a grant that is older than five minutes needs no token"));
    }
    Ok(AwsKmsOptions {
        endpoint_url: typed.endpoint_url.clone(),
        grant_tokens: typed.grant_tokens.clone(),
        requests_per_second: typed.kms_rate,
        concurrency: super::concurrency(typed).try_into().unwrap_or(AwsKmsOptions::CONCURRENCY),
        ..AwsKmsOptions::default()
    })
}

/// AWS KMS, set up by the first call.
#[derive(Debug)]
pub(super) struct LazyAws {
    options: AwsKmsOptions,
    connected: OnceCell<AwsKms>,
    /// What aliases stood for when they were first asked for: a command works with the same keys to its end.
    resolved: Mutex<HashMap<String, KeyArn>>,
}

impl LazyAws {
    /// Nothing is read yet.
    pub(super) fn new(options: AwsKmsOptions) -> Self {
        Self { options, connected: OnceCell::new(), resolved: Mutex::default() }
    }

    pub(super) async fn kms(&self) -> &AwsKms {
        self.connected.get_or_init(|| AwsKms::connect(self.options.clone())).await
    }
}

#[async_trait]
impl KeyService for LazyAws {
    fn provider(&self) -> Provider {
        Provider::Aws
    }

    async fn resolve_key(&self, key: &KeyId) -> Result<KeyArn, KeyServiceError> {
        let name = key.to_string();
        let known = || self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(&name).cloned();
        if let Some(arn) = found {
            return Ok(arn);
        }
        let arn = self.kms().await.resolve_key(key).await?;
        known().insert(name, arn.clone());
        Ok(arn)
    }

    async fn generate_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<GeneratedDataKey, KeyServiceError> {
        self.kms().await.generate_data_key(key, context).await
    }

    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        self.kms().await.generate_data_key_without_plaintext(key, context).await
    }

    async fn encrypt_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        self.kms().await.encrypt_data_key(key, context, data_key).await
    }

    async fn decrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<DataKey, KeyServiceError> {
        self.kms().await.decrypt_data_key(encrypted, context).await
    }

    async fn re_encrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        to: &KeyArn,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        self.kms().await.re_encrypt_data_key(encrypted, to, context).await
    }

    async fn is_stale(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<bool, KeyServiceError> {
        self.kms().await.is_stale(encrypted, context).await
    }
}

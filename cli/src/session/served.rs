//! The embedded KMS where somebody serves it: at a Unix socket, or at a URL by the protocol of AWS KMS.

use std::sync::Arc;

use waxseal_key_service::KeyService;
use waxseal_kms_server::ServedKms;

use crate::args::AwsOptions;
use crate::error::CliError;
use crate::kms_place::KmsPlace;

/// The key service at a place. Nothing is sent yet.
pub(super) fn service(place: KmsPlace, options: &AwsOptions) -> Result<Arc<dyn KeyService>, CliError> {
    match place {
        KmsPlace::Unix(path) => Ok(Arc::new(ServedKms::at(path))),
        KmsPlace::Url(url) => at_url(url, options),
    }
}

#[cfg(feature = "aws")]
fn at_url(url: String, options: &AwsOptions) -> Result<Arc<dyn KeyService>, CliError> {
    Ok(Arc::new(at_url::ServedAtUrl::new(url, options)?))
}

#[cfg(not(feature = "aws"))]
fn at_url(_url: String, _options: &AwsOptions) -> Result<Arc<dyn KeyService>, CliError> {
    Err(CliError::usage("this waxseal was built without AWS KMS, and with it without its protocol")
        .hint("use a key store that is served at unix:PATH, or a waxseal with the feature aws"))
}

#[cfg(feature = "aws")]
mod at_url {
    use async_trait::async_trait;
    use waxseal_key_service::{
        DataKey, EncryptedDataKey, EncryptionContext, ErrorCode, GeneratedDataKey, KeyArn, KeyId, KeyService,
        KeyServiceError, LOCAL_ACCOUNT, Provider,
    };
    use waxseal_kms_aws::AwsKmsOptions;

    use super::super::aws::{LazyAws, options};
    use crate::args::AwsOptions;
    use crate::error::CliError;
    use crate::kms_place::KmsPlace;
    use crate::library_errors;

    /// A served KMS, with requests signed by the credentials that every AWS tool takes. Its keys are those of the embedded
    /// KMS, wherever that is: files made here are opened by whoever has the store.
    #[derive(Debug)]
    pub(super) struct ServedAtUrl(LazyAws);

    impl ServedAtUrl {
        pub(super) fn new(url: String, typed: &AwsOptions) -> Result<Self, CliError> {
            Ok(Self(LazyAws::new(AwsKmsOptions { endpoint_url: Some(url), ..options(typed)? })))
        }

        /// The key with its region, if neither it nor the environment has one.
        async fn named(&self, key: &KeyId) -> KeyId {
            let (region, account) = (KmsPlace::REGION.to_owned(), LOCAL_ACCOUNT.to_owned());
            match key {
                _ if self.0.kms().await.region().is_some() => key.clone(),
                KeyId::Alias(name) => KeyId::AliasArn { region, account, name: name.clone() },
                KeyId::Id(id) => KeyArn::new(&region, &account, id).map_or_else(|_| key.clone(), KeyId::Arn),
                KeyId::Arn(_) | KeyId::AliasArn { .. } => key.clone(),
            }
        }
    }

    /// An error of the served KMS. Its code stays; what it says to people is not what they are told of AWS.
    fn explained(error: KeyServiceError) -> KeyServiceError {
        let own = library_errors::served(&error);
        let explained = match error.message() {
            Some(text) => KeyServiceError::new(error.code(), text),
            None => KeyServiceError::bare(error.code()),
        };
        explained.with_source(own)
    }

    /// An answer's key, if it is one of an embedded KMS: a file with any other would be taken to AWS to be opened.
    fn own(arn: KeyArn) -> Result<KeyArn, KeyServiceError> {
        if arn.provider() == Provider::Local {
            return Ok(arn);
        }
        let text = format!("The answer is for {arn}, which is no key of an embedded KMS.");
        Err(KeyServiceError::new(ErrorCode::InvalidAnswer, text))
    }

    fn own_encrypted(encrypted: EncryptedDataKey) -> Result<EncryptedDataKey, KeyServiceError> {
        Ok(EncryptedDataKey { provider: Provider::Local, key_arn: own(encrypted.key_arn)?, ..encrypted })
    }

    /// An encrypted data key as who speaks the protocol of AWS KMS takes it.
    fn as_there(encrypted: &EncryptedDataKey) -> Result<EncryptedDataKey, KeyServiceError> {
        if encrypted.provider != Provider::Local {
            return Err(KeyServiceError::bare(ErrorCode::IncorrectKey));
        }
        Ok(EncryptedDataKey { provider: Provider::Aws, ..encrypted.clone() })
    }

    #[async_trait]
    impl KeyService for ServedAtUrl {
        fn provider(&self) -> Provider {
            Provider::Local
        }

        async fn resolve_key(&self, key: &KeyId) -> Result<KeyArn, KeyServiceError> {
            self.0.resolve_key(&self.named(key).await).await.map_err(explained).and_then(own)
        }

        async fn generate_data_key(
            &self,
            key: &KeyId,
            context: &EncryptionContext,
        ) -> Result<GeneratedDataKey, KeyServiceError> {
            let made = self.0.generate_data_key(&self.named(key).await, context).await.map_err(explained)?;
            Ok(GeneratedDataKey { encrypted: own_encrypted(made.encrypted)?, plaintext: made.plaintext })
        }

        async fn generate_data_key_without_plaintext(
            &self,
            key: &KeyId,
            context: &EncryptionContext,
        ) -> Result<EncryptedDataKey, KeyServiceError> {
            let key = self.named(key).await;
            let made = self.0.generate_data_key_without_plaintext(&key, context).await;
            made.map_err(explained).and_then(own_encrypted)
        }

        async fn encrypt_data_key(
            &self,
            key: &KeyId,
            context: &EncryptionContext,
            data_key: &DataKey,
        ) -> Result<EncryptedDataKey, KeyServiceError> {
            let key = self.named(key).await;
            let made = self.0.encrypt_data_key(&key, context, data_key).await;
            made.map_err(explained).and_then(own_encrypted)
        }

        async fn decrypt_data_key(
            &self,
            encrypted: &EncryptedDataKey,
            context: &EncryptionContext,
        ) -> Result<DataKey, KeyServiceError> {
            self.0.decrypt_data_key(&as_there(encrypted)?, context).await.map_err(explained)
        }

        async fn re_encrypt_data_key(
            &self,
            encrypted: &EncryptedDataKey,
            to: &KeyArn,
            context: &EncryptionContext,
        ) -> Result<EncryptedDataKey, KeyServiceError> {
            let made = self.0.re_encrypt_data_key(&as_there(encrypted)?, to, context).await;
            made.map_err(explained).and_then(own_encrypted)
        }

        async fn is_stale(
            &self,
            encrypted: &EncryptedDataKey,
            context: &EncryptionContext,
        ) -> Result<bool, KeyServiceError> {
            self.0.is_stale(&as_there(encrypted)?, context).await.map_err(explained)
        }
    }
}

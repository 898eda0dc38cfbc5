//! The embedded KMS as a [`KeyService`]: 32-byte data keys that go from and to locked memory.

use async_trait::async_trait;
use waxseal_key_service::{
    DATA_KEY_LEN, DataKey, EncryptedDataKey, EncryptionContext, ErrorCode, GeneratedDataKey, KeyArn, KeyId, KeyService,
    KeyServiceError, Provider,
};

use crate::error::StoreError;
use crate::local_kms::LocalKms;
use crate::operations::{DecryptRequest, Encrypting};
use crate::refusals;
use crate::region::Region;

/// An ARN names its own region; a bare key id or alias is one of the home region.
#[async_trait]
impl KeyService for LocalKms {
    fn provider(&self) -> Provider {
        Provider::Local
    }

    async fn resolve_key(&self, key: &KeyId) -> Result<KeyArn, KeyServiceError> {
        Ok(self.key(&self.region_of(key)?, key)?.metadata.arn.clone())
    }

    async fn generate_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<GeneratedDataKey, KeyServiceError> {
        let with = self.encrypting(&self.region_of(key)?, key, context, "GenerateDataKey")?;
        let plaintext = DataKey::try_fill(|out| getrandom::fill(out)).map_err(StoreError::random)?;
        let encrypted = encrypt(&with, context, &plaintext)?;
        Ok(GeneratedDataKey { plaintext, encrypted })
    }

    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        let generated = KeyService::generate_data_key(self, key, context).await?;
        Ok(generated.encrypted)
    }

    async fn encrypt_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        let with = self.encrypting(&self.region_of(key)?, key, context, "Encrypt")?;
        encrypt(&with, context, data_key)
    }

    async fn decrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<DataKey, KeyServiceError> {
        if encrypted.provider != Provider::Local {
            return Err(refusals::incorrect_key());
        }
        let key = KeyId::Arn(encrypted.key_arn.clone());
        let region = self.region_of(&key)?;
        let request = DecryptRequest {
            region: &region,
            ciphertext_blob: &encrypted.ciphertext_blob,
            encryption_context: context,
            key_id: Some(&key),
        };
        let with = self.decrypting(&request, "Decrypt")?;
        if with.key.metadata.arn != encrypted.key_arn {
            return Err(refusals::incorrect_key());
        }
        if with.plaintext_len() != DATA_KEY_LEN {
            let text = format!("The decrypted data key has {} bytes, not {DATA_KEY_LEN}.", with.plaintext_len());
            return Err(KeyServiceError::new(ErrorCode::InvalidCiphertext, text));
        }
        DataKey::try_fill(|out| with.decrypt_into(out))
    }
}

impl LocalKms {
    /// The region that a key is to be looked for in.
    fn region_of(&self, key: &KeyId) -> Result<Region, KeyServiceError> {
        let named = match key {
            KeyId::Id(_) | KeyId::Alias(_) => return Ok(self.home_region().clone()),
            KeyId::Arn(arn) => arn.region(),
            KeyId::AliasArn { region, .. } => region,
        };
        if named == self.home_region().as_str() {
            return Ok(self.home_region().clone());
        }
        named.parse().map_err(|_| refusals::invalid_arn(named))
    }
}

fn encrypt(
    with: &Encrypting,
    context: &EncryptionContext,
    data_key: &DataKey,
) -> Result<EncryptedDataKey, KeyServiceError> {
    Ok(EncryptedDataKey {
        provider: Provider::Local,
        key_arn: with.key.metadata.arn.clone(),
        ciphertext_blob: with.encrypt(context, data_key.expose())?,
    })
}

//! The embedded KMS as a [`KeyService`]: 32-byte data keys that go from and to locked memory.

use async_trait::async_trait;
use waxseal_key_service::{
    DATA_KEY_LEN, DataKey, EncryptedDataKey, EncryptionContext, ErrorCode, GeneratedDataKey, KeyArn, KeyId, KeyService,
    KeyServiceError, Provider,
};

use crate::ciphertext::Blob;
use crate::error::StoreError;
use crate::local_kms::LocalKms;
use crate::names::Name;
use crate::operations::{DecryptRequest, Encrypting, ReEncryptRequest};
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
        let (key, region) = self.own(encrypted)?;
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
        check_length(with.plaintext_len())?;
        DataKey::try_fill(|out| with.decrypt_into(out))
    }

    async fn re_encrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        to: &KeyArn,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        let (key, region) = self.own(encrypted)?;
        let done = self.re_encrypt(&ReEncryptRequest {
            region: &region,
            ciphertext_blob: &encrypted.ciphertext_blob,
            source_encryption_context: context,
            source_key_id: Some(&key),
            destination_key_id: &KeyId::Arn(to.clone()),
            destination_encryption_context: context,
        })?;
        if done.source_key_id != encrypted.key_arn || done.key_id != *to {
            return Err(refusals::incorrect_key());
        }
        check_length(Blob::parse(&done.ciphertext_blob)?.plaintext_len())?;
        Ok(EncryptedDataKey { provider: Provider::Local, key_arn: done.key_id, ciphertext_blob: done.ciphertext_blob })
    }

    /// The ciphertext says which version made it: nothing is decrypted.
    async fn is_stale(
        &self,
        encrypted: &EncryptedDataKey,
        _context: &EncryptionContext,
    ) -> Result<bool, KeyServiceError> {
        let (_, region) = self.own(encrypted)?;
        let blob = Blob::parse(&encrypted.ciphertext_blob)?;
        if blob.key.text() != encrypted.key_arn.key_id() {
            return Err(refusals::incorrect_key());
        }
        let name = Name::Id(encrypted.key_arn.key_id());
        let current = self.find_current(&region, name, "ReEncrypt")?;
        Ok(blob.version < current.key.current_version)
    }
}

impl LocalKms {
    /// The key that an encrypted data key of this service names, and the region to look for it in.
    fn own(&self, encrypted: &EncryptedDataKey) -> Result<(KeyId, Region), KeyServiceError> {
        if encrypted.provider != Provider::Local {
            return Err(refusals::incorrect_key());
        }
        let key = KeyId::Arn(encrypted.key_arn.clone());
        let region = self.region_of(&key)?;
        Ok((key, region))
    }

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

/// Refuses what no data key is: the service encrypts anything of 1 to 4096 bytes.
fn check_length(len: usize) -> Result<(), KeyServiceError> {
    if len == DATA_KEY_LEN {
        return Ok(());
    }
    let text = format!("The decrypted data key has {len} bytes, not {DATA_KEY_LEN}.");
    Err(KeyServiceError::new(ErrorCode::InvalidCiphertext, text))
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

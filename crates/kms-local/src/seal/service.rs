//! A seal by a key of another key service: the store opens for whoever may call Decrypt there.

use std::error::Error;
use std::fmt;
use std::path::Path;

use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, GeneratedDataKey, KeyArn, Provider, SecretBytes,
};

use super::root_key::StoreId;
use crate::encoding::Reader;
use crate::error::StoreError;

/// The name of the pair in the encryption context that binds the seal's data key to its store.
const STORE: &str = "waxseal:store-id";
/// Longest key ARN and longest ciphertext blob in the service model, in bytes.
const MAX_ARN: usize = 2048;
const MAX_BLOB: usize = 6144;

/// What a key service has said, or why it could not be asked.
type Answered<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Whoever has a data key generated under the key that is to seal a store.
#[derive(Clone, Copy)]
pub struct SealingKey<'a>(pub &'a dyn Fn(&EncryptionContext) -> Answered<GeneratedDataKey>);

impl fmt::Debug for SealingKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

/// Whoever has the data key of a seal decrypted; asked only when one is needed, and then once.
pub type DataKeySource<'a> = &'a mut dyn FnMut(&EncryptedDataKey, &EncryptionContext) -> Answered<DataKey>;

/// The encrypted data key of a seal, as the store keeps it. The key is one of AWS KMS, or of what speaks its protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServiceLock {
    key_arn: KeyArn,
    blob: Vec<u8>,
}

impl ServiceLock {
    /// Has a data key generated for a store.
    pub(crate) fn new(
        database: &Path,
        key: SealingKey<'_>,
        store: &StoreId,
    ) -> Result<(Self, SecretBytes), StoreError> {
        let refused = |source| StoreError::KeyService { path: database.to_owned(), source };
        let GeneratedDataKey { plaintext, encrypted } = (key.0)(&context(store)).map_err(refused)?;
        if encrypted.provider != Provider::Aws {
            return Err(refused("only a key of AWS KMS can seal a key store".into()));
        }
        let lock = Self { key_arn: encrypted.key_arn, blob: encrypted.ciphertext_blob };
        Ok((lock, secret(&plaintext)))
    }

    /// Has the data key decrypted.
    pub(crate) fn open(
        &self,
        database: &Path,
        store: &StoreId,
        source: DataKeySource<'_>,
    ) -> Result<SecretBytes, StoreError> {
        let encrypted = EncryptedDataKey {
            provider: Provider::Aws,
            key_arn: self.key_arn.clone(),
            ciphertext_blob: self.blob.clone(),
        };
        let opened = source(&encrypted, &context(store));
        opened.map(|key| secret(&key)).map_err(|source| StoreError::KeyService { path: database.to_owned(), source })
    }

    /// The key that seals.
    pub(crate) fn key_arn(&self) -> &KeyArn {
        &self.key_arn
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        for field in [self.key_arn.as_str().as_bytes(), &self.blob] {
            let len = u32::try_from(field.len()).expect("a key service bounds both to a few thousand bytes");
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(field);
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let key_arn = reader.text(MAX_ARN)?.parse().ok()?;
        let blob = reader.bytes(MAX_BLOB)?;
        (!blob.is_empty()).then(|| Self { key_arn, blob: blob.to_vec() })
    }
}

/// The context of a store's data key, so that it opens no other store's seal.
fn context(store: &StoreId) -> EncryptionContext {
    let id: String = store.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut context = EncryptionContext::new();
    context.insert(STORE, id).expect("the name is not empty, and there is no other pair");
    context
}

fn secret(key: &DataKey) -> SecretBytes {
    let copied = SecretBytes::try_fill(|out| {
        out.copy_from_slice(key.expose());
        Ok::<(), std::convert::Infallible>(())
    });
    match copied {
        Ok(secret) => secret,
        Err(never) => match never {},
    }
}

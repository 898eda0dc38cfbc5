//! Sealing: the root key wraps all key material, and is itself sealed by a key file, a passphrase or a key of another key
//! service (SEMANTICS.md, "Sealing").

pub(crate) mod key_file;
pub(crate) mod passphrase;
pub(crate) mod root_key;
pub(crate) mod service;

use std::path::Path;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use waxseal_key_service::{KeyArn, SecretBytes};

use crate::aead;
use crate::encoding::{Fields, Reader};
use crate::error::StoreError;
pub use passphrase::{Passphrase, PassphraseCost, PassphraseSource};
use passphrase::{PassphraseKey, PassphraseLock};
use root_key::{RootKey, StoreId};
use service::ServiceLock;
pub use service::{DataKeySource, SealingKey};

/// What a new store is to be sealed with.
#[derive(Clone, Copy, Debug)]
pub enum NewSeal<'a> {
    /// A random key in a file beside the database. It protects a database that is copied alone, nothing else.
    KeyFile,
    /// A key derived from a passphrase, which every opening asks for.
    Passphrase {
        /// The passphrase.
        passphrase: &'a Passphrase,
        /// What one derivation costs.
        cost: PassphraseCost,
    },
    /// A data key under a key of another key service, which every opening has decrypted there.
    KeyService(SealingKey<'a>),
}

/// Whoever can give what unseals a store; asked only for what its seal needs, and then once.
pub struct Secrets<'a> {
    /// Gives the passphrase.
    pub passphrase: PassphraseSource<'a>,
    /// Has the data key decrypted.
    pub data_key: DataKeySource<'a>,
}

impl std::fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// How a store is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealKind {
    /// By a key file beside the database.
    KeyFile,
    /// By a passphrase.
    Passphrase,
    /// By a key of another key service.
    KeyService,
}

impl SealKind {
    /// The name in commands and output: `keyfile`, `passphrase` or `kms`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyFile => "keyfile",
            Self::Passphrase => "passphrase",
            Self::KeyService => "kms",
        }
    }
}

const VERSION: u8 = 1;
const KEY_FILE: u8 = 1;
const PASSPHRASE: u8 = 2;
const KEY_SERVICE: u8 = 3;
const SEALED_ROOT_LEN: usize = aead::OVERHEAD + aead::KEY_LEN;
const CHECKSUM_LEN: usize = 32;

/// What seals the root key: the public half of it, which the store keeps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// The key file with this id.
    KeyFile([u8; key_file::ID_LEN]),
    Passphrase(PassphraseLock),
    KeyService(ServiceLock),
}

/// The sealed root key of a store together with what is needed to unseal it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    lock: Lock,
    root: [u8; SEALED_ROOT_LEN],
}

impl Sealed {
    /// Seals the root key under the key that `lock` stands for.
    pub(crate) fn new(lock: Lock, key: &SecretBytes, store: &StoreId, root: &RootKey) -> Result<Self, StoreError> {
        let mut sealed = Vec::with_capacity(SEALED_ROOT_LEN);
        let associated = associated(store, &lock);
        aead::seal(sealing_key(key, store).expose(), associated.as_bytes(), root.expose(), &mut sealed)
            .map_err(StoreError::random)?;
        let root = sealed.try_into().expect("sealing 32 bytes gives 60");
        Ok(Self { lock, root })
    }

    pub(crate) fn kind(&self) -> SealKind {
        match self.lock {
            Lock::KeyFile(_) => SealKind::KeyFile,
            Lock::Passphrase(_) => SealKind::Passphrase,
            Lock::KeyService(_) => SealKind::KeyService,
        }
    }

    /// The key of another key service that seals, if one does.
    pub(crate) fn key_arn(&self) -> Option<&KeyArn> {
        match &self.lock {
            Lock::KeyService(lock) => Some(lock.key_arn()),
            Lock::KeyFile(_) | Lock::Passphrase(_) => None,
        }
    }

    /// Unseals the root key with the key file in `dir`, or with what `secrets` gives.
    pub(crate) fn unseal(
        &self,
        store: &StoreId,
        dir: &Path,
        database: &Path,
        secrets: Secrets<'_>,
    ) -> Result<RootKey, StoreError> {
        let key = match &self.lock {
            Lock::KeyFile(id) => key_file::read(dir, id)?,
            Lock::Passphrase(lock) => lock.open(database, secrets.passphrase)?,
            Lock::KeyService(lock) => lock.open(database, store, secrets.data_key)?,
        };
        let root = SecretBytes::try_fill(|out| {
            aead::open(sealing_key(&key, store).expose(), associated(store, &self.lock).as_bytes(), &self.root, out)
        });
        root.map(RootKey::new).map_err(|_| StoreError::damaged(database, "its sealed root key does not authenticate"))
    }

    /// Encodes it for the store, with a checksum that tells damage from a wrong passphrase.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = encode_lock(&self.lock);
        bytes.extend_from_slice(&self.root);
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Decodes it; `None` means damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_LEN>()?;
        if Sha256::digest(body)[..] != checksum[..] {
            return None;
        }
        let mut reader = Reader::new(body);
        let lock = decode_lock(&mut reader)?;
        let root = reader.array()?;
        reader.finish()?;
        Some(Self { lock, root })
    }
}

fn encode_lock(lock: &Lock) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    match lock {
        Lock::KeyFile(id) => {
            bytes.push(KEY_FILE);
            bytes.extend_from_slice(id);
        }
        Lock::Passphrase(lock) => {
            bytes.push(PASSPHRASE);
            lock.encode(&mut bytes);
        }
        Lock::KeyService(lock) => {
            bytes.push(KEY_SERVICE);
            lock.encode(&mut bytes);
        }
    }
    bytes
}

fn decode_lock(reader: &mut Reader<'_>) -> Option<Lock> {
    if reader.u8()? != VERSION {
        return None;
    }
    match reader.u8()? {
        KEY_FILE => reader.array().map(Lock::KeyFile),
        PASSPHRASE => PassphraseLock::decode(reader).map(Lock::Passphrase),
        KEY_SERVICE => ServiceLock::decode(reader).map(Lock::KeyService),
        _ => None,
    }
}

fn associated(store: &StoreId, lock: &Lock) -> Fields {
    Fields::new("waxseal kms 1: root key").with(store.as_bytes()).with(&encode_lock(lock))
}

/// Derives the key that seals this store's root key, so that one key file may serve two stores.
fn sealing_key(key: &SecretBytes, store: &StoreId) -> SecretBytes {
    derive(store.as_bytes(), key.expose(), b"waxseal kms 1: sealing key")
}

/// HKDF-SHA256 to a 32-byte key.
pub(crate) fn derive(salt: &[u8], secret: &[u8], purpose: &[u8]) -> SecretBytes {
    let derived = SecretBytes::try_fill(|out| Hkdf::<Sha256>::new(Some(salt), secret).expand(purpose, out));
    derived.expect("HKDF-SHA256 gives up to 8160 bytes")
}

/// The lock of a new seal and its key, where both come from outside the store's directory; `None` for the key file.
pub(crate) fn outer_lock(
    database: &Path,
    seal: &NewSeal<'_>,
    store: &StoreId,
) -> Result<Option<(Lock, SecretBytes)>, StoreError> {
    Ok(match seal {
        NewSeal::KeyFile => None,
        NewSeal::Passphrase { passphrase, cost } => {
            let PassphraseKey { lock, key } = PassphraseKey::new(database, passphrase, *cost)?;
            Some((Lock::Passphrase(lock), key))
        }
        NewSeal::KeyService(key) => {
            let (lock, key) = ServiceLock::new(database, *key, store)?;
            Some((Lock::KeyService(lock), key))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Sealed {
        let store = StoreId::random().unwrap();
        let key = SecretBytes::take(&mut [7; 32]);
        Sealed::new(Lock::KeyFile([3; 16]), &key, &store, &RootKey::random().unwrap()).unwrap()
    }

    #[test]
    fn a_seal_is_read_as_it_was_written() {
        let sealed = sealed();
        assert_eq!(Sealed::decode(&sealed.encode()), Some(sealed));
    }

    #[test]
    fn every_bit_flip_and_every_cut_of_a_seal_is_damage() {
        let bytes = sealed().encode();
        for index in 0..bytes.len() {
            assert_eq!(Sealed::decode(&bytes[..index]), None);
            let mut flipped = bytes.clone();
            flipped[index] ^= 1;
            assert_eq!(Sealed::decode(&flipped), None);
        }
    }
}

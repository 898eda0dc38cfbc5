//! Sealing: the root key wraps all key material, and is itself sealed by a key file or a passphrase (SEMANTICS.md,
//! "Sealing").

pub(crate) mod key_file;
pub(crate) mod passphrase;
pub(crate) mod root_key;

use std::path::Path;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use waxseal_key_service::SecretBytes;

use crate::aead;
use crate::encoding::{Fields, Reader};
use crate::error::StoreError;
pub use passphrase::{Passphrase, PassphraseCost, PassphraseSource};
use passphrase::{PassphraseKey, PassphraseLock};
use root_key::{RootKey, StoreId};

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
}

/// How a store is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealKind {
    /// By a key file beside the database.
    KeyFile,
    /// By a passphrase.
    Passphrase,
}

impl SealKind {
    /// The name in commands and output: `keyfile` or `passphrase`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyFile => "keyfile",
            Self::Passphrase => "passphrase",
        }
    }
}

const VERSION: u8 = 1;
const KEY_FILE: u8 = 1;
const PASSPHRASE: u8 = 2;
const SEALED_ROOT_LEN: usize = aead::OVERHEAD + aead::KEY_LEN;
const CHECKSUM_LEN: usize = 32;

/// What seals the root key: the public half of it, which the store keeps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// The key file with this id.
    KeyFile([u8; key_file::ID_LEN]),
    Passphrase(PassphraseLock),
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
        }
    }

    /// Unseals the root key with the key file in `dir`, or with the passphrase that `source` gives.
    pub(crate) fn unseal(
        &self,
        store: &StoreId,
        dir: &Path,
        database: &Path,
        source: PassphraseSource<'_>,
    ) -> Result<RootKey, StoreError> {
        let key = match &self.lock {
            Lock::KeyFile(id) => key_file::read(dir, id)?,
            Lock::Passphrase(lock) => lock.open(database, source)?,
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

/// Derives the passphrase's key with a fresh salt.
pub(crate) fn new_passphrase_lock(
    path: &Path,
    passphrase: &Passphrase,
    cost: PassphraseCost,
) -> Result<(PassphraseLock, SecretBytes), StoreError> {
    let PassphraseKey { lock, key } = PassphraseKey::new(path, passphrase, cost)?;
    Ok((lock, key))
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

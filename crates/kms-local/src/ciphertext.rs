//! The ciphertext blob that Encrypt and GenerateDataKey return (SEMANTICS.md, "Ciphertext blob").

use waxseal_key_service::{EncryptionContext, KeyServiceError};

use crate::aead;
use crate::context;
use crate::encoding::{Fields, Reader};
use crate::error::StoreError;
use crate::key::{Key, KeyUuid, Material};
use crate::refusals;

/// Longest plaintext in bytes (`PlaintextType` in the service model).
pub(crate) const MAX_PLAINTEXT: usize = 4096;

const FORMAT: u8 = 1;
const HEADER_LEN: usize = 1 + 16 + 4;

/// A ciphertext blob, parsed. What it says about its key is a claim until it is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob<'a> {
    pub(crate) key: KeyUuid,
    pub(crate) version: u32,
    sealed: &'a [u8],
}

/// Encrypts `plaintext` under a key's material, bound to the key's ARN, the material's version and the context.
pub(crate) fn encrypt(
    key: &Key,
    material: &Material,
    context: &EncryptionContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, KeyServiceError> {
    let mut blob = Vec::with_capacity(HEADER_LEN + aead::OVERHEAD + plaintext.len());
    blob.push(FORMAT);
    blob.extend_from_slice(key.id().as_bytes());
    blob.extend_from_slice(&material.version.to_be_bytes());
    let associated = associated(key, material.version, context);
    aead::seal(material.secret.expose(), associated.as_bytes(), plaintext, &mut blob).map_err(StoreError::random)?;
    Ok(blob)
}

impl<'a> Blob<'a> {
    /// Parses a blob.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, KeyServiceError> {
        parse(bytes).ok_or_else(refusals::invalid_ciphertext)
    }

    pub(crate) fn plaintext_len(&self) -> usize {
        self.sealed.len() - aead::OVERHEAD
    }

    /// Decrypts into `out`, which has [`Blob::plaintext_len`] bytes.
    pub(crate) fn decrypt(
        &self,
        key: &Key,
        material: &Material,
        context: &EncryptionContext,
        out: &mut [u8],
    ) -> Result<(), KeyServiceError> {
        let associated = associated(key, material.version, context);
        aead::open(material.secret.expose(), associated.as_bytes(), self.sealed, out)
            .map_err(|_| refusals::invalid_ciphertext())
    }
}

fn parse(bytes: &[u8]) -> Option<Blob<'_>> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != FORMAT {
        return None;
    }
    let key = KeyUuid::from_bytes(reader.array()?);
    let version = reader.u32().filter(|version| *version > 0)?;
    let sealed = reader.rest();
    let plaintext_len = sealed.len().checked_sub(aead::OVERHEAD)?;
    (1..=MAX_PLAINTEXT).contains(&plaintext_len).then_some(Blob { key, version, sealed })
}

fn associated(key: &Key, version: u32, context: &EncryptionContext) -> Fields {
    let mut fields = Fields::new("waxseal kms 1: ciphertext")
        .with(key.metadata.arn.as_str().as_bytes())
        .with(&version.to_be_bytes());
    context::bind(context, &mut fields);
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_blobs_of_possible_lengths_parse() {
        let blob = |plaintext_len: usize| {
            let mut bytes = vec![0; HEADER_LEN + aead::OVERHEAD + plaintext_len];
            bytes[0] = FORMAT;
            bytes[20] = 1;
            bytes
        };
        assert_eq!(blob(32).len(), 81);
        for len in [1, 32, MAX_PLAINTEXT] {
            assert_eq!(parse(&blob(len)).unwrap().plaintext_len(), len);
        }
        for len in [0, MAX_PLAINTEXT + 1] {
            assert!(parse(&blob(len)).is_none(), "{len}");
        }
        let mut version_zero = blob(32);
        version_zero[20] = 0;
        assert!(parse(&version_zero).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(blob) = parse(&bytes) {
                prop_assert_eq!(blob.plaintext_len() + 49, bytes.len());
            }
        }
    }
}

//! What the fuzz targets in `fuzz/` need beyond the public API: each decoder by itself, and backups of any content. It is
//! compiled for them alone.

use std::path::Path;

pub use crate::backup::fuzzing::{backup_content, content_of, seal_backup};
use crate::ciphertext::Blob;
use crate::error::StoreError;
use crate::seal::{Sealed, key_file};

/// Parses a ciphertext blob: the version of the key's material that it names, and the length of the plaintext.
#[must_use]
pub fn parse_blob(bytes: &[u8]) -> Option<(u32, usize)> {
    Blob::parse(bytes).ok().map(|blob| (blob.version, blob.plaintext_len()))
}

/// Writes a new key file.
///
/// # Errors
/// It cannot be written.
pub fn create_key_file(path: &Path) -> Result<(), StoreError> {
    key_file::create(path).map(drop)
}

/// Reads a key file: its id, and its key behind it.
///
/// # Errors
/// It is not one, or is damaged.
pub fn load_key_file(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(key_file::load(path)?.map(|file| [&file.id[..], file.key.expose()].concat()))
}

/// Decodes what a store says about its seal, and encodes it again.
#[must_use]
pub fn seal_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Sealed::decode(bytes).map(|sealed| sealed.encode())
}

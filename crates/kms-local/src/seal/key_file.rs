//! The key file: a random key that seals a store's root key (SEMANTICS.md, "Key file").

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use waxseal_key_service::SecretBytes;
use zeroize::Zeroizing;

use super::root_key::random_secret;
use crate::encoding::{Reader, SecretWriter};
use crate::error::StoreError;
use crate::files;

/// The key file's name in the store's directory.
const NAME: &str = "root.key";
pub(crate) const ID_LEN: usize = 16;
const MAGIC: &[u8; 16] = b"waxseal root key";
const VERSION: u8 = 1;
const CHECKSUM_LEN: usize = 32;
const LEN: usize = MAGIC.len() + 1 + ID_LEN + 32 + CHECKSUM_LEN;

/// A key file's content.
pub(crate) struct KeyFile {
    pub(crate) id: [u8; ID_LEN],
    pub(crate) key: SecretBytes,
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// Reads the key file in `dir`, which has to be the one with this id.
pub(crate) fn read(dir: &Path, id: &[u8; ID_LEN]) -> Result<SecretBytes, StoreError> {
    let path = path(dir);
    let file = load(&path)?.ok_or_else(|| StoreError::KeyFileMissing { path: path.clone() })?;
    if file.id != *id {
        return Err(StoreError::KeyFileWrong { path, why: "the key file belongs to another key store" });
    }
    Ok(file.key)
}

/// Reads the key file at `path`; `None` means that there is none.
pub(crate) fn load(path: &Path) -> Result<Option<KeyFile>, StoreError> {
    // Without O_NONBLOCK, opening a pipe in its place would wait for ever.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(path, "open the key file")(error)),
    };
    let meta = file.metadata().map_err(StoreError::io(path, "look at the key file"))?;
    if !meta.is_file() || meta.len() != LEN as u64 {
        return Err(not_a_key_file(path));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(StoreError::KeyFileUnsafe { path: path.to_owned(), mode: meta.mode() & 0o7777 });
    }
    let mut bytes = Zeroizing::new([0; LEN]);
    file.read_exact(bytes.as_mut_slice()).map_err(StoreError::io(path, "read the key file"))?;
    decode(path, &bytes).map(Some)
}

/// Writes a new key file at `path`, durably.
pub(crate) fn create(path: &Path) -> Result<KeyFile, StoreError> {
    let mut id = [0; ID_LEN];
    getrandom::fill(&mut id).map_err(StoreError::random)?;
    let file = KeyFile { id, key: random_secret()? };
    files::write_new(path, &encode(&file))?;
    Ok(file)
}

fn encode(file: &KeyFile) -> Zeroizing<Vec<u8>> {
    let mut writer = SecretWriter::new();
    writer.push(MAGIC);
    writer.push(&[VERSION]);
    writer.push(&file.id);
    writer.push(file.key.expose());
    let mut bytes = writer.into_bytes();
    let checksum = Sha256::digest(&*bytes);
    // The writer's capacity covers this, so no copy of the key stays behind.
    bytes.extend_from_slice(&checksum);
    bytes
}

fn decode(path: &Path, bytes: &[u8; LEN]) -> Result<KeyFile, StoreError> {
    let mut reader = Reader::new(bytes);
    if reader.take(MAGIC.len()) != Some(MAGIC) {
        return Err(not_a_key_file(path));
    }
    let (body, checksum) = bytes.split_at(LEN - CHECKSUM_LEN);
    if Sha256::digest(body)[..] != *checksum {
        return Err(StoreError::KeyFileWrong { path: path.to_owned(), why: "the key file is damaged" });
    }
    if reader.u8() != Some(VERSION) {
        return Err(StoreError::KeyFileWrong { path: path.to_owned(), why: "the key file is of a newer version" });
    }
    let id = reader.array().ok_or_else(|| not_a_key_file(path))?;
    let key = reader.take(32).ok_or_else(|| not_a_key_file(path))?;
    let key = SecretBytes::try_fill(|out| {
        out.copy_from_slice(key);
        Ok::<(), StoreError>(())
    })?;
    Ok(KeyFile { id, key })
}

fn not_a_key_file(path: &Path) -> StoreError {
    StoreError::KeyFileWrong { path: path.to_owned(), why: "this is not a key file of a key store" }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_read_as_it_was_written_and_is_the_owner_s_alone() {
        let dir = tempfile::tempdir().unwrap();
        let made = create(&path(dir.path())).unwrap();
        assert_eq!(read(dir.path(), &made.id).unwrap(), made.key);
        assert_eq!(fs::metadata(path(dir.path())).unwrap().mode() & 0o7777, 0o600);
        assert!(matches!(read(dir.path(), &[0; 16]), Err(StoreError::KeyFileWrong { .. })));
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let made = create(&path(dir.path())).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(path(dir.path()), Permissions::from_mode(mode)).unwrap();
            let refused = read(dir.path(), &made.id);
            assert!(matches!(refused, Err(StoreError::KeyFileUnsafe { mode: found, .. }) if found == mode));
        }
    }

    #[test]
    fn every_bit_flip_and_every_cut_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        create(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let mut variants: Vec<_> = (0..bytes.len()).map(|len| bytes[..len].to_vec()).collect();
        variants.extend((0..bytes.len()).map(|index| {
            let mut flipped = bytes.clone();
            flipped[index] ^= 0x10;
            flipped
        }));
        variants.push([bytes.as_slice(), b"\n"].concat());
        for variant in variants {
            fs::write(&path, &variant).unwrap();
            assert!(matches!(load(&path), Err(StoreError::KeyFileWrong { .. })), "{} bytes", variant.len());
        }
    }

    #[test]
    fn a_pipe_or_directory_in_its_place_is_no_key_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(path(dir.path())).unwrap();
        assert!(matches!(load(&path(dir.path())), Err(StoreError::KeyFileWrong { .. })));
        assert!(matches!(load(&dir.path().join("absent")), Ok(None)));
    }
}

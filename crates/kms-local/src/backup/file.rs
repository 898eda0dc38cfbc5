//! The envelope of a backup file: header, sealed content, checksum.
//!
//! The checksum has no key: it tells damage from a wrong passphrase. What vouches for the content is the AEAD.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use waxseal_key_service::SecretBytes;
use zeroize::Zeroizing;

use super::content::Version;
use crate::aead;
use crate::encoding::{Fields, Reader};
use crate::error::StoreError;
use crate::seal::passphrase::{PassphraseKey, PassphraseLock};
use crate::seal::{Passphrase, PassphraseCost, PassphraseSource, derive};

const MAGIC: &[u8; 16] = b"waxseal backup\r\n";
/// What is written now. Older ones are read.
const VERSION: u8 = 2;
/// Magic, version and the length of the whole file.
const PREAMBLE_LEN: usize = MAGIC.len() + 1 + 8;
const HEADER_LEN: usize = PREAMBLE_LEN + PassphraseLock::ENCODED_LEN;
const CHECKSUM_LEN: usize = 32;
const MIN_LEN: usize = HEADER_LEN + aead::OVERHEAD + CHECKSUM_LEN;
/// Longest backup that is written or read: some 500,000 keys.
const MAX_LEN: usize = 128 * 1024 * 1024;

/// Seals a backup's content by a passphrase, as the bytes of the file at `path`.
pub(super) fn seal(
    path: &Path,
    content: &[u8],
    passphrase: &Passphrase,
    cost: PassphraseCost,
) -> Result<Vec<u8>, StoreError> {
    let len = MIN_LEN + content.len();
    if len > MAX_LEN {
        return Err(StoreError::BackupTooLarge { path: path.to_owned() });
    }
    let PassphraseKey { lock, key } = PassphraseKey::new(path, passphrase, cost)?;
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(&(len as u64).to_be_bytes());
    lock.encode(&mut bytes);
    let associated = associated(&bytes);
    aead::seal(backup_key(&key).expose(), associated.as_bytes(), content, &mut bytes).map_err(StoreError::random)?;
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    Ok(bytes)
}

/// Reads and opens the backup file at `path`: the encoding of its content, and the content. The passphrase is asked for last.
pub(super) fn open(path: &Path, passphrase: PassphraseSource<'_>) -> Result<(Version, Zeroizing<Vec<u8>>), StoreError> {
    let bytes = load(path)?;
    let damaged = |what| StoreError::BackupDamaged { path: path.to_owned(), what };
    let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM_LEN);
    if Sha256::digest(body)[..] != *checksum {
        return Err(damaged("its checksum does not match"));
    }
    let (header, sealed) = body.split_at(HEADER_LEN);
    let lock = PassphraseLock::decode(&mut Reader::new(&header[PREAMBLE_LEN..]))
        .ok_or_else(|| damaged("the costs of its passphrase are out of bounds"))?;
    let key = lock.open(path, passphrase)?;
    let mut content = Zeroizing::new(vec![0; sealed.len() - aead::OVERHEAD]);
    aead::open(backup_key(&key).expose(), associated(header).as_bytes(), sealed, &mut content)
        .map_err(|_| damaged("it does not authenticate: it was tampered with"))?;
    let version = if header[MAGIC.len()] == VERSION { Version::Second } else { Version::First };
    Ok((version, content))
}

/// Reads the whole file, which has the length that its preamble says.
fn load(path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut file = File::open(path).map_err(StoreError::io(path, "open the backup"))?;
    let mut bytes = Vec::new();
    let mut read = |bytes: &mut Vec<u8>, limit: usize| {
        (&mut file).take(limit as u64).read_to_end(bytes).map_err(StoreError::io(path, "read the backup"))
    };
    read(&mut bytes, PREAMBLE_LEN)?;
    let len = check_preamble(path, &bytes)?;
    // One byte more than it should have, to see what follows its end.
    read(&mut bytes, len - PREAMBLE_LEN + 1)?;
    match bytes.len() {
        found if found < len => {
            Err(StoreError::BackupTruncated { path: path.to_owned(), found: found as u64, expected: len as u64 })
        }
        found if found > len => {
            Err(StoreError::BackupDamaged { path: path.to_owned(), what: "there are bytes after its end" })
        }
        _ => Ok(bytes),
    }
}

/// Checks magic and version, and gives the length that the file has to have.
fn check_preamble(path: &Path, preamble: &[u8]) -> Result<usize, StoreError> {
    let path = path.to_owned();
    let magic_len = preamble.len().min(MAGIC.len());
    if preamble.is_empty() || preamble[..magic_len] != MAGIC[..magic_len] {
        return Err(StoreError::NotABackup { path });
    }
    let mut reader = Reader::new(&preamble[magic_len..]);
    let (Some(version), Some(len)) = (reader.u8(), reader.u64()) else {
        let (found, expected) = (preamble.len() as u64, MIN_LEN as u64);
        return Err(StoreError::BackupTruncated { path, found, expected });
    };
    if version == 0 || version > VERSION {
        return Err(StoreError::NewerBackup { path, found: version, supported: VERSION });
    }
    let len = usize::try_from(len).ok().filter(|len| (MIN_LEN..=MAX_LEN).contains(len));
    len.ok_or(StoreError::BackupDamaged { path, what: "its stated length is out of bounds" })
}

fn backup_key(key: &SecretBytes) -> SecretBytes {
    derive(MAGIC, key.expose(), b"waxseal kms 1: backup key")
}

fn associated(header: &[u8]) -> Fields {
    Fields::new("waxseal kms 1: backup").with(header)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    fn sealed(content: &[u8]) -> Vec<u8> {
        seal(Path::new("x"), content, &passphrase("right"), PassphraseCost::new(8, 1, 1).unwrap()).unwrap()
    }

    fn opened(bytes: &[u8], text: &str) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup");
        fs::write(&path, bytes).unwrap();
        open(&path, &mut || Ok(passphrase(text))).map(|(_, content)| content)
    }

    #[test]
    fn a_backup_opens_with_its_own_passphrase_only() {
        let bytes = sealed(b"content");
        assert_eq!(opened(&bytes, "right").unwrap().as_slice(), b"content");
        assert!(matches!(opened(&bytes, "wrong"), Err(StoreError::WrongPassphrase { .. })));
    }

    #[test]
    fn every_cut_is_named_as_one() {
        let bytes = sealed(b"content");
        assert!(matches!(opened(b"", "right"), Err(StoreError::NotABackup { .. })));
        for len in 1..bytes.len() {
            let refused = opened(&bytes[..len], "right");
            assert!(matches!(refused, Err(StoreError::BackupTruncated { found, .. }) if found == len as u64), "{len}");
        }
    }

    #[test]
    fn every_bit_flip_is_noticed_before_the_passphrase_is_asked_for() {
        let bytes = sealed(b"content");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup");
        for index in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << (index % 8);
            fs::write(&path, &flipped).unwrap();
            let refused = open(&path, &mut || Err("asked".into())).unwrap_err();
            assert!(!matches!(refused, StoreError::Passphrase { .. }), "byte {index}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        assert!(matches!(opened(&longer, "right"), Err(StoreError::BackupDamaged { .. })));
    }

    #[test]
    fn what_was_altered_under_a_new_checksum_does_not_authenticate() {
        let mut bytes = sealed(b"content");
        let body_len = bytes.len() - CHECKSUM_LEN;
        bytes[body_len - 1] ^= 1;
        let checksum = Sha256::digest(&bytes[..body_len]);
        bytes[body_len..].copy_from_slice(&checksum);
        let refused = opened(&bytes, "right").unwrap_err();
        assert!(refused.to_string().contains("tampered"), "{refused}");
    }

    #[test]
    fn foreign_newer_and_monstrous_files_are_told_apart() {
        assert!(matches!(opened(&[0; 200], "right"), Err(StoreError::NotABackup { .. })));
        let mut newer = sealed(b"content");
        newer[16] = 9;
        assert!(matches!(opened(&newer, "right"), Err(StoreError::NewerBackup { found: 9, .. })));
        let mut monstrous = sealed(b"content");
        monstrous[17..25].fill(0xFF);
        assert!(matches!(opened(&monstrous, "right"), Err(StoreError::BackupDamaged { .. })));
    }
}

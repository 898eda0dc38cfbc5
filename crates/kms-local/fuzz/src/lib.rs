//! What the fuzz targets share.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use waxseal_kms_local::{CreateOptions, LocalKms, Passphrase, PassphraseCost};
use zeroize::Zeroizing;

/// Applies fuzzer input to valid bytes: an empty input leaves them valid, and each byte of it changes one.
pub fn masked(valid: &[u8], mask: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    bytes.resize(valid.len().max(mask.len()), 0);
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    bytes
}

/// Puts the right checksum at the end, where one belongs: it is no secret.
pub fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(body) = bytes.len().checked_sub(32) {
        let checksum = Sha256::digest(&bytes[..body]);
        bytes[body..].copy_from_slice(&checksum);
    }
    bytes
}

/// A place of this process for files; a TMPDIR in memory makes the targets fast.
pub fn place(name: &str) -> PathBuf {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = std::env::temp_dir().join(format!("waxseal-fuzz-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    });
    DIRECTORY.join(name)
}

pub static STORE: LazyLock<LocalKms> =
    LazyLock::new(|| LocalKms::create(&place("kms"), &CreateOptions::default()).unwrap());

pub fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new(b"right".to_vec())).unwrap()
}

pub fn cheap() -> PassphraseCost {
    PassphraseCost::new(8, 1, 1).unwrap()
}

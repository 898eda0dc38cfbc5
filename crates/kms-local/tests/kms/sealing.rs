//! Sealing by key file and by passphrase.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waxseal_kms_local::{CreateOptions, LocalKms, NewSeal, SealKind, StoreError, status};

use crate::support::{Fixture, cheap, decrypt, encrypt, key, names, no_context, no_passphrase, passphrase};

/// A store sealed by the passphrase "right".
fn sealed_by_passphrase() -> (TempDir, PathBuf, LocalKms) {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("kms");
    let seal = NewSeal::Passphrase { passphrase: &passphrase("right"), cost: cheap() };
    let kms = LocalKms::create(&directory, &CreateOptions { seal, ..CreateOptions::default() }).unwrap();
    (dir, directory, kms)
}

fn open(directory: &Path, text: &str) -> Result<LocalKms, StoreError> {
    LocalKms::open(directory, &mut || Ok(passphrase(text)))
}

#[test]
fn a_passphrase_opens_the_store_and_a_wrong_one_is_named_as_such() {
    let (_dir, directory, kms) = sealed_by_passphrase();
    let blob = encrypt(&kms, &key("alias/default"), b"x").unwrap();
    drop(kms);
    assert_eq!(names(&directory), ["kms.db", "lock"]);
    assert!(decrypt(&open(&directory, "right").unwrap(), &blob, &no_context(), None).is_ok());
    for wrong in ["wrong", "right ", "Right"] {
        assert!(matches!(open(&directory, wrong), Err(StoreError::WrongPassphrase { .. })));
    }
    let unasked = LocalKms::open(&directory, &mut no_passphrase);
    assert!(matches!(unasked, Err(StoreError::Passphrase { .. })));
}

#[test]
fn the_status_of_a_sealed_store_needs_no_passphrase() {
    let (_dir, directory, kms) = sealed_by_passphrase();
    let status = status(&directory).unwrap();
    assert_eq!(status.seal, SealKind::Passphrase);
    assert_eq!(status.default_key, kms.default_key().unwrap());
}

#[test]
fn a_damaged_seal_is_not_taken_for_a_wrong_passphrase() {
    let (_dir, directory, kms) = sealed_by_passphrase();
    drop(kms);
    let database = rusqlite::Connection::open(directory.join("kms.db")).unwrap();
    let seal: Vec<u8> = database.query_row("SELECT seal FROM meta", [], |row| row.get(0)).unwrap();
    for index in [0, 1, 5, 20, 35, 60, seal.len() - 1] {
        let mut flipped = seal.clone();
        flipped[index] ^= 1;
        database.execute("UPDATE meta SET seal = ?", [flipped]).unwrap();
        let refused = open(&directory, "right");
        assert!(matches!(refused, Err(StoreError::Damaged { .. })), "byte {index}");
    }
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let fixture = Fixture::new();
    fs::set_permissions(fixture.directory.join("root.key"), Permissions::from_mode(0o644)).unwrap();
    let refused = LocalKms::open(&fixture.directory, &mut no_passphrase);
    assert!(matches!(refused, Err(StoreError::KeyFileUnsafe { mode: 0o644, .. })));
}

#[test]
fn another_store_s_key_file_is_named_as_such() {
    let (fixture, stranger) = (Fixture::new(), Fixture::new());
    let place = fixture.directory.join("root.key");
    fs::copy(stranger.directory.join("root.key"), &place).unwrap();
    let refused = LocalKms::open(&fixture.directory, &mut no_passphrase).unwrap_err();
    assert!(refused.to_string().ends_with("the key file belongs to another key store"), "{refused}");
    fs::write(&place, b"-----BEGIN PRIVATE KEY-----").unwrap();
    let refused = LocalKms::open(&fixture.directory, &mut no_passphrase).unwrap_err();
    assert!(refused.to_string().ends_with("this is not a key file of a key store"), "{refused}");
}

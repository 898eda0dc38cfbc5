//! Stores that cannot be written to still decrypt.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_uid;
use tempfile::TempDir;
use waxseal_key_service::{ErrorCode, KeyId};
use waxseal_kms_local::{
    CreateKeyRequest, CreateOptions, DisableKeyRequest, LocalKms, NewSeal, Overwrite, Region, StoreError, status,
};

use crate::support::{cheap, decrypt, generate, key, no_context, passphrase};

/// A store sealed by a passphrase, closed.
fn store() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("kms");
    let seal = NewSeal::Passphrase { passphrase: &passphrase("p"), cost: cheap() };
    drop(LocalKms::create(&directory, &CreateOptions { seal, ..CreateOptions::default() }).unwrap());
    (dir, directory)
}

fn open(directory: &Path) -> Result<LocalKms, StoreError> {
    LocalKms::open(directory, &mut || Ok(passphrase("p")))
}

/// Lets everyone read the store, and nobody write to it but root.
pub(crate) fn publish(dir: &TempDir, directory: &Path) {
    for path in [dir.path(), directory] {
        fs::set_permissions(path, Permissions::from_mode(0o555)).unwrap();
    }
    for entry in fs::read_dir(directory).unwrap() {
        fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(0o444)).unwrap();
    }
}

/// Takes the rights of root from the thread that calls it, so that permissions count.
pub(crate) fn give_up_rights() {
    if geteuid().is_root() {
        set_thread_uid(Uid::from_raw(65534)).unwrap();
    }
}

#[test]
fn a_store_in_a_read_only_directory_encrypts_and_decrypts_and_refuses_changes() {
    let (dir, directory) = store();
    publish(&dir, &directory);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            give_up_rights();
            let kms = open(&directory).unwrap();
            let made = generate(&kms, &key("alias/default"), &no_context()).unwrap();
            let opened = decrypt(&kms, &made.ciphertext_blob, &no_context(), None).unwrap();
            assert_eq!(opened.plaintext.expose(), made.plaintext.expose());
            let refused =
                kms.create_key(&CreateKeyRequest { region: &Region::default(), description: "" }).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::Internal);
            let source = std::error::Error::source(&refused).unwrap().to_string();
            assert!(source.contains("read-only"), "{source}");
            assert_eq!(status(&directory).unwrap().keys, 1);
        });
    });
}

#[test]
fn a_backup_of_a_read_only_store_is_good_but_not_recorded() {
    let (dir, directory) = store();
    publish(&dir, &directory);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::set_permissions(elsewhere.path(), Permissions::from_mode(0o777)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            give_up_rights();
            let backup = elsewhere.path().join("b");
            let report =
                open(&directory).unwrap().backup(&backup, &passphrase("b"), cheap(), Overwrite::Refuse).unwrap();
            assert!(matches!(report.not_recorded, Some(StoreError::ReadOnly { .. })));
            assert!(backup.exists());
        });
    });
}

#[test]
fn a_reader_without_rights_sees_what_the_owner_changes() {
    // Only root can be both at once.
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root can take the rights from one of its threads");
        return;
    }
    let (dir, directory) = store();
    publish(&dir, &directory);
    let (go, wait) = mpsc::channel::<()>();
    let (ready, opened) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let wait = wait;
            give_up_rights();
            let kms = open(&directory).unwrap();
            generate(&kms, &key("alias/default"), &no_context()).unwrap();
            ready.send(()).unwrap();
            wait.recv().unwrap();
            let refused = generate(&kms, &key("alias/default"), &no_context()).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::Disabled);
        });
        opened.recv().unwrap();
        let owner = open(&directory).unwrap();
        let key_id = &KeyId::Arn(owner.default_key().unwrap().unwrap());
        owner.disable_key(&DisableKeyRequest { region: &Region::default(), key_id }).unwrap();
        go.send(()).unwrap();
    });
}

#[test]
fn a_log_that_cannot_be_read_without_writing_is_named() {
    let (dir, directory) = store();
    // What a crash leaves: changes in the log, and no index of it.
    let kms = open(&directory).unwrap();
    kms.create_key(&CreateKeyRequest { region: &Region::default(), description: "" }).unwrap();
    let crashed = dir.path().join("crashed");
    fs::create_dir(&crashed).unwrap();
    for name in ["kms.db", "kms.db-wal"] {
        fs::copy(directory.join(name), crashed.join(name)).unwrap();
    }
    drop(kms);
    publish(&dir, &crashed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            give_up_rights();
            let refused = open(&crashed).unwrap_err();
            assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused:?}");
            assert!(refused.to_string().contains("log"), "{refused}");
        });
    });
}

#[test]
fn no_store_is_made_where_nothing_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o555)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            give_up_rights();
            let refused = LocalKms::create(&dir.path().join("kms"), &CreateOptions::default()).unwrap_err();
            assert!(matches!(refused, StoreError::Io { .. }), "{refused:?}");
        });
    });
}

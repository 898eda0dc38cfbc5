//! Stores of older versions: brought up to date in place, or read as they are.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use waxseal_kms_local::{LocalKms, StoreError, status};

use crate::read_only::{give_up_rights, publish};
use crate::support::{decrypt, encrypt, generate, key, names, no_context, no_passphrase};

/// The store that the first released version made.
fn frozen() -> (TempDir, PathBuf) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/compat/v1/home/kms");
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("kms");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    for name in names(&from) {
        // Written, not copied: a store is its owner's alone, and git keeps no modes.
        fs::write(directory.join(&name), fs::read(from.join(&name)).unwrap()).unwrap();
        fs::set_permissions(directory.join(&name), Permissions::from_mode(0o600)).unwrap();
    }
    (dir, directory)
}

fn open(directory: &Path) -> Result<LocalKms, StoreError> {
    LocalKms::open(directory, &mut no_passphrase)
}

fn schema_version(directory: &Path) -> i64 {
    let database = Connection::open(directory.join("kms.db")).unwrap();
    database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_store_of_version_1_is_brought_up_to_date_by_its_first_opening() {
    let (_dir, directory) = frozen();
    assert_eq!(schema_version(&directory), 1);
    let kms = open(&directory).unwrap();
    assert_eq!((schema_version(&directory), status(&directory).unwrap().schema_version), (2, 2));
    let blob = encrypt(&kms, &key("alias/default"), b"x").unwrap();
    drop(kms);
    let again = open(&directory).unwrap();
    assert_eq!(decrypt(&again, &blob, &no_context(), None).unwrap().plaintext.expose(), b"x");
    drop(again);
    assert_eq!(names(&directory), ["kms.db", "root.key"]);
}

#[test]
fn many_openings_at_once_bring_a_store_up_to_date_once() {
    let (_dir, directory) = frozen();
    let arns: HashSet<_> = std::thread::scope(|scope| {
        let opened = || open(&directory).unwrap().default_key().unwrap().unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(opened)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((arns.len(), schema_version(&directory)), (1, 2));
}

#[test]
fn a_store_of_version_1_that_cannot_be_written_is_read_as_it_is() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can take the rights from one of its threads");
        return;
    }
    let (dir, old) = frozen();
    publish(&dir, &old);
    fs::set_permissions(old.join("root.key"), Permissions::from_mode(0o400)).unwrap();
    rustix::fs::chown(old.join("root.key"), Some(rustix::fs::Uid::from_raw(65534)), None).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            give_up_rights();
            let kms = open(&old).unwrap();
            let made = generate(&kms, &key("alias/default"), &no_context()).unwrap();
            let opened = decrypt(&kms, &made.ciphertext_blob, &no_context(), None).unwrap();
            assert_eq!(opened.plaintext.expose(), made.plaintext.expose());
        });
    });
    assert_eq!(schema_version(&old), 1);
}

#[test]
fn an_upgrade_that_was_cut_short_leaves_a_whole_store() {
    // The log of the upgrade is cut at every place: what is left is version 1 or version 2, and opens.
    let (_dir, directory) = frozen();
    let kms = open(&directory).unwrap();
    let arn = kms.default_key().unwrap();
    let log = fs::read(directory.join("kms.db-wal")).unwrap();
    let database = fs::read(directory.join("kms.db")).unwrap();
    let mut versions = HashSet::new();
    for len in (0..=log.len()).step_by(509).chain([log.len()]) {
        let (_cut_dir, cut) = frozen();
        fs::write(cut.join("kms.db"), &database).unwrap();
        fs::write(cut.join("kms.db-wal"), &log[..len]).unwrap();
        versions.insert(schema_version(&cut));
        let reopened = open(&cut).unwrap();
        assert_eq!(reopened.default_key().unwrap(), arn, "{len} bytes");
        generate(&reopened, &key("alias/default"), &no_context()).unwrap();
    }
    assert_eq!(versions, HashSet::from([1, 2]));
}

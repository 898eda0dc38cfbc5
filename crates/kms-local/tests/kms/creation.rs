//! Making a store: whole, once, and leaving nothing behind when it fails.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use waxseal_kms_local::{CreateOptions, LocalKms, Opened, Region, SealKind, StoreError, status};

use crate::support::{Fixture, decrypt, encrypt, key, names, no_context, no_passphrase};

#[test]
fn a_new_store_is_its_owner_s_alone_and_has_a_default_key() {
    let fixture = Fixture::new();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&fixture.directory), 0o700);
    drop(fixture.reopen());
    for name in names(&fixture.directory) {
        assert_eq!(mode(&fixture.directory.join(&name)), 0o600, "{name}");
    }
    let status = status(&fixture.directory).unwrap();
    assert_eq!(status.default_key, Some(fixture.default_key()));
    assert_eq!((status.keys, status.seal, status.schema_version), (1, SealKind::KeyFile, 2));
    assert_eq!((status.home_region.as_str(), status.last_backup_at), ("us-east-1", None));
    assert_eq!(status.directory, fixture.directory);
}

#[test]
fn a_closed_store_is_three_files() {
    let Fixture { kms, directory, dir: _dir, .. } = Fixture::new();
    drop(kms);
    assert_eq!(names(&directory), ["kms.db", "lock", "root.key"]);
}

#[test]
fn key_material_is_not_in_clear_in_any_file() {
    let fixture = Fixture::new();
    let blob = encrypt(&fixture.kms, &key("alias/default"), b"x").unwrap();
    let database = fs::read(fixture.directory.join("kms.db")).unwrap();
    // Without the key file nothing opens: the database alone is not enough.
    fs::rename(fixture.directory.join("root.key"), fixture.dir.path().join("away")).unwrap();
    let missing = LocalKms::open(&fixture.directory, &mut no_passphrase);
    assert!(matches!(missing, Err(StoreError::KeyFileMissing { .. })));
    let key_file = fs::read(fixture.dir.path().join("away")).unwrap();
    assert!(!database.windows(32).any(|window| window == &key_file[33..65]));
    fs::rename(fixture.dir.path().join("away"), fixture.directory.join("root.key")).unwrap();
    assert!(decrypt(&fixture.reopen(), &blob, &no_context(), None).is_ok());
}

#[test]
fn a_store_is_never_made_over_another() {
    let fixture = Fixture::new();
    let again = LocalKms::create(&fixture.directory, &CreateOptions::default());
    assert!(matches!(again, Err(StoreError::AlreadyThere { path }) if path == fixture.directory));
    assert!(fixture.kms.has_key(&fixture.reopen().default_key().unwrap().unwrap()).unwrap());
}

#[test]
fn a_missing_store_is_made_on_demand_only() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("deep/kms");
    assert!(matches!(LocalKms::open(&directory, &mut no_passphrase), Err(StoreError::NotThere { .. })));
    assert!(matches!(status(&directory), Err(StoreError::NotThere { .. })));
    assert!(names(dir.path()).is_empty());
    let home_region: Region = "eu-central-1".parse().unwrap();
    let options = CreateOptions { home_region: home_region.clone(), ..CreateOptions::default() };
    let made = LocalKms::open_or_create(&directory, &options, &mut no_passphrase).unwrap();
    assert!(matches!(&made, Opened::Created(kms) if *kms.home_region() == home_region));
    let found = LocalKms::open_or_create(&directory, &CreateOptions::default(), &mut no_passphrase).unwrap();
    assert!(matches!(&found, Opened::Existing(kms) if *kms.home_region() == home_region));
}

#[test]
fn what_a_killed_making_left_is_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("kms");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    for name in ["kms.db.new", "kms.db.new-wal", "kms.db.new-shm", "kms.db.new-journal", "root.key.new"] {
        fs::write(directory.join(name), b"half").unwrap();
    }
    drop(LocalKms::create(&directory, &CreateOptions::default()).unwrap());
    assert_eq!(names(&directory), ["kms.db", "lock", "root.key"]);
}

#[test]
fn a_key_file_that_lost_its_database_is_used_again_and_never_replaced() {
    let Fixture { kms, directory, dir, .. } = Fixture::new();
    drop(kms);
    let key_file = fs::read(directory.join("root.key")).unwrap();
    fs::rename(directory.join("kms.db"), dir.path().join("moved.db")).unwrap();
    drop(LocalKms::create(&directory, &CreateOptions::default()).unwrap());
    assert_eq!(fs::read(directory.join("root.key")).unwrap(), key_file);
    // The database that was moved away still opens with it.
    fs::rename(dir.path().join("moved.db"), directory.join("kms.db")).unwrap();
    LocalKms::open(&directory, &mut no_passphrase).unwrap();
}

#[test]
fn a_log_that_lost_its_database_is_not_taken_for_a_new_one_s() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("kms.db-wal"), b"log").unwrap();
    let refused = LocalKms::create(dir.path(), &CreateOptions::default()).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    assert_eq!(names(dir.path()), ["kms.db-wal"]);
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let fixture = Fixture::new();
    for mode in [0o770, 0o707, 0o1777] {
        fs::set_permissions(&fixture.directory, Permissions::from_mode(mode)).unwrap();
        let refused = LocalKms::open(&fixture.directory, &mut no_passphrase);
        assert!(matches!(refused, Err(StoreError::DirectoryUnsafe { mode: found, .. }) if found == mode));
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let refused = LocalKms::create(dir.path(), &CreateOptions::default());
    assert!(matches!(refused, Err(StoreError::DirectoryUnsafe { .. })));
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_full_disk_leaves_no_store_and_nothing_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut failures = 0;
    for kib in (4..).step_by(4) {
        let Some(disk) = SmallDisk::mount(dir.path(), kib) else { return };
        let directory = disk.0.join("kms");
        match LocalKms::create(&directory, &CreateOptions::default()) {
            Ok(_) => break,
            Err(error) => {
                assert!(matches!(error, StoreError::Full { .. }), "{kib} KiB: {error:?}");
                let left = if directory.exists() { names(&directory) } else { Vec::new() };
                assert!(left.is_empty() || left == ["lock"], "{kib} KiB: {left:?}");
                failures += 1;
            }
        }
    }
    assert!(failures > 3);
}

/// A file system of a few KiB, which only root can make.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &std::path::Path, kib: u32) -> Option<Self> {
        use rustix::mount::{MountFlags, mount};
        let options = std::ffi::CString::new(format!("size={kib}k,mode=700")).unwrap();
        match mount("tmpfs", at, "tmpfs", MountFlags::empty(), Some(options.as_c_str())) {
            Ok(()) => Some(Self(at.to_owned())),
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "a small file system cannot be mounted: {error}");
                eprintln!("SKIPPED: a small file system cannot be mounted: {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

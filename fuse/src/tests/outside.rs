//! The directory below changes by other hands.

use std::fs::File;

use rustix::fs::OFlags;
use rustix::io::Errno;
use waxseal_envelope::{lock_exclusive, lock_shared};

use super::support::Vault;
use crate::open_file::CLOCK_TICK;

/// A vault with a file in it, settled and closed, and a second one that has nothing in memory.
fn two() -> (Vault, Vault) {
    let vault = Vault::new();
    vault.put("f", b"first");
    vault.filesystem.finish().unwrap();
    let fresh = vault.elsewhere(&vault.below);
    (vault, fresh)
}

fn below(vault: &Vault) -> File {
    File::options().read(true).write(true).open(vault.below.join("f.wax")).unwrap()
}

#[test]
fn files_that_come_go_and_change_are_seen() {
    let (vault, fresh) = two();
    drop(vault.filesystem);
    let elsewhere = tempfile::TempDir::new().unwrap();
    let other = fresh.elsewhere(elsewhere.path());
    other.put("f", b"second");
    other.put("g", b"third");
    other.filesystem.finish().unwrap();
    assert_eq!(fresh.get("f").unwrap(), b"first");
    std::fs::copy(elsewhere.path().join("f.wax"), fresh.below.join("copy")).unwrap();
    std::fs::rename(fresh.below.join("copy"), fresh.below.join("f.wax")).unwrap();
    std::fs::copy(elsewhere.path().join("g.wax"), fresh.below.join("g.wax")).unwrap();
    assert_eq!(fresh.get("f").unwrap(), b"second");
    assert_eq!(fresh.get("g").unwrap(), b"third");
    std::fs::remove_file(fresh.below.join("g.wax")).unwrap();
    assert_eq!(fresh.node("g"), Err(Errno::NOENT));
    assert_eq!(fresh.list(), ["f"]);
}

#[test]
fn a_file_that_was_replaced_is_not_the_one_that_was_known() {
    let (vault, fresh) = two();
    let node = fresh.node("f").unwrap();
    std::fs::copy(vault.below.join("f.wax"), vault.below.join("copy")).unwrap();
    std::fs::rename(vault.below.join("copy"), vault.below.join("f.wax")).unwrap();
    assert_eq!(fresh.filesystem.attributes(node).map(|_| ()), Err(Errno::STALE));
    assert_ne!(fresh.node("f").unwrap(), node);
}

#[test]
fn a_container_that_another_process_writes_is_refused() {
    let (_vault, fresh) = two();
    let other = below(&fresh);
    assert!(lock_exclusive(&other).unwrap());
    assert_eq!(fresh.open("f", OFlags::RDONLY).map(|_| ()), Err(Errno::BUSY));
    assert!(fresh.log.has("f.wax: another process is writing this container"));
    drop(other);
    assert_eq!(fresh.get("f").unwrap(), b"first");
}

#[test]
fn a_container_that_another_process_reads_is_read_and_not_written() {
    let (_vault, fresh) = two();
    let other = below(&fresh);
    assert!(lock_shared(&other).unwrap());
    assert_eq!(fresh.get("f").unwrap(), b"first");
    assert_eq!(fresh.open("f", OFlags::RDWR).map(|_| ()), Err(Errno::BUSY));
    drop(other);
    assert!(fresh.open("f", OFlags::RDWR).is_ok());
}

#[test]
fn two_mounts_of_one_directory_share_files_and_never_both_write_one() {
    let (_vault, one) = two();
    let other = one.elsewhere(&one.below);
    let reader = one.open("f", OFlags::RDONLY).unwrap();
    assert_eq!(other.get("f").unwrap(), b"first");
    one.filesystem.release(reader.handle);
    let writer = one.open("f", OFlags::RDWR).unwrap();
    assert_eq!(other.open("f", OFlags::RDONLY).map(|_| ()), Err(Errno::BUSY));
    one.filesystem.write(writer.handle, b"FIRST", 0, false, &|| ()).unwrap();
    one.filesystem.release(writer.handle);
    one.filesystem.finish().unwrap();
    one.filesystem.settle_closed(0);
    assert_eq!(other.get("f").unwrap(), b"FIRST");
}

#[test]
fn what_was_open_when_its_directory_moved_is_still_there() {
    let (vault, fresh) = two();
    let handle = fresh.open("f", OFlags::RDONLY).unwrap().handle;
    std::fs::create_dir(vault.below.join("d")).unwrap();
    std::fs::rename(vault.below.join("f.wax"), vault.below.join("d/f.wax")).unwrap();
    assert_eq!(fresh.content(handle).unwrap(), b"first");
    assert_eq!(fresh.node("f"), Err(Errno::NOENT));
}

/// The kernel may have been shown it since by what was remembered from before the change: it has to ask again.
#[test]
fn what_others_changed_while_it_was_open_is_not_kept_after_the_close() {
    let vault = Vault::new();
    vault.put("f", &[7; 5000]);
    vault.filesystem.finish().unwrap();
    for (is_changed, keeps) in [(false, true), (true, false), (false, true)] {
        let opened = vault.open("f", OFlags::RDONLY).unwrap();
        if is_changed {
            std::thread::sleep(CLOCK_TICK);
            let bytes = std::fs::read(vault.below.join("f.wax")).unwrap();
            std::fs::write(vault.below.join("f.wax"), bytes).unwrap();
        }
        vault.filesystem.release(opened.handle);
        assert_eq!(vault.filesystem.open.len(), 0);
        let again = vault.open("f", OFlags::RDONLY).unwrap();
        assert_eq!(again.keep_cache, keeps, "changed: {is_changed}");
        vault.filesystem.release(again.handle);
    }
}

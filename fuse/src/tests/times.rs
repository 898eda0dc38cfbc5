//! Times: what flushing and settling do below is nobody's business.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

use super::support::{Vault, caller, wait};
use crate::filesystem::Changes;

fn modified_below(vault: &Vault) -> SystemTime {
    std::fs::metadata(vault.below.join("f.wax")).unwrap().modified().unwrap()
}

#[test]
fn a_file_keeps_the_time_of_its_last_change_through_flushing_and_settling() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    vault.filesystem.write(handle, &[1; 10_000], 0, false, &|| ()).unwrap();
    let node = vault.node("f").unwrap();
    let shown = vault.filesystem.attributes(node).unwrap().modified;
    vault.filesystem.flush(handle).unwrap();
    assert_eq!(vault.filesystem.attributes(node).unwrap().modified, shown);
    vault.filesystem.sync(handle).unwrap();
    assert_eq!(modified_below(&vault), shown);
    vault.filesystem.release(handle);
    vault.filesystem.settle_closed(0);
    assert_eq!(vault.filesystem.open.len(), 0);
    assert_eq!(modified_below(&vault), shown);
    assert_eq!(vault.filesystem.attributes(node).unwrap().modified, shown);
}

#[test]
fn a_time_that_a_program_sets_stays_though_what_it_wrote_is_flushed_later() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    vault.filesystem.write(handle, b"content", 0, false, &|| ()).unwrap();
    let node = vault.node("f").unwrap();
    let then = UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    let changes = Changes { modified: Some(then), ..Changes::default() };
    wait(vault.filesystem.set_attributes(node, Some(handle), changes, caller())).unwrap();
    vault.filesystem.flush(handle).unwrap();
    vault.filesystem.release(handle);
    vault.filesystem.settle_closed(0);
    assert_eq!(modified_below(&vault), then);
}

#[test]
fn the_time_of_the_last_change_of_attributes_does_not_move_by_itself() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    vault.filesystem.write(handle, b"content", 0, false, &|| ()).unwrap();
    let node = vault.node("f").unwrap();
    let changed = || vault.filesystem.attributes(node).unwrap().changed;
    let before = changed();
    std::thread::sleep(Duration::from_millis(30));
    vault.filesystem.flush(handle).unwrap();
    assert_eq!(changed(), before, "flushed");
    vault.filesystem.release(handle);
    vault.filesystem.settle_closed(0);
    assert_eq!(vault.filesystem.open.len(), 0);
    assert_eq!(changed(), before, "settled and closed");
    let changes = Changes { mode: Some(0o600), ..Changes::default() };
    wait(vault.filesystem.set_attributes(node, None, changes, caller())).unwrap();
    assert!(changed() > before, "a program has changed the mode");
}

#[test]
fn a_repair_changes_no_time() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    vault.filesystem.write(handle, b"content", 0, false, &|| ()).unwrap();
    vault.filesystem.sync(handle).unwrap();
    let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    // A copy, since this one is locked; it is what a kill would leave.
    let other = tempfile::TempDir::new().unwrap();
    std::fs::copy(vault.below.join("f.wax"), other.path().join("f.wax")).unwrap();
    let copy = std::fs::File::options().write(true).open(other.path().join("f.wax")).unwrap();
    copy.set_modified(then).unwrap();
    let killed = vault.elsewhere(other.path());
    assert_eq!(killed.get("f").unwrap(), b"content");
    assert!(killed.log.has("its last writer was interrupted"));
    killed.filesystem.finish().unwrap();
    assert_eq!(modified_below(&killed), then);
}

#[test]
fn cutting_an_empty_file_changes_its_time() {
    let vault = Vault::new();
    vault.put("f", b"");
    vault.filesystem.settle_closed(0);
    let before = modified_below(&vault);
    let handle = vault.open("f", OFlags::WRONLY | OFlags::TRUNC).unwrap().handle;
    assert!(modified_below(&vault) > before);
    vault.filesystem.release(handle);
}

#[test]
fn writing_and_cutting_change_the_time_and_reading_does_not() {
    let vault = Vault::new();
    vault.put("f", b"content");
    let node = vault.node("f").unwrap();
    let modified = || vault.filesystem.attributes(node).unwrap().modified;
    let before = modified();
    assert_eq!(vault.get("f").unwrap(), b"content");
    assert_eq!(modified(), before);
    let handle = vault.open("f", OFlags::RDWR).unwrap().handle;
    vault.filesystem.write(handle, b"C", 0, false, &|| ()).unwrap();
    let written = modified();
    assert!(written > before);
    let changes = Changes { size: Some(3), ..Changes::default() };
    let attributes = wait(vault.filesystem.set_attributes(node, None, changes, caller())).unwrap();
    assert!(attributes.modified > written && attributes.size == 3);
}

//! Defects that a review found, each as the promise that it broke.

use std::ffi::OsStr;
use std::future::Future;
use std::os::unix::fs::symlink;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use rustix::fs::{OFlags, RenameFlags, XattrFlags};
use rustix::io::Errno;
use waxseal_key_service::ErrorCode;

use super::support::{Vault, caller, wait};
use crate::filesystem::Changes;
use crate::nodes::ROOT;

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

#[test]
fn a_rename_leaves_a_hidden_file_of_the_new_name_alone() {
    let vault = Vault::new();
    vault.put("b", b"content");
    std::fs::write(vault.below.join("b"), b"in the clear").unwrap();
    symlink("nowhere", vault.below.join("s")).unwrap();
    let renamed = vault.filesystem.rename((ROOT, name("s")), (ROOT, name("b")), RenameFlags::empty());
    assert_eq!(std::fs::read(vault.below.join("b")).unwrap(), b"in the clear");
    assert_eq!(renamed, Err(Errno::EXIST));
    assert_eq!(vault.get("b").unwrap(), b"content");
}

#[test]
fn a_rename_replaces_nothing_but_what_has_the_new_name() {
    let vault = Vault::new();
    vault.put("a", b"content");
    symlink("one", vault.below.join("c")).unwrap();
    symlink("another", vault.below.join("c.wax")).unwrap();
    assert_eq!(vault.list(), ["a", "c", "c.wax"]);
    let renamed = vault.filesystem.rename((ROOT, name("a")), (ROOT, name("c")), RenameFlags::empty());
    assert_eq!(vault.list(), ["a", "c", "c.wax"]);
    assert_eq!(renamed, Err(Errno::EXIST));
}

#[test]
fn truncating_an_empty_file_by_opening_it_changes_its_time() {
    let vault = Vault::new();
    vault.put("stamp", b"");
    let node = vault.node("stamp").unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let changes = Changes { modified: Some(long_ago), ..Changes::default() };
    wait(vault.filesystem.set_attributes(node, None, changes, caller())).unwrap();
    let opened = vault.open("stamp", OFlags::WRONLY | OFlags::TRUNC).unwrap();
    vault.filesystem.release(opened.handle);
    assert_ne!(vault.filesystem.attributes(node).unwrap().modified, long_ago);
}

/// A length that no file system of the usual kind takes: ext4 ends at 16 TiB.
#[test]
fn a_length_that_is_refused_below_leaves_the_file_as_it_is() {
    let vault = Vault::new();
    vault.put("f", b"content");
    let node = vault.node("f").unwrap();
    let set = |len| {
        let changes = Changes { size: Some(len), ..Changes::default() };
        wait(vault.filesystem.set_attributes(node, None, changes, caller())).map(|attributes| attributes.size)
    };
    if set(1 << 62) == Ok(1 << 62) {
        // The file system below takes it.
        return;
    }
    assert_eq!(vault.get("f").unwrap(), b"content");
    assert_eq!(set(3), Ok(3));
    vault.filesystem.finish().unwrap();
    assert_eq!(vault.elsewhere(&vault.below).content_of_settled("f"), b"con");
}

#[test]
fn a_write_that_is_refused_below_leaves_what_was_synced() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    vault.filesystem.write(handle, b"content", 0, false, &|| ()).unwrap();
    vault.filesystem.sync(handle).unwrap();
    let far = vault.filesystem.write(handle, b"x", 1 << 60, false, &|| ()).and_then(|()| vault.filesystem.sync(handle));
    vault.filesystem.release(handle);
    vault.filesystem.finish().ok();
    let length = far.map_or(7, |()| 1 << 20);
    let content = vault.elsewhere(&vault.below).get("f").unwrap();
    assert_eq!((content.len(), &content[..7]), (length, &b"content"[..]));
}

#[test]
fn an_answer_of_the_key_service_does_not_hold_longer_because_the_file_was_opened_again() {
    let ttl = Duration::from_secs(2);
    let vault = Vault::with_ttl(ttl);
    vault.put("f", b"content");
    vault.filesystem.finish().unwrap();
    assert_eq!(vault.get("f").unwrap(), b"content");
    let asked = std::time::Instant::now();
    std::thread::sleep(ttl * 3 / 4);
    // It is open from here on, by what was answered before.
    let open = vault.open("f", OFlags::RDONLY).unwrap();
    vault.service.refuse(Some(ErrorCode::Disabled));
    std::thread::sleep(ttl.saturating_sub(asked.elapsed()) + ttl / 8);
    assert_eq!(vault.open("f", OFlags::RDONLY).map(|_| ()), Err(Errno::ACCESS));
    vault.filesystem.release(open.handle);
}

#[test]
fn directories_that_change_places_below_do_not_make_a_circle() {
    let vault = Vault::new();
    let make = |parent, text: &str| vault.filesystem.make_directory(parent, name(text), 0o755, caller());
    let outer = make(ROOT, "outer").unwrap().attributes.node;
    let inner = make(outer, "inner").unwrap().attributes.node;
    let listing = vault.filesystem.open_directory(inner).unwrap();
    std::fs::rename(vault.below.join("outer/inner"), vault.below.join("inner")).unwrap();
    std::fs::rename(vault.below.join("outer"), vault.below.join("inner/outer")).unwrap();
    // A program whose working directory is the inner one looks around.
    vault.filesystem.lookup(inner, name("outer")).unwrap();
    vault.filesystem.close_directory(listing);
    // Both are left alone until their descriptors have made way for others.
    for number in 0..1100 {
        let other = make(ROOT, &format!("d{number}")).unwrap().attributes.node;
        let listing = vault.filesystem.open_directory(other).unwrap();
        vault.filesystem.close_directory(listing);
    }
    let (sender, found) = channel();
    let filesystem = Arc::clone(&vault.filesystem);
    std::thread::spawn(move || sender.send(filesystem.lookup(inner, name("outer")).map(|_| ())));
    let found = found.recv_timeout(Duration::from_secs(2));
    assert!(found.is_ok(), "it never comes back, and takes more memory all the time");
}

#[test]
fn reading_an_attribute_does_not_lock_the_file_against_itself() {
    let vault = Vault::new();
    vault.put("f", b"content");
    let node = vault.node("f").unwrap();
    wait(vault.filesystem.set_attribute(node, name("user.a"), b"1", XattrFlags::empty())).unwrap();
    let opening = vault.filesystem.open.opening(node);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut context = Context::from_waker(Waker::noop());
    let mut value = pin!(vault.filesystem.attribute(node, name("user.a")));
    {
        // Somebody else is opening it, and it is settled and closed meanwhile.
        let _others = opening.try_lock().unwrap();
        assert!(value.as_mut().poll(&mut context).is_pending());
        vault.filesystem.finish().unwrap();
        assert_eq!(vault.filesystem.open.len(), 0);
    }
    assert_eq!(value.as_mut().poll(&mut context), Poll::Ready(Ok(b"1".to_vec())));
}

#[test]
fn settling_from_several_threads_at_once_comes_to_an_end() {
    let vault = Vault::new();
    let is_over = Arc::new(AtomicBool::new(false));
    let (sender, done) = channel();
    for _ in 0..3 {
        let (filesystem, is_over, sender) = (Arc::clone(&vault.filesystem), Arc::clone(&is_over), sender.clone());
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                filesystem.settle_closed(0);
            }
            sender.send(())
        });
    }
    // The order in which open files are met changes as they come and go.
    for number in 0..20_000 {
        vault.put(&format!("f{number}"), b"content");
        if number >= 200 {
            vault.filesystem.unlink(ROOT, name(&format!("f{}", number - 200))).unwrap();
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert!(done.recv_timeout(Duration::from_secs(60)).is_ok(), "they wait for each other");
    }
}

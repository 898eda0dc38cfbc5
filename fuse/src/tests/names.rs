//! Names: what is shown, what is hidden, and what happens where two meet.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;

use rustix::fs::{FileType, OFlags, RenameFlags};
use rustix::io::Errno;

use super::support::{Vault, caller, wait};
use crate::nodes::ROOT;

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

#[test]
fn a_file_that_is_no_container_is_hidden_and_keeps_its_name() {
    let vault = Vault::new();
    std::fs::write(vault.below.join("notes"), b"in the clear").unwrap();
    std::fs::write(vault.below.join(".waxseal-tmp-1"), b"half").unwrap();
    assert_eq!(vault.list(), Vec::<String>::new());
    assert_eq!(vault.node("notes"), Err(Errno::NOENT));
    assert_eq!(vault.node(".waxseal-tmp-1"), Err(Errno::NOENT));
    assert_eq!(vault.create("notes"), Err(Errno::EXIST));
    let directory = vault.filesystem.make_directory(ROOT, name("notes"), 0o755, caller());
    assert_eq!(directory.map(|_| ()), Err(Errno::EXIST));
    assert!(vault.log.has("notes: not made: notes is taken by something that is not shown"));
    assert_eq!(std::fs::read(vault.below.join("notes")).unwrap(), b"in the clear");
}

#[test]
fn a_directory_with_hidden_entries_is_not_removed_and_the_log_says_why() {
    let vault = Vault::new();
    vault.filesystem.make_directory(ROOT, name("d"), 0o755, caller()).unwrap();
    std::fs::write(vault.below.join("d/notes"), b"in the clear").unwrap();
    assert_eq!(vault.filesystem.remove_directory(ROOT, name("d")), Err(Errno::NOTEMPTY));
    assert!(vault.log.has("d: not empty: what is in it is not shown in the mount"));
    std::fs::remove_file(vault.below.join("d/notes")).unwrap();
    assert_eq!(vault.filesystem.remove_directory(ROOT, name("d")), Ok(()));
}

#[test]
fn a_container_goes_before_a_directory_of_its_name() {
    let vault = Vault::new();
    vault.put("x", b"content");
    std::fs::create_dir(vault.below.join("x")).unwrap();
    assert_eq!(vault.list(), ["x"]);
    assert_eq!(vault.get("x").unwrap(), b"content");
    vault.filesystem.unlink(ROOT, name("x")).unwrap();
    let known = vault.filesystem.lookup(ROOT, name("x")).unwrap();
    assert_eq!(known.attributes.kind, FileType::Directory);
}

#[test]
fn a_directory_may_be_called_as_containers_are_stored() {
    let vault = Vault::new();
    vault.filesystem.make_directory(ROOT, name("x.wax"), 0o755, caller()).unwrap();
    assert_eq!(vault.list(), ["x.wax"]);
    assert_eq!(vault.node("x"), Err(Errno::NOENT));
    assert_eq!(vault.create("x"), Err(Errno::EXIST), "its container would need that name");
    vault.put("y.wax", b"1");
    assert!(vault.below.join("y.wax.wax").exists());
}

#[test]
fn names_are_as_long_as_the_suffix_lets_them_be() {
    let vault = Vault::new();
    let (longest, longer) = ("x".repeat(251), "x".repeat(252));
    vault.put(&longest, b"1");
    assert_eq!(vault.list(), [longest.as_str()]);
    assert_eq!(vault.create(&longer), Err(Errno::NAMETOOLONG));
    assert_eq!(vault.node(&longer), Err(Errno::NAMETOOLONG));
}

#[test]
fn a_rename_replaces_what_has_the_name_whatever_its_kind() {
    let vault = Vault::new();
    vault.put("file", b"new");
    symlink("nowhere", vault.below.join("link")).unwrap();
    vault.filesystem.rename((ROOT, name("file")), (ROOT, name("link")), RenameFlags::empty()).unwrap();
    assert_eq!(vault.list(), ["link"]);
    assert_eq!(vault.get("link").unwrap(), b"new");
    assert!(std::fs::symlink_metadata(vault.below.join("link")).is_err(), "the old link is gone below as well");

    symlink("elsewhere", vault.below.join("other")).unwrap();
    vault.filesystem.rename((ROOT, name("other")), (ROOT, name("link")), RenameFlags::empty()).unwrap();
    assert_eq!(vault.list(), ["link"]);
    let known = vault.filesystem.lookup(ROOT, name("link")).unwrap();
    assert_eq!(known.attributes.kind, FileType::Symlink);
    assert!(!vault.below.join("link.wax").exists());
}

#[test]
fn a_rename_does_not_replace_what_is_hidden() {
    let vault = Vault::new();
    vault.put("b", b"shown");
    std::fs::write(vault.below.join("b"), b"hidden").unwrap();
    symlink("nowhere", vault.below.join("s")).unwrap();
    let renamed = vault.filesystem.rename((ROOT, name("s")), (ROOT, name("b")), RenameFlags::empty());
    assert_eq!(renamed, Err(Errno::EXIST));
    assert_eq!(std::fs::read(vault.below.join("b")).unwrap(), b"hidden");
    assert_eq!(vault.get("b").unwrap(), b"shown");
}

#[test]
fn exchanges_and_careful_renames_do_what_they_say() {
    let vault = Vault::new();
    vault.put("a", b"1");
    vault.put("b", b"2");
    let rename = |from, to, flags| vault.filesystem.rename((ROOT, name(from)), (ROOT, name(to)), flags);
    rename("a", "b", RenameFlags::EXCHANGE).unwrap();
    assert_eq!((vault.get("a").unwrap(), vault.get("b").unwrap()), (b"2".to_vec(), b"1".to_vec()));
    assert_eq!(rename("a", "b", RenameFlags::NOREPLACE), Err(Errno::EXIST));
    assert_eq!(rename("a", "c", RenameFlags::EXCHANGE), Err(Errno::NOENT));
    assert_eq!(rename("a", "c", RenameFlags::WHITEOUT), Err(Errno::INVAL));
    vault.filesystem.make_directory(ROOT, name("d"), 0o755, caller()).unwrap();
    assert_eq!(rename("a", "d", RenameFlags::EXCHANGE), Err(Errno::INVAL));
    assert_eq!(rename("a", "d", RenameFlags::empty()), Err(Errno::ISDIR));
    assert_eq!(rename("d", "a", RenameFlags::empty()), Err(Errno::NOTDIR));
    rename("a", "c", RenameFlags::NOREPLACE).unwrap();
    assert_eq!(vault.list(), ["b", "c", "d"]);
}

#[test]
fn a_file_without_a_name_lives_as_long_as_somebody_has_it_open() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    vault.filesystem.write(handle, b"before", 0, false, &|| ()).unwrap();
    vault.filesystem.unlink(ROOT, name("f")).unwrap();
    vault.filesystem.write(handle, b"after!", 0, false, &|| ()).unwrap();
    assert_eq!(vault.content(handle).unwrap(), b"after!");
    assert_eq!(vault.filesystem.sync(handle), Ok(()));
    assert_eq!(vault.filesystem.open.len(), 1);
    vault.filesystem.release(handle);
    assert_eq!(vault.filesystem.open.len(), 0, "nothing is kept of it");
    assert_eq!(vault.list(), Vec::<String>::new());
}

#[test]
fn hard_links_are_one_file() {
    let vault = Vault::new();
    vault.put("a", b"one");
    let node = vault.node("a").unwrap();
    let known = vault.filesystem.link(node, ROOT, name("b")).unwrap();
    assert_eq!((known.attributes.node, known.attributes.links), (node, 2));
    let (one, other) = (vault.open("a", OFlags::RDWR).unwrap(), vault.open("b", OFlags::RDWR).unwrap());
    vault.filesystem.write(one.handle, b"two", 0, false, &|| ()).unwrap();
    assert_eq!(vault.content(other.handle).unwrap(), b"two");
    vault.filesystem.unlink(ROOT, name("a")).unwrap();
    assert_eq!(vault.filesystem.attributes(node).unwrap().links, 1);
    assert_eq!(vault.filesystem.attributes(node).unwrap().size, 3);
}

#[test]
fn numbers_that_are_used_again_stand_for_another_generation() {
    let vault = Vault::new();
    let mut seen = std::collections::HashMap::new();
    for round in 0..200 {
        let file = format!("f{round}");
        vault.put(&file, b"x");
        let known = vault.filesystem.lookup(ROOT, name(&file)).unwrap();
        let fresh = seen.insert((known.attributes.node, known.generation), round);
        assert_eq!(fresh, None, "round {round}: the kernel would take it for the file before");
        vault.filesystem.unlink(ROOT, name(&file)).unwrap();
    }
}

#[test]
fn a_listing_goes_on_where_it_stopped() {
    let vault = Vault::new();
    for number in 0..300 {
        vault.put(&format!("file-{number:03}"), b"");
    }
    let handle = vault.filesystem.open_directory(ROOT).unwrap();
    let (mut names, mut offset) = (Vec::new(), 0);
    loop {
        let (mut room, from) = (7, offset);
        let before = names.len();
        let mut add = |entry: &crate::directory::Entry, known: Option<crate::filesystem::Known>| {
            if room == 0 {
                return true;
            }
            (room, offset) = (room - 1, entry.next);
            assert_eq!(known.is_some(), entry.name != "." && entry.name != "..");
            names.push(entry.name.clone());
            false
        };
        vault.filesystem.list(handle, from, true, &mut add).unwrap();
        if names.len() == before {
            break;
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 302);
}

#[test]
fn special_files_are_made_and_shown_as_what_they_are() {
    let vault = Vault::new();
    let make = |text: &str, mode| wait(vault.filesystem.make_node(ROOT, name(text), mode, 0, caller()));
    let kind = |known: crate::filesystem::Known| known.attributes.kind;
    assert_eq!(make("fifo", 0o010_644).map(kind), Ok(FileType::Fifo));
    assert_eq!(make("socket", 0o140_644).map(kind), Ok(FileType::Socket));
    assert_eq!(make("file", 0o100_644).map(kind), Ok(FileType::RegularFile));
    let link = vault.filesystem.make_link(ROOT, name("link"), name("file"), caller()).unwrap();
    assert_eq!(vault.filesystem.read_link(link.attributes.node).unwrap(), b"file");
    assert_eq!(vault.list(), ["fifo", "file", "link", "socket"]);
    assert_eq!(vault.get("file").unwrap(), b"");
}

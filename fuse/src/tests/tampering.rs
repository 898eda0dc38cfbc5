//! Damage below: an error and a line in the log, never wrong bytes, and nothing else is affected.

use std::os::unix::fs::FileExt;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::support::Vault;

const LEN: usize = 300_000;

fn plaintext() -> Vec<u8> {
    (0..LEN).map(|at| (at / 4096 * 13 + at * 7).to_le_bytes()[0]).collect()
}

/// Reads page by page; a page that cannot be read is `None`.
fn pages(vault: &Vault, name: &str) -> Result<Vec<Option<Vec<u8>>>, Errno> {
    let handle = vault.open(name, OFlags::RDONLY)?.handle;
    let page = |number: usize| {
        let mut page = vec![0; 4096];
        let length = vault.filesystem.read(handle, &mut page, number as u64 * 4096).ok()?;
        page.truncate(length);
        Some(page)
    };
    let pages = (0..LEN.div_ceil(4096)).map(page).collect();
    vault.filesystem.release(handle);
    Ok(pages)
}

#[test]
fn a_changed_byte_anywhere_is_an_error_or_the_right_bytes() {
    let vault = Vault::new();
    let plaintext = plaintext();
    vault.put("f", &plaintext);
    vault.put("g", b"untouched");
    vault.filesystem.finish().unwrap();
    let path = vault.below.join("f.wax");
    let size = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let mut seen = 0;
    for at in (0..size).step_by(1009).chain(2040..2060).chain(4090..4100) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
        let fresh = vault.elsewhere(&vault.below);
        match pages(&fresh, "f") {
            Err(error) => {
                assert_eq!(error, Errno::IO, "byte {at}");
                seen += 1;
            }
            Ok(pages) => {
                seen += usize::from(pages.iter().any(Option::is_none));
                for (number, page) in pages.iter().enumerate().filter_map(|(n, page)| page.as_ref().map(|p| (n, p))) {
                    let end = LEN.min((number + 1) * 4096);
                    assert_eq!(page, &plaintext[number * 4096..end], "byte {at}, chunk {number}");
                }
            }
        }
        assert_eq!(fresh.get("g").unwrap(), b"untouched");
        assert_eq!(fresh.size("f"), LEN as u64);
        file.write_all_at(&byte, at).unwrap();
    }
    assert!(seen > 200, "{seen} changes were seen");
    assert_eq!(vault.elsewhere(&vault.below).get("f").unwrap(), plaintext);
}

#[test]
fn damage_is_told_with_file_offset_and_reason() {
    let vault = Vault::new();
    vault.put("f", &plaintext());
    vault.filesystem.finish().unwrap();
    let file = std::fs::File::options().write(true).open(vault.below.join("f.wax")).unwrap();
    file.write_all_at(&[0; 4096], 8192).unwrap();
    let fresh = vault.elsewhere(&vault.below);
    let pages = pages(&fresh, "f").unwrap();
    assert!(pages[1].is_none() && pages[0].is_some() && pages[2].is_some());
    assert!(fresh.log.has("f.wax: ") && fresh.log.has("at byte 8192"));
}

#[test]
fn every_truncation_is_an_error_and_so_is_what_is_appended() {
    let vault = Vault::new();
    vault.put("f", &plaintext());
    vault.filesystem.finish().unwrap();
    let whole = std::fs::read(vault.below.join("f.wax")).unwrap();
    let lengths = [0, 1, 2047, 2048, 4095, 4096, 4097, 135_168, 139_264, whole.len() - 4096, whole.len() - 1];
    for length in lengths {
        std::fs::write(vault.below.join("f.wax"), &whole[..length]).unwrap();
        let fresh = vault.elsewhere(&vault.below);
        assert_eq!(fresh.get("f"), Err(Errno::IO), "cut to {length}");
    }
    for more in [1, 4096, 300_000] {
        std::fs::write(vault.below.join("f.wax"), [&whole[..], &vec![0; more]].concat()).unwrap();
        let fresh = vault.elsewhere(&vault.below);
        assert_eq!(fresh.get("f"), Err(Errno::IO), "{more} bytes appended");
    }
}

#[test]
fn bytes_that_change_under_an_open_file_are_seen() {
    let vault = Vault::new();
    vault.put("f", &plaintext());
    vault.filesystem.finish().unwrap();
    let fresh = vault.elsewhere(&vault.below);
    let handle = fresh.open("f", OFlags::RDWR).unwrap().handle;
    let file = std::fs::File::options().write(true).open(vault.below.join("f.wax")).unwrap();
    file.write_all_at(&[1], 5000).unwrap();
    let mut page = [0; 4096];
    assert_eq!(fresh.filesystem.read(handle, &mut page, 0), Err(Errno::IO));
    assert_eq!(fresh.filesystem.write(handle, b"part of a page", 10, false, &|| ()), Err(Errno::IO));
    assert_eq!(fresh.filesystem.read(handle, &mut page, 4096), Ok(4096));
}

#[test]
fn a_container_put_in_the_place_of_another_is_that_other_file_and_nothing_mixed() {
    let vault = Vault::new();
    vault.put("f", b"mine");
    vault.put("g", b"yours");
    vault.filesystem.finish().unwrap();
    let (f, g) = (vault.below.join("f.wax"), vault.below.join("g.wax"));
    // The header of one on the body of the other.
    let (mut mine, yours) = (std::fs::read(&f).unwrap(), std::fs::read(&g).unwrap());
    mine[..2048].copy_from_slice(&yours[..2048]);
    std::fs::write(&f, mine).unwrap();
    let fresh = vault.elsewhere(&vault.below);
    assert_eq!(fresh.get("f"), Err(Errno::IO));
    assert_eq!(fresh.get("g").unwrap(), b"yours");
}

#[test]
fn a_changed_extended_attribute_is_an_error() {
    let vault = Vault::new();
    vault.put("f", b"content");
    let node = vault.node("f").unwrap();
    let name = std::ffi::OsStr::new("user.kind");
    let set = vault.filesystem.set_attribute(node, name, b"secret", rustix::fs::XattrFlags::empty());
    match super::support::wait(set) {
        Err(Errno::OPNOTSUPP) => {
            eprintln!("SKIPPED: the temporary directory has no extended attributes");
            return;
        }
        result => result.unwrap(),
    }
    let get = || super::support::wait(vault.filesystem.attribute(node, name));
    assert_eq!(get().unwrap(), b"secret");
    assert_eq!(vault.filesystem.attribute_names(node).unwrap(), b"user.kind\0");
    let path = vault.below.join("f.wax");
    let mut stored = vec![0; 1000];
    let length = rustix::fs::getxattr(&path, "user.waxseal.kind", &mut stored).unwrap();
    assert!(!stored[..length].windows(6).any(|part| part == b"secret"));
    stored[length - 1] ^= 1;
    rustix::fs::setxattr(&path, "user.waxseal.kind", &stored[..length], rustix::fs::XattrFlags::empty()).unwrap();
    assert_eq!(get(), Err(Errno::IO));
    vault.filesystem.remove_attribute(node, name).unwrap();
    assert_eq!(get(), Err(Errno::NODATA));
}

//! Prepared containers in a mount: written once, and never read as empty files.

use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;
use waxseal_envelope::{Envelope, NewContainer};
use waxseal_key_service::{ErrorCode, KeyService};

use super::support::{Vault, wait};

/// Puts a prepared container below, with so many bytes behind it as an interrupted filling leaves.
fn prepare(vault: &Vault, name: &str, left: usize) {
    let envelope = Envelope::new(vec![Arc::clone(&vault.service) as Arc<dyn KeyService>]);
    let new = NewContainer::new(vec!["alias/default".parse().unwrap()]);
    let page = wait(envelope.prepare(&new)).unwrap();
    std::fs::write(vault.below.join(name), [&page[..], &vec![7; left]].concat()).unwrap();
}

#[test]
fn a_prepared_container_can_be_written_and_not_read() {
    for left in [0, 10_000] {
        let vault = Vault::new();
        prepare(&vault, "p.wax", left);
        // Programs that go by the size do not open an empty file.
        assert_ne!(vault.size("p"), 0);
        for flags in [OFlags::RDONLY, OFlags::RDWR, OFlags::WRONLY | OFlags::APPEND] {
            assert_eq!(vault.open("p", flags).map(|_| ()), Err(Errno::NODATA));
        }
        let handle = vault.open("p", OFlags::WRONLY).unwrap().handle;
        assert_eq!(vault.size("p"), 0);
        let content = vec![5; 300_000];
        vault.filesystem.write(handle, &content, 0, false, &|| ()).unwrap();
        vault.filesystem.flush(handle).unwrap();
        vault.filesystem.release(handle);
        assert!(vault.get("p").unwrap() == content, "{left}");
        let again = vault.open("p", OFlags::WRONLY).unwrap().handle;
        vault.filesystem.release(again);
        assert!(vault.get("p").unwrap() == content, "it is filled once");
    }
}

#[test]
fn a_prepared_container_whose_key_is_refused_stays_prepared() {
    let vault = Vault::new();
    prepare(&vault, "p.wax", 0);
    let before = std::fs::read(vault.below.join("p.wax")).unwrap();
    vault.service.refuse(Some(ErrorCode::AccessDenied));
    assert_eq!(vault.open("p", OFlags::WRONLY).map(|_| ()), Err(Errno::ACCESS));
    assert!(std::fs::read(vault.below.join("p.wax")).unwrap() == before);
}

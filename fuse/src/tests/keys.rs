//! Data keys: when the key service is asked, and what programs see when it refuses.

use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use waxseal_key_service::ErrorCode;

use super::support::{Vault, caller, wait};
use crate::nodes::ROOT;

#[test]
fn names_sizes_and_listings_need_no_key() {
    let vault = Vault::new();
    vault.put("f", &[7; 10_000]);
    vault.filesystem.finish().unwrap();
    let fresh = vault.elsewhere(&vault.below);
    let before = vault.service.calls();
    assert_eq!(fresh.list(), ["f"]);
    assert_eq!(fresh.size("f"), 10_000);
    let node = fresh.node("f").unwrap();
    fresh.filesystem.rename((ROOT, "f".as_ref()), (ROOT, "g".as_ref()), rustix::fs::RenameFlags::empty()).unwrap();
    assert_eq!(fresh.filesystem.attributes(node).unwrap().size, 10_000);
    assert_eq!(fresh.filesystem.attribute_names(node), Ok(Vec::new()));
    assert_eq!(vault.service.calls(), before);
}

#[test]
fn one_request_serves_everybody_who_waits_for_it() {
    let vault = Vault::new();
    vault.put("f", b"content");
    vault.filesystem.finish().unwrap();
    let fresh = vault.elsewhere(&vault.below);
    vault.service.slow_down();
    let before = vault.service.decrypted();
    let node = fresh.node("f").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let filesystem = Arc::clone(&fresh.filesystem);
            scope.spawn(move || wait(filesystem.open(node, OFlags::RDONLY, caller())).unwrap());
        }
    });
    assert_eq!(vault.service.decrypted(), before + 1);
}

#[test]
fn a_key_is_kept_for_a_while_after_the_last_close() {
    let vault = Vault::new();
    vault.put("f", b"content");
    vault.filesystem.finish().unwrap();
    let fresh = vault.elsewhere(&vault.below);
    let before = vault.service.decrypted();
    for _ in 0..5 {
        assert_eq!(fresh.get("f").unwrap(), b"content");
        assert_eq!(fresh.filesystem.open.len(), 0, "the file itself is closed");
    }
    assert_eq!(vault.service.decrypted(), before + 1);
}

#[test]
fn a_key_that_is_taken_away_ends_opening_and_nothing_else() {
    let vault = Vault::with_ttl(Duration::ZERO);
    vault.put("f", b"content");
    let open = vault.open("f", OFlags::RDONLY).unwrap();
    let node = vault.node("f").unwrap();
    while vault.outdated.try_recv().is_ok() {}
    for (code, errno) in [
        (ErrorCode::Disabled, Errno::ACCESS),
        (ErrorCode::AccessDenied, Errno::ACCESS),
        (ErrorCode::InvalidState, Errno::ACCESS),
        (ErrorCode::NotFound, Errno::NOKEY),
        (ErrorCode::DependencyTimeout, Errno::TIMEDOUT),
    ] {
        vault.service.refuse(Some(code));
        assert_eq!(vault.open("f", OFlags::RDONLY).map(|_| ()), Err(errno), "{code:?}");
        assert_eq!(vault.outdated.try_recv(), Ok(node), "the kernel drops its pages");
        assert_eq!(vault.create("new"), Err(errno), "{code:?}");
        assert_eq!(vault.list(), ["f"]);
        assert_eq!(vault.size("f"), 7);
    }
    assert_eq!(vault.content(open.handle).unwrap(), b"content", "who has it open keeps it");
    vault.service.refuse(None);
    assert_eq!(vault.get("f").unwrap(), b"content");
}

#[test]
fn an_answer_of_the_key_service_holds_as_long_as_the_ttl() {
    let vault = Vault::new();
    vault.put("f", b"content");
    assert_eq!(vault.get("f").unwrap(), b"content");
    vault.service.refuse(Some(ErrorCode::Disabled));
    assert_eq!(vault.get("f").unwrap(), b"content");
}

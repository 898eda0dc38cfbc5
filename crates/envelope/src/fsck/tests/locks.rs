//! Containers that somebody else has open.

use waxseal_container::Suite;

use super::support::*;
use crate::{EnvelopeError, Finding, Repair, lock_exclusive, lock_shared};

#[test]
fn a_container_that_somebody_else_uses_is_not_repaired() {
    let (file, _) = interrupted(Suite::default());
    let before = bytes(&file);
    let theirs = reopened(&file);
    for lock in [lock_shared, lock_exclusive] {
        assert!(lock(&theirs).unwrap());
        let error = fsck().repair(&unlock(&file), &file).unwrap_err();
        assert!(matches!(error, EnvelopeError::InUse), "{error}");
        assert!(bytes(&file) == before);
    }
    drop(theirs);
    assert!(matches!(fsck().repair(&unlock(&file), &file).unwrap(), Repair::Done(_)));
}

#[test]
fn a_repairer_has_the_container_for_itself() {
    let (file, _) = interrupted(Suite::default());
    fsck().repair(&unlock(&file), &file).unwrap();
    assert!(!lock_shared(&reopened(&file)).unwrap());
}

#[test]
fn a_container_that_cannot_be_written_is_not_repaired() {
    use std::os::fd::AsRawFd as _;
    let (file, _) = interrupted(Suite::default());
    let before = bytes(&file);
    let readable = std::fs::File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    let error = fsck().repair(&unlock(&file), &readable).unwrap_err();
    assert!(matches!(error, EnvelopeError::Lock(_)), "{error}");
    assert!(bytes(&file) == before);
}

#[test]
fn of_a_container_that_is_being_written_nothing_bad_is_said() {
    let (file, _) = interrupted(Suite::default());
    let mut damaged = bytes(&file);
    damaged[10_000] ^= 1;
    for broken in [file, file_of(&damaged)] {
        let theirs = reopened(&broken);
        assert!(lock_exclusive(&theirs).unwrap());
        let error = fsck().check(&unlock(&broken), &reopened(&broken)).unwrap_err();
        assert!(matches!(error, EnvelopeError::InUse), "{error}");
        let output = tempfile::tempfile().unwrap();
        let error = fsck().salvage(&unlock(&broken), &reopened(&broken), &output).unwrap_err();
        assert!(matches!(error, EnvelopeError::InUse), "{error}");
        assert_eq!(output.metadata().unwrap().len(), 0);
        // Whoever only reads keeps nobody from checking.
        assert!(lock_shared(&theirs).unwrap());
        check(&broken);
    }
}

#[test]
fn a_clean_container_is_clean_whoever_has_it_open() {
    let file = sealed(Suite::default(), &content(9000, 0));
    let theirs = reopened(&file);
    assert!(lock_exclusive(&theirs).unwrap());
    assert_eq!(check(&file), Finding::Clean { plaintext_len: 9000 });
    drop(theirs);
    let ours = reopened(&file);
    fsck().check(&unlock(&file), &ours).unwrap();
    assert!(lock_exclusive(&file).unwrap(), "a check of a clean container locks nobody out");
}

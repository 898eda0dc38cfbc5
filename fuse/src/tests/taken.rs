//! Writes that are acknowledged before they are worked on: nobody can tell.

use std::ffi::OsStr;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use waxseal_container::CHUNK_LEN;

use super::support::{Vault, caller, wait};
use crate::filesystem::{Changes, Known};
use crate::nodes::ROOT;

/// Much longer than anything takes that does not wait for what the test holds back.
const LONG: Duration = Duration::from_secs(60);

/// A moment in which whatever does not wait would be done, mostly: a test may miss a fault by it, and never sees one.
const MOMENT: Duration = Duration::from_millis(50);

fn known(vault: &Vault) -> Known {
    vault.filesystem.lookup(ROOT, OsStr::new("f")).unwrap()
}

fn chunks(count: usize, byte: u8) -> Vec<u8> {
    vec![byte; count * CHUNK_LEN]
}

/// Runs something beside the test, and tells what it returned.
fn beside<'s, T: Send + 's>(
    scope: &'s thread::Scope<'s, '_>,
    run: impl FnOnce() -> T + Send + 's,
) -> impl Fn(Duration) -> Option<T> {
    let (sender, told): (Sender<T>, _) = channel();
    scope.spawn(move || sender.send(run()));
    move |time| match told.recv_timeout(time) {
        Ok(value) => Some(value),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => panic!("what ran beside the test has failed"),
    }
}

#[test]
fn what_was_taken_is_seen_at_once_and_whoever_wants_it_flushed_waits() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    let (filesystem, other) = (&vault.filesystem, vault.open("f", OFlags::RDWR).unwrap().handle);
    let before = SystemTime::now();
    thread::scope(|scope| {
        let (done, is_done) = channel();
        filesystem
            .write(handle, &chunks(256, 7), 0, false, &|| {
                let attributes = known(&vault).attributes;
                assert_eq!(attributes.size, 256 * CHUNK_LEN as u64);
                assert!(attributes.modified >= before && attributes.changed >= before);
                // A reader, an fsync(2) and a close(2) come amid it.
                let read = beside(scope, || {
                    let mut buffer = chunks(256, 0);
                    filesystem.read(other, &mut buffer, 0).map(|_| buffer)
                });
                let synced = beside(scope, || filesystem.sync(other));
                let flushed = beside(scope, || filesystem.flush(other));
                assert!(read(MOMENT).is_none() && synced(MOMENT).is_none() && flushed(MOMENT).is_none());
                done.send((read, synced, flushed)).unwrap();
            })
            .unwrap();
        let (read, synced, flushed) = is_done.recv().unwrap();
        assert!(read(LONG).unwrap() == Ok(chunks(256, 7)));
        assert_eq!((synced(LONG), flushed(LONG)), (Some(Ok(())), Some(Ok(()))));
    });
    // Given to the file below, and not only taken.
    filesystem.release(handle);
    filesystem.release(other);
    let next = vault.elsewhere(&vault.below);
    drop(vault);
    assert!(next.get("f").unwrap() == chunks(256, 7));
}

#[test]
fn small_writes_do_not_wait_for_a_long_one_and_come_after_it() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    let filesystem = &vault.filesystem;
    filesystem.write(handle, &chunks(200, 1), 0, false, &|| ()).unwrap();
    thread::scope(|scope| {
        let amid = || {
            let small = beside(scope, || {
                for (number, byte) in [(3, 13), (9, 19), (127, 9), (9, 99)] {
                    filesystem.write(handle, &chunks(1, byte), number * CHUNK_LEN as u64, false, &|| ()).unwrap();
                }
            });
            small(LONG).expect("a small write waits for a long one");
        };
        filesystem.write(handle, &chunks(128, 2), 0, false, &amid).unwrap();
    });
    let mut expected = [chunks(128, 2), chunks(72, 1)].concat();
    for (number, byte) in [(3, 13), (9, 99), (127, 9)] {
        expected[number * CHUNK_LEN..][..CHUNK_LEN].fill(byte);
    }
    assert!(vault.content(handle).unwrap() == expected);
    // A cut takes them away like all others.
    thread::scope(|scope| {
        let amid = || {
            let small = beside(scope, || filesystem.write(handle, &chunks(1, 5), 0, false, &|| ()));
            small(LONG).expect("a small write waits for a long one").unwrap();
        };
        filesystem.write(handle, &chunks(128, 3), 0, false, &amid).unwrap();
    });
    let node = known(&vault).attributes.node;
    let changes = Changes { size: Some(100), ..Changes::default() };
    wait(filesystem.set_attributes(node, Some(handle), changes, caller())).unwrap();
    assert_eq!(vault.content(handle).unwrap(), [5; 100]);
    filesystem.release(handle);
    filesystem.finish().unwrap();
    let next = vault.elsewhere(&vault.below);
    drop(vault);
    assert_eq!(next.content_of_settled("f"), [5; 100]);
}

#[test]
fn long_writes_are_taken_amid_another_and_come_after_it_in_their_order() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    let filesystem = &vault.filesystem;
    thread::scope(|scope| {
        let (ends, ended) = channel();
        let amid = || {
            let mut places = (1..).zip([0, 100, 200]);
            let mut write_next = |time| {
                let (byte, place) = places.next().unwrap();
                let (sender, taken) = channel();
                let write = move || {
                    let taken = || sender.send(()).unwrap_or_default();
                    filesystem.write(handle, &chunks(256, 1 + byte), place * CHUNK_LEN as u64, false, &taken).unwrap();
                };
                ends.send(beside(scope, write)).unwrap();
                taken.recv_timeout(time).is_ok()
            };
            assert!(write_next(LONG) && write_next(LONG));
            assert_eq!(known(&vault).attributes.size, 356 * CHUNK_LEN as u64);
            assert!(!write_next(MOMENT), "no more than three are in hand");
        };
        filesystem.write(handle, &chunks(256, 1), 0, false, &amid).unwrap();
        for _ in 0..3 {
            ended.recv().unwrap()(LONG).expect("it ends");
        }
    });
    let expected = [chunks(100, 2), chunks(100, 3), chunks(256, 4)].concat();
    assert!(vault.content(handle).unwrap() == expected);
    filesystem.release(handle);
    filesystem.finish().unwrap();
    let next = vault.elsewhere(&vault.below);
    drop(vault);
    assert!(next.content_of_settled("f") == expected);
}

/// A small write is newer than a long one that was taken before, although somebody who came before both uses the content.
#[test]
fn a_small_write_comes_after_a_long_one_that_waits() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    let filesystem = &vault.filesystem;
    for syncs in [true, false] {
        thread::scope(|scope| {
            let (ends, ended) = channel();
            let amid = || {
                // It comes before both that follow, and has the content before the first of them.
                let early = beside(scope, move || {
                    if syncs { filesystem.sync(handle) } else { filesystem.read(handle, &mut [0], 0).map(drop) }
                });
                assert!(early(MOMENT).is_none());
                let (sender, taken) = channel();
                let long = beside(scope, move || {
                    let taken = || sender.send(()).unwrap_or_default();
                    filesystem.write(handle, &chunks(256, 2), 0, false, &taken).unwrap();
                });
                taken.recv_timeout(LONG).unwrap();
                let small = beside(scope, || filesystem.write(handle, &chunks(1, 3), 0, false, &|| ()).unwrap());
                small(LONG).expect("a small write waits for a long one");
                ends.send((early, long)).unwrap();
            };
            filesystem.write(handle, &chunks(256, 1), 0, false, &amid).unwrap();
            let (early, long) = ended.recv().unwrap();
            early(LONG).expect("it ends").unwrap();
            long(LONG).expect("it ends");
        });
        assert!(vault.content(handle).unwrap() == [chunks(1, 3), chunks(255, 2)].concat());
    }
}

#[test]
fn a_time_that_is_set_amid_a_write_stays() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let node = known(&vault).attributes.node;
    let (filesystem, changes) = (&vault.filesystem, Changes { modified: Some(time), ..Changes::default() });
    thread::scope(|scope| {
        let set = || wait(filesystem.set_attributes(node, Some(handle), changes, caller())).unwrap();
        // Unless root sets it, it waits for the write.
        let amid = || {
            beside(scope, set)(MOMENT);
        };
        filesystem.write(handle, &chunks(256, 7), 0, false, &amid).unwrap();
    });
    assert_eq!(known(&vault).attributes.modified, time);
    // Below as well, in case of a kill.
    assert_eq!(std::fs::metadata(vault.below.join("f.wax")).unwrap().modified().unwrap(), time);
}

#[test]
fn a_fault_amid_a_write_that_was_acknowledged_is_told_to_whoever_asks_next() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    vault.filesystem.write(handle, &chunks(32, 1), 0, false, &|| ()).unwrap();
    vault.filesystem.sync(handle).unwrap();
    // A few bytes would have been put into memory before.
    let fault = std::panic::AssertUnwindSafe(|| {
        vault.filesystem.write(handle, &chunks(32, 2), 0, false, &|| panic!("a fault, on purpose"))
    });
    std::panic::catch_unwind(fault).unwrap_err();
    assert_eq!(vault.filesystem.sync(handle), Err(rustix::io::Errno::IO));
    assert_eq!(vault.filesystem.sync(handle), Ok(()));
    assert!(vault.content(handle).unwrap() == chunks(32, 1));
}

#[test]
fn what_a_fault_has_lost_and_nobody_was_told_is_an_error_of_the_unmount() {
    for is_told in [true, false] {
        let vault = Vault::new();
        let handle = vault.create("f").unwrap();
        let fault = std::panic::AssertUnwindSafe(|| {
            vault.filesystem.write(handle, &chunks(32, 2), 0, false, &|| panic!("a fault, on purpose"))
        });
        std::panic::catch_unwind(fault).unwrap_err();
        if is_told {
            assert_eq!(vault.filesystem.sync(handle), Err(rustix::io::Errno::IO));
        }
        vault.filesystem.release(handle);
        // The file is closed before the end, or with it.
        vault.filesystem.settle_closed(0);
        assert_eq!(vault.filesystem.finish().is_ok(), is_told);
        assert_eq!(vault.filesystem.open.len(), 0);
    }
}

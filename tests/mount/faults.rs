//! A file system below that fails: callers are told, nothing acknowledged is lost, and the mount goes on.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use super::failing::Failing;
use super::support::{Mounted, containers_hold, detach, mountable};
use crate::support::noise;

/// Bytes of one write.
const PIECE: usize = 4096;
/// Pieces of the file.
const PIECES: u64 = 600;

/// What piece number `piece` is in a version of the file.
fn content(piece: u64, version: u64) -> Vec<u8> {
    noise(PIECE, piece * 1000 + version + 1)
}

#[test]
fn errors_below_are_told_and_lose_nothing_that_was_acknowledged() {
    let Some(world) = mountable() else { return };
    let Some(failing) = Failing::new(&world) else { return };
    let mut mounted = Mounted::new(&world, &[]);
    let mut expected: Vec<Vec<u8>> = (0..PIECES).map(|piece| content(piece, 0)).collect();
    fs::write(mounted.path("file"), expected.concat()).unwrap();
    File::open(mounted.path("file")).unwrap().sync_all().unwrap();
    let faults = ["write error 1", "write error 3", "write half 1", "write half 2", "sync error 1", "sync error 2"];
    for (fault, version) in faults.into_iter().zip(1..) {
        let file = File::options().read(true).write(true).open(mounted.path("file")).unwrap();
        failing.fails(fault);
        let mut errors = 0;
        for step in 0..PIECES / 2 {
            // Overwrites here and there, and some that make the file longer.
            let piece = if step % 10 == 0 { expected.len() as u64 } else { step * 7 % PIECES };
            match file.write_all_at(&content(piece, version), piece * PIECE as u64) {
                Ok(()) if piece == expected.len() as u64 => expected.push(content(piece, version)),
                Ok(()) => expected[usize::try_from(piece).unwrap()] = content(piece, version),
                Err(_) => errors += 1,
            }
            if step % 50 == 49 {
                errors += u32::from(file.sync_data().is_err());
            }
        }
        assert_eq!(errors == 0, fault.contains("half"), "{fault}: {errors} errors\n{}", mounted.log());
        // What was acknowledged is seen meanwhile, whatever the disk does.
        assert!(fs::read(mounted.path("file")).unwrap() == expected.concat(), "{fault}: seen while it fails");
        failing.works();
        // An error that nobody was told yet is told once; then everything is on the disk.
        file.sync_all().or_else(|_| file.sync_all()).unwrap_or_else(|error| panic!("{fault}: {error}"));
        drop(file);
        mounted.kill();
        detach(&world.path(super::support::CLEAR));
        mounted = Mounted::new(&world, &[]);
        assert!(fs::read(mounted.path("file")).unwrap() == expected.concat(), "{fault}: after a kill");
    }
    // A cut that fails has been made or not, and nothing in between.
    failing.fails("truncate error 1");
    let cut = File::options().write(true).open(mounted.path("file")).unwrap();
    assert!(cut.set_len(5000).and_then(|()| cut.sync_all()).is_err());
    failing.works();
    cut.sync_all().or_else(|_| cut.sync_all()).unwrap();
    drop(cut);
    let mut whole = expected.concat();
    let found = fs::read(mounted.path("file")).unwrap();
    if found.len() == 5000 {
        whole.truncate(5000);
    }
    assert!(found == whole, "{} bytes", found.len());
    mounted.unmount();
    containers_hold(&world, &[("file".into(), whole)]);
}

#[test]
fn what_was_acknowledged_before_it_was_encrypted_is_kept_and_its_error_is_told() {
    const LONG: usize = 1 << 20;
    let Some(world) = mountable() else { return };
    let Some(failing) = Failing::new(&world) else { return };
    let mounted = Mounted::new(&world, &[]);
    let file = File::options().read(true).write(true).create(true).truncate(true).open(mounted.path("file")).unwrap();
    failing.fails("write error 1");
    let mut expected = Vec::new();
    for number in 0.. {
        let piece = noise(LONG, number);
        match file.write_all_at(&piece, expected.len() as u64) {
            Ok(()) => expected.extend(piece),
            Err(_) => break,
        }
        // Nothing goes down, and memory is bounded: sooner or later a write says so.
        assert!(expected.len() <= 64 * LONG, "all of it is kept in memory");
    }
    assert!(expected.len() >= LONG, "nothing was acknowledged");
    assert!(file.sync_all().is_err(), "nobody was told");
    // A write that was refused may have changed what lies in its range.
    let holds_what_was_acknowledged =
        |found: &[u8]| found.starts_with(&expected) && found.len() <= expected.len() + LONG;
    assert!(holds_what_was_acknowledged(&fs::read(mounted.path("file")).unwrap()), "while it fails");
    failing.works();
    file.sync_all().or_else(|_| file.sync_all()).unwrap();
    drop(file);
    mounted.kill();
    detach(&world.path(super::support::CLEAR));
    let mounted = Mounted::new(&world, &[]);
    assert!(holds_what_was_acknowledged(&fs::read(mounted.path("file")).unwrap()), "after a kill");
    mounted.unmount();
}

//! Calls that random operations do not make: writing through to the disk, past the page cache, at the end; locks.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::process::Command;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::support::{CLEAR, Mounted, containers_hold, detach, mountable, succeeds};
use crate::support::{needed, noise};

fn with(flags: OFlags) -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).create(true).custom_flags(i32::try_from(flags.bits()).unwrap());
    options
}

#[test]
fn what_is_written_to_be_on_the_disk_is_there_after_a_kill() {
    let Some(world) = mountable() else { return };
    for flags in [OFlags::SYNC, OFlags::DSYNC] {
        let mounted = Mounted::new(&world, &[]);
        let file = with(flags).open(mounted.path("f")).unwrap();
        file.set_len(0).unwrap();
        let mut expected = Vec::new();
        // Whole chunks, parts of chunks, and long pieces.
        for (number, length) in [4096, 4096, 100, 5000, 1 << 20, 8192, 1].into_iter().enumerate() {
            let piece = noise(length, number as u64);
            file.write_all_at(&piece, expected.len() as u64).unwrap();
            expected.extend(piece);
        }
        file.write_all_at(&noise(4096, 100), 4096).unwrap();
        expected[4096..8192].copy_from_slice(&noise(4096, 100));
        drop(file);
        mounted.kill();
        detach(&world.path(CLEAR));
        let mounted = Mounted::new(&world, &[]);
        assert!(fs::read(mounted.path("f")).unwrap() == expected, "{flags:?}");
        mounted.unmount();
        containers_hold(&world, &[("f".to_owned(), expected)]);
    }
}

#[test]
fn what_goes_past_the_page_cache_is_the_same_file_and_needs_no_alignment() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let direct = with(OFlags::DIRECT).open(mounted.path("f")).unwrap();
    let cached = File::options().read(true).write(true).open(mounted.path("f")).unwrap();
    let mut expected = noise(300_000, 1);
    cached.write_all_at(&expected, 0).unwrap();
    for (offset, length) in [(0, 4096), (3, 5000), (8192, 65_536), (131_000, 140_000), (299_999, 1)] {
        let piece = noise(length, offset as u64 + 7);
        direct.write_all_at(&piece, offset as u64).unwrap();
        expected[offset..offset + length].copy_from_slice(&piece);
        let mut found = vec![0; expected.len()];
        for file in [&cached, &direct] {
            file.read_exact_at(&mut found, 0).unwrap();
            assert!(found == expected, "{length} bytes at {offset}");
        }
    }
    drop((direct, cached));
    mounted.unmount();
    containers_hold(&world, &[("f".to_owned(), expected)]);
}

#[test]
fn those_who_append_do_not_write_over_each_other() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let line = |writer: usize, number: usize| format!("{writer} {number:0width$}\n", width = 10 + number * 53 % 3000);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let mut file = File::options().append(true).create(true).open(mounted.path("f")).unwrap();
            scope.spawn(move || (0..100).for_each(|number| file.write_all(line(writer, number).as_bytes()).unwrap()));
        }
    });
    let found = fs::read_to_string(mounted.path("f")).unwrap();
    for writer in 0..4 {
        let own: String = found.split_inclusive('\n').filter(|line| line.starts_with(&format!("{writer} "))).collect();
        assert!(own == (0..100).map(|number| line(writer, number)).collect::<String>(), "lines of {writer}");
    }
    mounted.unmount();
    containers_hold(&world, &[("f".to_owned(), found.into_bytes())]);
}

/// Takes the lock of fcntl(2) on a file, or says that somebody has it.
const LOCK: &str = r#"
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("free")
except BlockingIOError:
    print("locked")
"#;

#[test]
fn programs_on_the_mount_lock_files_against_each_other() {
    let (Some(world), Some(python)) = (mountable(), needed("python3")) else { return };
    let mounted = Mounted::new(&world, &[]);
    let one = with(OFlags::empty()).open(mounted.path("f")).unwrap();
    let other = with(OFlags::empty()).open(mounted.path("f")).unwrap();
    flock(&one, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(flock(&other, FlockOperation::NonBlockingLockShared), Err(Errno::WOULDBLOCK));
    flock(&one, FlockOperation::Unlock).unwrap();
    flock(&other, FlockOperation::NonBlockingLockShared).unwrap();
    // The locks of fcntl(2) are another kind, and between processes.
    let asked = || succeeds(Command::new(&python).args(["-c", LOCK]).arg(mounted.path("f")));
    assert_eq!(asked(), "free\n");
    rustix::fs::fcntl_lock(&one, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(asked(), "locked\n");
    rustix::fs::fcntl_lock(&one, FlockOperation::Unlock).unwrap();
    assert_eq!(asked(), "free\n");
    drop((one, other));
    mounted.unmount();
}

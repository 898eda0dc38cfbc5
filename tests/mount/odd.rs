//! What few programs do: the mount answers as a plain directory does, or as SEMANTICS.md says where it cannot.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use rustix::fs::{FallocateFlags, SeekFrom, XattrFlags, fallocate, getxattr, seek, setxattr};
use rustix::io::Errno;

use super::support::{CLEAR, Mounted, containers_hold, contents, mountable, succeeds};
use crate::support::{names_in, needed, noise};

/// The error of an attempt that has to fail.
#[track_caller]
fn error<T: std::fmt::Debug>(attempt: std::io::Result<T>) -> Errno {
    Errno::from_io_error(&attempt.unwrap_err()).unwrap()
}

#[test]
fn odd_calls_are_answered_as_in_a_plain_directory() {
    let (Some(world), Some(python)) = (mountable(), needed("python3")) else { return };
    fs::create_dir(world.path("plain")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/mount/odd.py");
    let run = |directory: &Path| succeeds(Command::new(&python).arg(script).current_dir(directory));
    let expected = run(&world.path("plain"));
    let mounted = Mounted::new(&world, &[]);
    let found = run(&mounted.root());
    for (expected, found) in expected.lines().zip(found.lines()) {
        assert_eq!(found, expected, "{}", mounted.log());
    }
    assert_eq!(found.lines().count(), expected.lines().count());
    let (left, plain) = (contents(&mounted.root()), contents(&world.path("plain")));
    assert!(left == plain, "{left:?} {plain:?}");
    mounted.unmount();
    containers_hold(&world, &left);
}

#[test]
fn names_are_as_long_as_the_mount_says_and_no_longer() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    assert_eq!(rustix::fs::statvfs(mounted.root()).unwrap().f_namemax, 251);
    let longest = "x".repeat(251);
    fs::write(mounted.path(&longest), "content").unwrap();
    assert_eq!(names_in(&world.path("vault")), [format!("{longest}.wax")]);
    fs::rename(mounted.path(&longest), mounted.path("f")).unwrap();
    fs::create_dir(mounted.path("d")).unwrap();
    fs::rename(mounted.path("f"), mounted.path("d").join(&longest)).unwrap();
    for length in [252, 255, 256, 4000] {
        let name = mounted.path(&"y".repeat(length));
        for attempt in [
            fs::write(&name, "x"),
            fs::create_dir(&name),
            std::os::unix::fs::symlink("x", &name),
            fs::hard_link(mounted.path("d").join(&longest), &name),
            fs::rename(mounted.path("d"), &name),
            fs::metadata(&name).map(drop),
            fs::remove_file(&name),
        ] {
            assert_eq!(error(attempt), Errno::NAMETOOLONG, "{length}");
        }
    }
    // What has a longer name below is not shown, and in nobody's way.
    fs::create_dir(world.path("vault").join("z".repeat(255))).unwrap();
    fs::write(world.path("vault").join(format!("{}.wax", "z".repeat(251))), "no container").unwrap();
    assert_eq!(names_in(&mounted.root()), ["d".to_owned(), "z".repeat(251)]);
    // Bytes that are no text.
    let odd = mounted.root().join(OsStr::from_bytes(b"\xff\xfe\n \\"));
    fs::write(&odd, "odd").unwrap();
    assert!(world.path("vault").join(OsStr::from_bytes(b"\xff\xfe\n \\.wax")).is_file());
    assert_eq!(fs::read(&odd).unwrap(), b"odd");
    fs::remove_file(&odd).unwrap();
    mounted.unmount();
}

#[test]
fn places_far_beyond_any_file_are_refused_and_the_file_stays() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let content = noise(100_000, 1);
    fs::write(mounted.path("f"), &content).unwrap();
    let file = File::options().read(true).write(true).open(mounted.path("f")).unwrap();
    const END: u64 = i64::MAX as u64;
    for place in [END - 10, END - 4096, END / 2 + 2] {
        assert_eq!(error(file.write_at(b"x", place)), Errno::FBIG, "{place}");
        assert_eq!(error(file.set_len(place)), Errno::FBIG, "{place}");
        assert_eq!(fallocate(&file, FallocateFlags::empty(), place - 1, 1), Err(Errno::FBIG), "{place}");
        assert_eq!(fallocate(&file, FallocateFlags::KEEP_SIZE, place - 1, 1), Err(Errno::FBIG), "{place}");
        assert_eq!(file.read_at(&mut [0; 10], place).unwrap(), 0);
        assert_eq!(seek(&file, SeekFrom::Data(place)), Err(Errno::NXIO));
    }
    assert_eq!(error(file.set_len(END)), Errno::FBIG);
    assert!(fs::read(mounted.path("f")).unwrap() == content);
    drop(file);
    mounted.unmount();
    containers_hold(&world, &[("f".to_owned(), content)]);
}

#[test]
fn a_file_that_is_mostly_hole_is_cut_punched_and_recovered_like_any_other() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let file = File::options().read(true).write(true).create(true).truncate(true).open(mounted.path("f")).unwrap();
    // A few bytes at the ends of 16 GiB.
    const FAR: u64 = 1 << 34;
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(b"end", FAR).unwrap();
    assert_eq!(file.metadata().unwrap().len(), FAR + 3);
    assert_eq!(seek(&file, SeekFrom::Hole(0)), Ok(4096));
    assert_eq!(seek(&file, SeekFrom::Data(4096)), Ok(FAR));
    fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 1, FAR - 1).unwrap();
    fallocate(&file, FallocateFlags::ZERO_RANGE, 8192, FAR / 2).unwrap();
    let mut found = [0; 6];
    file.read_exact_at(&mut found, 0).unwrap();
    assert_eq!(&found, b"b\0\0\0\0\0");
    file.read_exact_at(&mut found[..3], FAR).unwrap();
    assert_eq!(&found[..3], b"end");
    file.sync_all().unwrap();
    drop(file);
    mounted.kill();
    super::support::detach(&world.path(CLEAR));
    let mounted = Mounted::new(&world, &[]);
    let file = File::options().read(true).write(true).open(mounted.path("f")).unwrap();
    file.read_exact_at(&mut found[..3], FAR).unwrap();
    assert_eq!(&found[..3], b"end");
    file.set_len(6).unwrap();
    drop(file);
    mounted.unmount();
    containers_hold(&world, &[("f".to_owned(), b"b\0\0\0\0\0".to_vec())]);
}

#[test]
fn attributes_are_as_large_as_the_system_takes_less_what_encrypting_them_adds() {
    let Some(world) = mountable() else { return };
    // What the file system below takes.
    world.write("plain", "");
    if setxattr(world.path("plain"), "user.a", b"x", XattrFlags::empty()) == Err(Errno::OPNOTSUPP) {
        return crate::support::skipped("the file system of temporary files has no extended attributes");
    }
    let mounted = Mounted::new(&world, &[]);
    let path = mounted.path("f");
    fs::write(&path, "content").unwrap();
    let set = |name: &str, value: &[u8]| setxattr(&path, name, value, XattrFlags::empty());
    let mut buffer = vec![0; 65536];
    for length in [0, 1, 1000, 3000] {
        let value = noise(length, 1);
        set("user.a", &value).unwrap();
        assert_eq!(getxattr(&path, "user.a", &mut buffer), Ok(length));
        assert!(buffer[..length] == value);
    }
    let before = noise(3000, 1);
    // The longest nonce of 24 bytes and the tag of 16 have to find room as well.
    for length in [65536 - 39, 65536] {
        assert_eq!(set("user.a", &noise(length, 2)), Err(Errno::TOOBIG), "{length}");
    }
    // The largest is a question of the file system below.
    let plain = setxattr(world.path("plain"), "user.a", &vec![1; 65536 - 40 + 28], XattrFlags::empty());
    assert_eq!(set("user.b", &noise(65536 - 40, 3)), plain);
    assert_eq!(getxattr(&path, "user.a", &mut buffer), Ok(before.len()));
    assert!(buffer[..before.len()] == before);
    assert_eq!(getxattr(&path, "user.a", &mut [0; 2999]), Err(Errno::RANGE));
    // Names: below stands "user.waxseal." in front.
    let name = |length: usize| format!("user.{}", "n".repeat(length - 5));
    set(&name(247), b"x").unwrap();
    for length in [248, 255] {
        assert_eq!(set(&name(length), b"x"), Err(Errno::RANGE), "{length}");
    }
    for name in ["security.a", "system.a", "other.a"] {
        assert!(set(name, b"x").is_err(), "{name}");
    }
    mounted.unmount();
}

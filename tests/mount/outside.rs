//! Other hands in the directory below, while it is mounted: what they do is seen, and never followed out of it.
//!
//! What the kernel is told holds for a second (`TTL` in `fuse/src/adapter.rs`, which a test there holds); here it is waited
//! for as long as it takes.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, symlink};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::io::Errno;
use waxseal_envelope::lock_exclusive;

use super::support::{Mounted, containers_hold, eventually, mountable};
use crate::support::{SUITES, World, names_in, noise};

/// Whether an attempt failed like this.
fn failed<T>(attempt: std::io::Result<T>, error: Errno) -> bool {
    attempt.is_err_and(|found| found.raw_os_error() == Some(error.raw_os_error()))
}

/// Puts a container of this content in the place of what is at `name`.
fn replace(world: &World, name: &str, content: &[u8]) {
    world.container("aside.wax", content, SUITES[1]);
    fs::rename(world.path("aside.wax"), world.path(name)).unwrap();
}

#[test]
fn files_that_are_replaced_moved_and_removed_while_they_are_open_are_seen_and_stay_open() {
    let Some(world) = mountable() else { return };
    let (first, second) = (noise(200_000, 1), noise(70_000, 2));
    world.container("vault/f.wax", &first, SUITES[0]);
    let mounted = Mounted::new(&world, &[]);
    let open = File::open(mounted.path("f")).unwrap();
    let still_the_first = || {
        let mut found = vec![0; first.len()];
        open.read_exact_at(&mut found, 0).unwrap();
        found == first
    };
    assert!(still_the_first());
    replace(&world, "vault/f.wax", &second);
    eventually("the new one is read", || fs::read(mounted.path("f")).is_ok_and(|found| found == second));
    assert!(still_the_first());
    assert_eq!(open.metadata().unwrap().len(), first.len() as u64);
    // A directory comes with what is in it, and goes under another name.
    fs::create_dir(world.path("new")).unwrap();
    fs::rename(world.path("vault/f.wax"), world.path("new/g.wax")).unwrap();
    fs::rename(world.path("new"), world.path("vault/d")).unwrap();
    eventually("it is seen where it is now", || fs::read(mounted.path("d/g")).is_ok_and(|found| found == second));
    eventually("it is not seen where it was", || failed(fs::metadata(mounted.path("f")), Errno::NOENT));
    fs::rename(world.path("vault/d"), world.path("vault/e")).unwrap();
    eventually("it has followed its directory", || fs::read(mounted.path("e/g")).is_ok_and(|found| found == second));
    eventually("nothing is left", || failed(fs::metadata(mounted.path("d")), Errno::NOENT));
    fs::remove_dir_all(world.path("vault/e")).unwrap();
    eventually("it is gone", || failed(fs::metadata(mounted.path("e/g")), Errno::NOENT));
    assert_eq!(names_in(&mounted.root()), [] as [&str; 0]);
    assert!(still_the_first());
    drop(open);
    mounted.unmount();
}

#[test]
fn what_takes_the_place_of_a_container_is_not_followed_and_not_waited_for() {
    let Some(world) = mountable() else { return };
    fs::create_dir_all(world.path("out")).unwrap();
    world.write("secret", "not in the directory");
    world.container("out/f.wax", b"not in the directory either", SUITES[0]);
    let mounted = Mounted::new(&world, &[]);
    let at = world.path("vault/f.wax");
    let node = |kind: FileType, device: u64| mknodat(CWD, &at, kind, Mode::from_raw_mode(0o666), device).is_ok();
    let others: [(&str, &dyn Fn() -> bool); 6] = [
        ("a link to a file", &|| symlink(world.path("secret"), &at).is_ok()),
        ("a link to a container", &|| symlink("../out/f.wax", &at).is_ok()),
        ("a fifo", &|| node(FileType::Fifo, 0)),
        ("a socket", &|| node(FileType::Socket, 0)),
        // Only root makes these.
        ("a device", &|| node(FileType::CharacterDevice, makedev(1, 5))),
        ("a directory", &|| fs::create_dir(&at).is_ok()),
    ];
    for (what, put) in others {
        replace(&world, "vault/f.wax", b"content");
        eventually("the container is read", || fs::read(mounted.path("f")).is_ok_and(|found| found == b"content"));
        let open = File::options().read(true).write(true).open(mounted.path("f")).unwrap();
        fs::remove_file(&at).unwrap();
        if !put() {
            continue;
        }
        eventually(&format!("{what} is no file"), || failed(fs::read(mounted.path("f")), Errno::NOENT));
        assert!(failed(File::options().write(true).open(mounted.path("f")), Errno::NOENT), "{what}");
        // Making a file there is refused, since its stored name is taken.
        assert!(failed(fs::write(mounted.path("f"), "x"), Errno::EXIST), "{what}");
        // Who had it open has it still.
        open.write_all_at(b"CONTENT", 0).unwrap();
        let mut found = [0; 7];
        open.read_exact_at(&mut found, 0).unwrap();
        assert_eq!(&found, b"CONTENT", "{what}");
        drop(open);
        if what == "a directory" { fs::remove_dir(&at) } else { fs::remove_file(&at) }.unwrap();
    }
    assert_eq!(world.read("secret"), b"not in the directory");
    assert_eq!(world.run(["cat", "out/f.wax"]).succeeds_silently().stdout, b"not in the directory either");
    mounted.unmount();
}

#[test]
fn a_directory_that_became_a_link_out_of_the_mount_is_left_alone() {
    let Some(world) = mountable() else { return };
    for name in ["vault/d", "out"] {
        fs::create_dir(world.path(name)).unwrap();
        world.container(&format!("{name}/f.wax"), name.as_bytes(), SUITES[0]);
    }
    let mounted = Mounted::new(&world, &[]);
    let inside = File::open(mounted.path("d")).unwrap();
    assert_eq!(fs::read(mounted.path("d/f")).unwrap(), b"vault/d");
    fs::rename(world.path("vault/d"), world.path("away")).unwrap();
    symlink(world.path("out"), world.path("vault/d")).unwrap();
    eventually("the link is shown as a link", || fs::read_link(mounted.path("d")).is_ok());
    // The program follows it by itself, to what lies there: a container.
    assert!(failed(fs::read(mounted.path("d/f")), Errno::NOENT));
    // Who is in the directory that was there reaches neither the one nor the other by its name.
    let made = rustix::fs::openat(&inside, "g", rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY, Mode::RWXU);
    assert!(made.is_err() || names_in(&world.path("away")).contains(&"g.wax".to_owned()));
    assert_eq!(names_in(&world.path("out")), ["f.wax"]);
    drop((made, inside));
    mounted.unmount();
}

#[test]
fn the_directory_below_may_be_moved_away_and_removed() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    fs::write(mounted.path("f"), "before").unwrap();
    fs::rename(world.path("vault"), world.path("moved")).unwrap();
    fs::create_dir(world.path("vault")).unwrap();
    world.container("vault/stranger.wax", b"not mounted", SUITES[0]);
    fs::write(mounted.path("g"), "after").unwrap();
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"before");
    assert_eq!(names_in(&mounted.root()), ["f", "g"]);
    eventually("it is settled", || world.run(["cat", "moved/g.wax"]).stdout == b"after");
    fs::remove_dir_all(world.path("moved")).unwrap();
    eventually("nothing is left", || names_in(&mounted.root()).is_empty());
    eventually("the file is gone", || failed(fs::read(mounted.path("f")), Errno::NOENT));
    // ext4 says EPERM of a directory that is gone.
    assert!(fs::write(mounted.path("h"), "x").is_err());
    assert!(failed(fs::create_dir(mounted.path("d")), Errno::NOENT));
    mounted.unmount();
    assert_eq!(names_in(&world.path("vault")), ["stranger.wax"]);
}

#[test]
fn a_container_that_another_process_is_writing_is_refused_and_not_merged() {
    let Some(world) = mountable() else { return };
    world.container("vault/f.wax", b"content", SUITES[0]);
    let mounted = Mounted::new(&world, &[]);
    let writer = File::options().read(true).write(true).open(world.path("vault/f.wax")).unwrap();
    assert!(lock_exclusive(&writer).unwrap());
    assert!(failed(fs::read(mounted.path("f")), Errno::BUSY));
    assert!(failed(File::options().write(true).open(mounted.path("f")), Errno::BUSY));
    assert!(failed(fs::write(mounted.path("f"), "cut"), Errno::BUSY));
    // All else goes on: it is listed with its size, and others are written.
    assert_eq!(fs::metadata(mounted.path("f")).unwrap().len(), 7);
    fs::write(mounted.path("g"), "others").unwrap();
    drop(writer);
    // A test beside this one may be starting a program, which has our open files until it is executed.
    eventually("the lock is gone", || fs::read(mounted.path("f")).is_ok_and(|found| found == b"content"));
    mounted.unmount();
    containers_hold(&world, &[("f".into(), b"content".to_vec()), ("g".into(), b"others".to_vec())]);
}

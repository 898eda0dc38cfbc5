//! Modes, times, links and devices: what an output takes over, and what it is written to.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Command;

use crate::support::{World, noise};

fn mode(world: &World, name: &str) -> u32 {
    fs::metadata(world.path(name)).unwrap().mode() & 0o7777
}

#[test]
fn modes_and_times_are_those_of_the_source_both_ways() {
    let world = World::with_store();
    let (after, before) = ("2001-02-03 04:05:06.789012345", "1933-03-03 03:03:03.123456789");
    for (bits, time) in [(0o600, after), (0o644, before), (0o400, after), (0o755, after), (0o640, after)] {
        world.write("f", "content");
        fs::set_permissions(world.path("f"), fs::Permissions::from_mode(bits)).unwrap();
        let touched = Command::new("touch").args(["-d", time]).arg(world.path("f")).status();
        assert!(touched.unwrap().success());
        world.run(["encrypt", "f"]).succeeds_silently();
        world.run(["decrypt", "f.wax", "-o", "g"]).succeeds_silently();
        let times = |name: &str| {
            let meta = fs::metadata(world.path(name)).unwrap();
            (meta.mtime(), meta.mtime_nsec())
        };
        for name in ["f.wax", "g"] {
            assert_eq!(mode(&world, name), bits, "{name}");
            assert_eq!(times(name), times("f"), "{name}");
            fs::remove_file(world.path(name)).unwrap();
        }
        fs::remove_file(world.path("f")).unwrap();
    }
}

#[test]
fn set_user_id_is_not_passed_on() {
    let world = World::with_store();
    world.write("f", "content");
    fs::set_permissions(world.path("f"), fs::Permissions::from_mode(0o4755)).unwrap();
    world.run(["encrypt", "f"]).succeeds_silently();
    assert_eq!(mode(&world, "f.wax"), 0o755);
}

#[test]
fn a_stream_into_a_file_gets_the_mode_that_the_umask_leaves() {
    let world = World::with_store();
    let line = format!("umask 027; echo x | {} encrypt -o out.wax", env!("CARGO_BIN_EXE_waxseal"));
    let status = Command::new("sh")
        .args(["-c", &line])
        .current_dir(world.dir())
        .env("WAXSEAL_HOME", world.home())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(mode(&world, "out.wax"), 0o640);
}

#[test]
fn a_link_at_the_output_leads_to_its_target() {
    let world = World::with_store();
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.write("f", "content");
    world.write("elsewhere/old", "old");
    symlink("elsewhere/old", world.path("f.wax")).unwrap();
    world.run(["encrypt", "f"]).fails_with(4).says("elsewhere/old: exists already");
    world.run(["encrypt", "-f", "f"]).succeeds_silently();
    assert!(fs::symlink_metadata(world.path("f.wax")).unwrap().is_symlink());
    assert_eq!(world.run(["cat", "elsewhere/old"]).succeeds().stdout, b"content");

    symlink("elsewhere/new", world.path("dangling")).unwrap();
    world.run(["encrypt", "f", "-o", "dangling"]).succeeds_silently();
    assert_eq!(world.run(["cat", "elsewhere/new"]).succeeds().stdout, b"content");
    symlink("loop", world.path("loop")).unwrap();
    world.run(["encrypt", "f", "-o", "loop"]).fails_with(4);
    assert_eq!(world.names(), ["dangling", "elsewhere", "f", "f.wax", "loop"]);
}

#[test]
fn devices_are_written_and_never_replaced() {
    let world = World::with_store();
    world.write("f", noise(300_000, 1));
    world.run(["encrypt", "f", "-o", "/dev/null"]).succeeds_silently();
    world.run(["encrypt", "-f", "f", "-o", "/dev/null"]).succeeds_silently();
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    world.run(["encrypt", "f", "-o", "/dev/full"]).fails_with(4).says("/dev/full: cannot be written: no space left");
    let out = world.run(["encrypt", "f", "-o", "/dev/stdout"]).succeeds();
    assert!(world.pipe(["decrypt"], &out.stdout).succeeds().stdout == world.read("f"));
}

#[test]
fn a_named_pipe_is_read_and_written() {
    let world = World::with_store();
    let content = noise(500_000, 1);
    world.write("f", &content);
    for name in ["in", "out"] {
        assert!(Command::new("mkfifo").arg(world.path(name)).status().unwrap().success());
    }
    let mut writer = world.command(["encrypt", "f", "-o", "out"]).spawn().unwrap();
    let container = world.read("out");
    assert!(writer.wait().unwrap().success());
    let reader = world.command(["decrypt", "in", "-o", "back"]).spawn().unwrap();
    fs::write(world.path("in"), &container).unwrap();
    assert!(reader.wait_with_output().unwrap().status.success());
    assert!(world.read("back") == content);
    assert!(fs::metadata(world.path("out")).unwrap().file_type().is_fifo());
    assert_eq!(world.names(), ["back", "f", "in", "out"]);
}

#[test]
fn names_that_are_no_text_work_and_are_shown_harmlessly() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::with_store();
    let name = OsStr::from_bytes(b"\xff\x1b[2Jx\n");
    fs::write(world.dir().join(name), "content").unwrap();
    world.run([OsStr::new("encrypt"), name]).succeeds_silently();
    let again = world.run([OsStr::new("encrypt"), name]).fails_with(4);
    assert!(!again.stderr.contains('\u{1b}'), "{}", again.stderr);
    assert_eq!(again.stderr.lines().count(), 2);
}

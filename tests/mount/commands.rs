//! `waxseal mount` and `waxseal umount` as commands: what they do, print and refuse.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::support::{CLEAR, Mounted, VAULT, eventually, is_mounted, mount_in_background, mountable, runs};
use crate::support::{names_in, noise};

#[test]
fn a_mount_goes_into_the_background_and_umount_waits_until_everything_is_written() {
    let Some(world) = mountable() else { return };
    let answer = mount_in_background(&world, &[]);
    let process = answer["process"].as_u64().unwrap();
    assert_eq!(answer["operation"], "mounted");
    assert_eq!(answer["mountpoint"], world.path(CLEAR).to_str().unwrap());
    assert_eq!(answer["read_only"], false);
    assert!(runs(process));
    let content = noise(3_000_001, 1);
    fs::write(world.path("clear/f"), &content).unwrap();
    assert!(world.read("clear/f") == content);
    let run = world.run(["--json", "umount", CLEAR]).succeeds_silently();
    let place = world.path(CLEAR);
    assert_eq!(
        run.json(),
        [json!({"v": 1, "status": "ok", "operation": "unmounted", "mountpoint": place.to_str().unwrap()})]
    );
    // Nobody waited for the process: what is on disk now is what umount promised.
    assert!(world.run(["cat", "vault/f.wax"]).succeeds_silently().stdout == content);
    assert_eq!(names_in(&world.path(VAULT)), ["f.wax"]);
    assert!(!is_mounted(&world.path(CLEAR)));
    eventually("the process has ended", || !runs(process));
}

#[test]
fn commands_say_what_they_did_only_when_asked() {
    let Some(world) = mountable() else { return };
    world.run(["mount", VAULT, CLEAR]).succeeds_silently().writes_nothing();
    world.run(["umount", CLEAR]).succeeds_silently().writes_nothing();
    let (vault, clear) = (world.path(VAULT), world.path(CLEAR));
    let run = world.run(["-v", "mount", VAULT, CLEAR]).succeeds();
    run.says_exactly(&format!("mounted {} at {}", vault.display(), clear.display()));
    world.run(["-v", "umount", CLEAR]).succeeds().says_exactly(&format!("unmounted {}", clear.display()));
}

#[test]
fn a_background_mount_keeps_no_terminal_no_directory_and_no_pipe() {
    let Some(world) = mountable() else { return };
    let process = mount_in_background(&world, &[])["process"].as_u64().unwrap();
    let link = |name: &str| fs::read_link(format!("/proc/{process}/{name}")).unwrap();
    assert_eq!(link("cwd").to_str(), Some("/"));
    for number in 0..3 {
        assert_eq!(link(&format!("fd/{number}")).to_str(), Some("/dev/null"));
    }
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let session: u64 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().parse().unwrap();
    assert_eq!(session, process, "it leads a session of its own");
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let files: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(files[3], files[4], "the limit of open files is as high as it may be");
    world.run(["umount", CLEAR]).succeeds_silently();
}

#[test]
fn a_second_mount_at_the_same_place_is_refused() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    world.run(["mount", VAULT, CLEAR]).fails_with(4).says("a waxseal mount is there already\nhint: ");
    fs::write(mounted.path("f"), "still served").unwrap();
    mounted.unmount();
    world.run(["cat", "vault/f.wax"]).succeeds_silently();
}

#[test]
fn places_that_cannot_be_are_refused_and_nothing_is_mounted() {
    let Some(world) = mountable() else { return };
    fs::create_dir_all(world.path("vault/inside")).unwrap();
    world.write("file", "x");
    let home = world.home();
    let cases: [(&[&str], i32, &str); 9] = [
        (&["absent", CLEAR], 3, "error: absent: cannot be opened: no such file or directory"),
        (&["file", CLEAR], 3, "error: file: is not a directory"),
        (&[VAULT, "absent"], 4, "is not there, and cannot be mounted on\nhint: make it first"),
        (&[VAULT, "file"], 4, "is not a directory"),
        (&[VAULT, VAULT], 2, "is the directory of containers itself"),
        (&[VAULT, "vault/inside"], 2, "is inside the directory of containers"),
        (&["vault/inside", VAULT], 2, "holds the directory of containers"),
        (&[VAULT, home.to_str().unwrap()], 2, "holds the key store"),
        (&[VAULT, CLEAR, "--log", "absent/log"], 4, "error: absent/log: the log cannot be opened"),
    ];
    for (arguments, code, text) in cases {
        world.run(["mount"].iter().chain(arguments)).fails_with(code).says(text).writes_nothing();
    }
    assert!(!is_mounted(&world.path(CLEAR)) && !is_mounted(&world.path(VAULT)));
}

#[test]
fn an_error_in_the_background_comes_out_as_the_commands_own() {
    let Some(world) = mountable() else { return };
    let run = world.run(["--json", "mount", "-k", "alias/absent", VAULT, CLEAR]).fails_with(8);
    assert_eq!(run.json()[0]["kind"], "key-refused");
    world.run(["mount", "-k", "alias/absent", VAULT, CLEAR]).fails_with(8).says("alias/absent is not found");
}

#[test]
fn a_mount_point_that_is_not_empty_is_refused_unless_asked_for() {
    let Some(world) = mountable() else { return };
    world.write("clear/plain", "left here while nothing was mounted");
    world.run(["mount", VAULT, CLEAR]).fails_with(4).says("is not empty, and what is in it would be hidden");
    let mounted = Mounted::new(&world, &["--nonempty"]);
    assert_eq!(names_in(&mounted.root()), [] as [&str; 0]);
    mounted.unmount();
    assert_eq!(names_in(&world.path(CLEAR)), ["plain"]);
}

#[test]
fn a_mount_point_may_be_a_link_and_hold_blanks() {
    let Some(world) = mountable() else { return };
    fs::create_dir(world.path("a b\\c")).unwrap();
    std::os::unix::fs::symlink("a b\\c", world.path("link")).unwrap();
    world.run(["mount", VAULT, "link"]).succeeds_silently();
    fs::write(world.path("link/f"), "x").unwrap();
    world.run(["mount", VAULT, "a b\\c"]).fails_with(4).says("is there already");
    world.run(["umount", "link/"]).succeeds_silently();
    assert_eq!(names_in(&world.path(VAULT)), ["f.wax"]);
}

#[test]
fn a_directory_that_a_command_writes_into_is_not_mounted_on_and_the_cause_is_named() {
    let Some(world) = mountable() else { return };
    // It waits for its input, with a temporary file in the directory.
    let mut writer = world.command(["encrypt", "-o", "clear/new.wax"]).stdin(Stdio::piped()).spawn().unwrap();
    eventually("it has begun to write", || !names_in(&world.path(CLEAR)).is_empty());
    let run = world.run(["mount", "--nonempty", VAULT, CLEAR]).fails_with(4);
    run.says("another waxseal is writing files into this directory, and the mount would cover them\nhint: mount when");
    assert!(!is_mounted(&world.path(CLEAR)));
    writer.stdin.take().unwrap().write_all(b"content").unwrap();
    assert!(writer.wait().unwrap().success());
    Mounted::new(&world, &["--nonempty"]).unmount();
    assert_eq!(world.run(["cat", "clear/new.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn umount_takes_away_only_what_is_ours_and_unused() {
    let Some(world) = mountable() else { return };
    world.run(["umount", CLEAR]).fails_with(3).says("nothing is mounted there");
    world.run(["umount", "absent/x"]).fails_with(3).says("cannot be found");
    world.run(["umount", "/proc"]).fails_with(3).says("is of type proc, not waxseal's");
    let mounted = Mounted::new(&world, &[]);
    let mut file = File::create(mounted.path("f")).unwrap();
    file.write_all(b"content").unwrap();
    world.run(["umount", CLEAR]).fails_with(1).says("cannot be unmounted: device or resource busy\nhint: ");
    drop(file);
    mounted.unmount();
    assert_eq!(world.run(["cat", "vault/f.wax"]).succeeds().text(), "content");
}

#[test]
fn a_dead_mount_is_replaced_and_can_be_unmounted() {
    let Some(world) = mountable() else { return };
    Mounted::new(&world, &[]).kill();
    assert!(fs::read_dir(world.path(CLEAR)).is_err(), "the mount is dead");
    let run = world.run(["mount", VAULT, CLEAR]).succeeds();
    run.says_exactly(&format!("note: {}: took away a mount whose process has died", world.path(CLEAR).display()));
    fs::write(world.path("clear/f"), "x").unwrap();
    world.run(["umount", CLEAR]).succeeds_silently();
    Mounted::new(&world, &[]).kill();
    world.run(["umount", CLEAR]).succeeds_silently();
    assert!(!is_mounted(&world.path(CLEAR)));
}

#[test]
fn a_log_file_is_told_what_the_mount_cannot_tell_its_users() {
    let Some(world) = mountable() else { return };
    world.container("vault/f.wax", &noise(10_000, 1), "aes-256-gcm-siv");
    let mut bytes = world.read("vault/f.wax");
    bytes[5000] ^= 1;
    world.write("vault/f.wax", bytes);
    mount_in_background(&world, &["--log", "mount.log"]);
    assert_eq!(fs::read(world.path("clear/f")).unwrap_err().raw_os_error(), Some(5));
    world.run(["umount", CLEAR]).succeeds_silently();
    let log = String::from_utf8(world.read("mount.log")).unwrap();
    assert!(
        log.lines().any(|line| line.contains("Z error: ") && line.contains("f.wax") && line.contains("4096")),
        "{log}"
    );
}

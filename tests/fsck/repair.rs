//! Containers of killed writers: told, repaired, and left alone while others use them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, SystemTime};

use serde_json::json;
use waxseal_envelope::{lock_exclusive, lock_shared};

use super::{interrupted, object, ranges};
use crate::support::{SUITES, World, noise};

#[test]
fn an_interrupted_container_is_told_with_what_was_in_flight() {
    let world = World::with_store();
    for suite in SUITES {
        let expected = interrupted(&world, suite);
        let found = object(&world.run(["verify", "--json", "f.wax"]).fails_with(6));
        assert_eq!(
            (&found["status"], &found["state"], &found["code"]),
            (&json!("error"), &json!("interrupted"), &json!(6))
        );
        assert_eq!((&found["plaintext_bytes"], &found["recorded_bytes"]), (&json!(expected.len()), &json!(309_008)));
        assert_eq!(
            ranges(&found),
            [
                (8192, 12_288, "old"),
                (12_288, 16_384, "new"),
                (299_008, 307_200, "new"),
                (307_200, 309_008, "not-written")
            ]
        );
        assert_eq!((&found["old_bytes"], &found["new_bytes"]), (&json!(4096), &json!(4096 + 8192)));
        world.run(["verify", "f.wax"]).fails_with(6).writes_nothing().says_exactly(
            "error: f.wax: its last writer was interrupted, or is still writing
  nothing in it is damaged: as it is, it has 307200 bytes
  bytes 8192 to 12287 (chunk 2): was being written, and is as before
  bytes 12288 to 16383 (chunk 3): was being written, and has arrived
  bytes 299008 to 307199 (chunks 73 to 74): was being written, and has arrived
  bytes 307200 to 309007 (chunk 75): was to be appended, and is not there
hint: wait if it is still being written; else 'waxseal verify --repair FILE' makes it clean, and --recover reads as far \
             as it was certainly written",
        );
        let recovered = object(&world.run(["verify", "--json", "--recover", "f.wax"]).succeeds());
        assert_eq!((&recovered["status"], &recovered["ranges"]), (&json!("ok"), &found["ranges"]));
    }
}

#[test]
fn a_repaired_container_is_clean_and_holds_old_or_new_in_each_part() {
    let world = World::with_store();
    for suite in SUITES {
        let expected = interrupted(&world, suite);
        let run = world.run(["verify", "--repair", "f.wax"]).succeeds_silently();
        let text = run.text();
        assert!(text.starts_with("f.wax: verified, 307200 bytes, key arn:"), "{text}");
        assert!(text.contains("\n  repaired: its last writer had been interrupted\n"), "{text}");
        assert!(text.contains("\n  bytes 8192 to 12287 (chunk 2): was being written, and is as before\n"), "{text}");
        world.run(["verify", "f.wax"]).succeeds_silently();
        assert!(world.run(["cat", "f.wax"]).succeeds_silently().stdout == expected);
        let clean = world.read("f.wax");
        let run = world.run(["verify", "--repair", "f.wax"]).succeeds_silently();
        assert!(!run.text().contains("repaired") && world.read("f.wax") == clean, "there is nothing left to repair");
        world.run(["verify", "-q", "--repair", "f.wax"]).succeeds_silently().writes_nothing();
        assert_eq!(world.names(), ["f.wax"]);
    }
}

#[test]
fn a_repair_keeps_mode_and_time() {
    let world = World::with_store();
    interrupted(&world, SUITES[0]);
    let past = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 9);
    fs::set_permissions(world.path("f.wax"), Permissions::from_mode(0o640)).unwrap();
    File::options().write(true).open(world.path("f.wax")).unwrap().set_modified(past).unwrap();
    let inode = fs::metadata(world.path("f.wax")).unwrap().ino();
    world.run(["verify", "--repair", "f.wax"]).succeeds_silently();
    let stat = fs::metadata(world.path("f.wax")).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.modified().unwrap(), stat.ino()), (0o640, past, inode));
}

#[test]
fn several_files_are_repaired_at_once_and_the_others_are_told() {
    let world = World::with_store();
    for name in ["a.wax", "b.wax"] {
        interrupted(&world, SUITES[0]);
        fs::rename(world.path("f.wax"), world.path(name)).unwrap();
    }
    world.container("whole.wax", b"whole", SUITES[0]);
    world.container("bad.wax", &noise(9000, 1), SUITES[0]);
    let mut bytes = world.read("bad.wax");
    bytes[5000] ^= 1;
    world.write("bad.wax", &bytes);
    let names = ["a.wax", "bad.wax", "b.wax", "whole.wax"];
    let run = world.run(["verify", "--json", "--repair"].into_iter().chain(names)).fails_with(10);
    let mut states: Vec<_> = run.json().iter().map(|file| (file["file"].clone(), file["state"].clone())).collect();
    states.sort_by_key(|(file, _)| file.to_string());
    let expected = [("a.wax", "repaired"), ("b.wax", "repaired"), ("bad.wax", "damaged"), ("whole.wax", "clean")];
    assert_eq!(states, expected.map(|(file, state)| (json!(file), json!(state))));
    assert!(world.read("bad.wax") == bytes);
    world.run(["verify", "a.wax", "b.wax", "whole.wax"]).succeeds();
}

#[test]
fn a_container_that_another_process_uses_is_left_alone() {
    let world = World::with_store();
    let expected = interrupted(&world, SUITES[0]);
    let bytes = world.read("f.wax");
    let theirs = File::options().read(true).write(true).open(world.path("f.wax")).unwrap();
    assert!(lock_shared(&theirs).unwrap());
    let run = world.run(["verify", "--repair", "f.wax"]).fails_with(6).writes_nothing();
    run.says("error: f.wax: another process is using it, perhaps writing it\nhint: try again when it is done");
    world.run(["verify", "f.wax"]).fails_with(6).says("its last writer was interrupted");
    assert!(lock_exclusive(&theirs).unwrap());
    for options in [&["verify"][..], &["verify", "--repair"], &["verify", "--salvage", "out"]] {
        let found = object(&world.run(options.iter().copied().chain(["--json", "f.wax"])).fails_with(6));
        assert_eq!((&found["state"], &found["code"]), (&json!("in-use"), &json!(6)), "{options:?}");
    }
    assert_eq!(world.names(), ["f.wax"]);
    assert!(world.read("f.wax") == bytes);
    drop(theirs);
    world.run(["verify", "--repair", "f.wax"]).succeeds_silently();
    assert!(world.run(["cat", "f.wax"]).succeeds_silently().stdout == expected);
    // What is clean is clean, whoever has it open.
    let theirs = File::options().read(true).write(true).open(world.path("f.wax")).unwrap();
    assert!(lock_exclusive(&theirs).unwrap());
    world.run(["verify", "--repair", "f.wax"]).succeeds_silently();
}

#[test]
fn readers_of_interrupted_containers_are_told_of_the_repair() {
    let world = World::with_store();
    interrupted(&world, SUITES[0]);
    for command in ["cat", "decrypt"] {
        world
            .run([command, "f.wax"])
            .fails_with(6)
            .says("'waxseal verify --repair FILE' makes it clean")
            .says("--recover");
    }
}

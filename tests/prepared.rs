//! Prepared containers: made without anybody's seeing a data key, filled once, and never read as an empty file.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Stdio;

use waxseal_envelope::lock_exclusive;

use crate::support::{SUITES, World, noise};

#[test]
fn a_prepared_container_is_filled_once_from_a_file_or_a_pipe() {
    for suite in SUITES {
        let world = World::new();
        world.run(["prepare", "--suite", suite, "-c", "project=x", "a.wax", "b.wax"]).succeeds();
        assert_eq!(fs::metadata(world.path("a.wax")).unwrap().len(), 4096);
        let content = noise(300_000, 1);
        world.write("f", &content);
        world.run(["encrypt", "--into", "a.wax", "f"]).succeeds_silently();
        world.pipe(["encrypt", "--into", "b.wax", "-c", "project=x"], &content).succeeds_silently();
        for name in ["a.wax", "b.wax"] {
            assert!(world.run(["cat", name]).succeeds_silently().stdout == content, "{name}");
            world.run(["verify", name]).succeeds();
        }
        assert_eq!(world.read("f"), content, "the source stays");
        let before = world.read("a.wax");
        world.run(["encrypt", "--into", "a.wax", "f"]).fails_with(4).says("it has content already");
        assert!(world.read("a.wax") == before);
        assert_eq!(world.names(), ["a.wax", "b.wax", "f"]);
    }
}

#[test]
fn a_prepared_container_is_no_empty_file_to_any_command() {
    let world = World::with_store();
    world.run(["prepare", "p.wax"]).succeeds_silently();
    let before = world.read("p.wax");
    for arguments in
        [&["decrypt", "p.wax"][..], &["cat", "p.wax"], &["cat", "--recover", "p.wax"], &["verify", "p.wax"]]
    {
        world.run(arguments).fails_with(5).says("a prepared container");
    }
    world.run(["verify", "--repair", "p.wax"]).fails_with(5);
    assert_eq!(world.run(["inspect", "--json", "p.wax"]).succeeds_silently().json()[0]["state"], "prepared");
    assert_eq!(world.names(), ["p.wax"]);
    assert!(world.read("p.wax") == before);
}

#[test]
fn what_is_prepared_is_not_replaced_unless_asked_and_a_batch_says_which_failed() {
    let world = World::with_store();
    world.write("taken.wax", "something else");
    world.run(["prepare", "free.wax", "taken.wax"]).fails_with(10).says("taken.wax: exists already");
    assert_eq!(world.read("taken.wax"), b"something else");
    assert_eq!(world.names(), ["free.wax", "taken.wax"]);
    world.run(["prepare", "-f", "taken.wax"]).succeeds_silently();
    assert_eq!(world.read("taken.wax").len(), 4096);
}

#[test]
fn what_the_container_has_to_be_is_checked_before_anything_is_written() {
    let world = World::with_store();
    world.write("f", "content");
    world.run(["prepare", "-c", "project=x", "p.wax"]).succeeds_silently();
    let before = world.read("p.wax");
    world.run(["encrypt", "--into", "p.wax", "-c", "project=y", "f"]).fails_with(7);
    let other = "00000000-0000-4000-8000-000000000000";
    world.run(["encrypt", "--into", "p.wax", "-k", other, "f"]).fails_with(8);
    world.run(["encrypt", "--into", "p.wax", "f", "f"]).fails_with(2).says("one input");
    world.run(["encrypt", "--into", "p.wax", "p.wax"]).fails_with(4).says("is the input itself");
    world.run(["encrypt", "--into", "missing.wax", "f"]).fails_with(4).says("waxseal prepare");
    world.run(["encrypt", "--into", "f", "p.wax"]).fails_with(5);
    let second =
        world.run(["kms", "create-key", "--query", "KeyMetadata.KeyId", "--output", "text"]).succeeds_silently();
    world
        .run(["prepare", "-k", "alias/default", "-k", second.text().trim(), "q.wax"])
        .fails_with(2)
        .says("made for one key");
    assert!(world.read("p.wax") == before);
    world.write("cut.wax", &before[..4000]);
    world.run(["encrypt", "--into", "cut.wax", "f"]).fails_with(6);
    assert_eq!(world.read("cut.wax").len(), 4000);
}

#[test]
fn two_fillings_are_never_merged() {
    let world = World::with_store();
    world.write("f", "content");
    world.run(["prepare", "p.wax"]).succeeds_silently();
    let held = File::options().read(true).write(true).open(world.path("p.wax")).unwrap();
    assert!(lock_exclusive(&held).unwrap());
    world.run(["encrypt", "--into", "p.wax", "f"]).fails_with(4).says("in use by another process");
    drop(held);
    world.run(["encrypt", "--into", "p.wax", "f"]).succeeds_silently();
    assert_eq!(world.run(["cat", "p.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn a_filling_that_was_killed_leaves_it_prepared_and_the_next_one_completes() {
    let world = World::with_store();
    world.run(["prepare", "p.wax"]).succeeds_silently();
    let mut filling = world.command(["encrypt", "--into", "p.wax"]).stdin(Stdio::piped()).spawn().unwrap();
    // More than the pipe holds: part of it has been read, and written, when the last byte has been taken.
    filling.stdin.as_mut().unwrap().write_all(&noise(8 << 20, 1)).unwrap();
    filling.kill().unwrap();
    filling.wait().unwrap();
    assert!(fs::metadata(world.path("p.wax")).unwrap().len() > 4096, "it was killed amid the filling");
    world.run(["cat", "p.wax"]).fails_with(5).says("a prepared container");
    let content = noise(10_000, 2);
    world.pipe(["encrypt", "--into", "p.wax"], &content).succeeds_silently();
    assert!(world.run(["cat", "p.wax"]).succeeds_silently().stdout == content);
    assert_eq!(world.names(), ["p.wax"]);
}

//! Prepared containers: made without anybody's seeing a data key, filled once, and never read as an empty file.

mod killed;
#[cfg(feature = "fuse")]
mod mounted;

use std::fs::{self, File};

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
    fs::create_dir(world.path("vault")).unwrap();
    world.run(["prepare", "p.wax", "vault/p.wax"]).succeeds();
    let before = world.read("p.wax");
    for arguments in [
        &["decrypt", "p.wax"][..],
        &["decrypt", "-o", "out", "p.wax"],
        &["decrypt", "--recover", "p.wax"],
        &["decrypt", "--range", "0:1", "-o", "-", "p.wax"],
        &["cat", "p.wax"],
        &["cat", "--recover", "p.wax"],
        &["cat", "--range", "0:1", "p.wax"],
        &["cat", "--range", "0:0", "p.wax"],
        &["verify", "p.wax"],
        &["verify", "--recover", "p.wax"],
        &["verify", "--repair", "p.wax"],
        &["verify", "--salvage", "out", "p.wax"],
    ] {
        world.run(arguments).fails_with(5).says("a prepared container").writes_nothing();
        assert_eq!(world.names(), ["p.wax", "vault"], "{arguments:?}");
    }
    for arguments in [&["decrypt"][..], &["cat", "-"], &["verify", "-"]] {
        world.pipe(arguments, &before).fails_with(5).says("a prepared container").writes_nothing();
    }
    for arguments in [&["decrypt", "-r", "vault", "-o", "out"][..], &["verify", "-r", "vault"]] {
        world.run(arguments).fails_with(10).says("p.wax: a prepared container");
    }
    assert!(fs::read_dir(world.path("out")).is_ok_and(|mut entries| entries.next().is_none()), "nothing was made");
    for arguments in [&["inspect", "--json", "p.wax"][..], &["inspect", "-r", "--json", "vault"]] {
        assert_eq!(world.run(arguments).succeeds().json()[0]["state"], "prepared");
    }
    // Other keys make it no other.
    let made = world.run(["kms", "create-key", "--query", "KeyMetadata.Arn", "--output", "text"]).succeeds_silently();
    world.run(["rewrap", "-r", "--to", made.text().trim(), "vault"]).succeeds();
    world.run(["cat", "vault/p.wax"]).fails_with(5).says("a prepared container");
    assert!(world.read("p.wax") == before);
}

/// A prepared container whose header was changed by somebody who may write the storage, and asks nobody.
fn forged(before: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = before[..1024].windows(from.len()).position(|window| window == from).unwrap();
    [&before[..at], to, &before[at + from.len()..]].concat()
}

#[test]
fn the_filler_trusts_no_suite_context_file_id_or_size_that_it_has_not_checked() {
    let world = World::with_store();
    world.write("f", "content");
    world.run(["prepare", "-c", "project=apollo", "p.wax"]).succeeds_silently();
    let before = world.read("p.wax");
    let fill = |container: &[u8], options: &[&str]| {
        world.write("p.wax", container);
        let run = world.run([&["encrypt", "--into", "p.wax"], options, &["f"]].concat());
        assert!(run.code == Some(0) || world.read("p.wax") == container, "what is refused stays as it is");
        run
    };
    // Context and file id are bound to the data key by the key service.
    fill(&forged(&before, b"apollo", b"gemini"), &[]).fails_with(6).says("is another file's");
    let id = world.run(["inspect", "--json", "p.wax"]).succeeds().json()[0]["file_id"].as_str().unwrap().to_owned();
    let id: Vec<u8> = (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect();
    fill(&forged(&before, &id, &[7; 32]), &[]).fails_with(6).says("is another file's");
    // Who fills it insists on what it has to be.
    fill(&before, &["-c", "project=gemini"]).fails_with(7);
    // The core begins with a map whose first pair is the suite.
    let other = forged(&before, &[0x01, 0x01, 0x02, 0x58, 0x20], &[0x01, 0x02, 0x02, 0x58, 0x20]);
    fill(&other, &["--suite", SUITES[0]]).fails_with(7).says("its suite is xchacha20-poly1305, not aes-256-gcm-siv");
    let unknown = forged(&before, &[0x01, 0x01, 0x02, 0x58, 0x20], &[0x01, 0x03, 0x02, 0x58, 0x20]);
    fill(&unknown, &[]).fails_with(6).says("unknown suite");
    // What is shorter than a prepared container is none, and what lies behind one is cut off.
    fill(&before[..4095], &[]).fails_with(6);
    fill(&[&before[..], &noise(20_000, 1)].concat(), &["--suite", SUITES[0], "-c", "project=apollo"])
        .succeeds_silently();
    assert_eq!(fs::metadata(world.path("p.wax")).unwrap().len(), waxseal_container::file_size(7));
    assert_eq!(world.run(["cat", "p.wax"]).succeeds_silently().stdout, b"content");
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

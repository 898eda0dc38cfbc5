//! The outputs of `verify --salvage`: what is in them, and where they may be.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use super::{interrupted, object};
use crate::support::{SUITES, World, edited};

#[test]
fn a_salvage_of_a_whole_container_is_a_sparse_plaintext() {
    let world = World::with_store();
    world.container("f.wax", b"begin", SUITES[0]);
    let mut editor = edited(&world, "f.wax");
    editor.write_at(b"end", 64 << 20).unwrap();
    editor.settle().unwrap();
    drop(editor);
    let run = world.run(["verify", "--salvage", "saved", "f.wax"]).succeeds_silently();
    assert!(run.text().starts_with("f.wax -> saved: salvaged, 67108867 bytes, key arn:"), "{}", run.text());
    let saved = world.read("saved");
    assert!(saved.starts_with(b"begin\0") && saved.ends_with(b"\0end") && saved.len() == (64 << 20) + 3);
    assert!(fs::metadata(world.path("saved")).unwrap().blocks() * 512 < 1 << 20);
    let run = world.run(["verify", "--json", "-f", "--salvage", "saved", "f.wax"]).succeeds_silently();
    assert_eq!((&object(&run)["operation"], &object(&run)["state"]), (&json!("salvaged"), &json!("clean")));
}

#[test]
fn a_salvage_of_an_interrupted_container_is_what_a_recovery_reads() {
    let world = World::with_store();
    let expected = interrupted(&world, SUITES[1]);
    world.run(["verify", "--salvage", "saved", "f.wax"]).fails_with(6).says("is not there").says("verify --repair");
    assert!(world.read("saved") == expected);
    world.run(["verify", "--recover", "--salvage", "more", "f.wax"]).succeeds().says("warning: f.wax: was interrupted");
    assert!(world.read("more") == expected);
}

#[test]
fn a_salvage_goes_only_where_it_may() {
    let world = World::with_store();
    world.container("f.wax", b"content", SUITES[0]);
    world.write("there", "theirs");
    fs::create_dir(world.path("folder")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, world.path("fifo"), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    std::os::unix::fs::symlink("there", world.path("link")).unwrap();
    for (output, says) in [
        ("there", "there: exists already"),
        ("link", "exists already"),
        ("folder", "is a directory"),
        ("fifo", "is no regular file"),
        ("/dev/null", "is no regular file"),
        ("-", "is no regular file"),
        ("f.wax", "is the input itself"),
        ("missing/x", "its directory has to be there"),
    ] {
        world.run(["verify", "--salvage", output, "f.wax"]).fails_with(4).says(says).writes_nothing();
    }
    assert_eq!(world.names(), ["f.wax", "fifo", "folder", "link", "there"]);
    assert_eq!(world.read("there"), b"theirs");
    world.run(["verify", "-f", "--salvage", "link", "f.wax"]).succeeds_silently();
    assert_eq!(world.read("there"), b"content");
    assert!(world.path("link").is_symlink());
    world.run(["verify", "-f", "--salvage", "f.wax", "f.wax"]).fails_with(4).says("is the input itself");
}

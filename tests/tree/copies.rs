//! A tree becomes a tree of containers, and comes back.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use super::support::{assert_same, make, sparse, touch};
use crate::support::{SUITES, World, json_lines, noise};

#[test]
fn a_tree_comes_back_as_it_was() {
    for suite in SUITES {
        let world = World::with_store();
        make(&world);
        let run = world.run(["encrypt", "-r", "--suite", suite, "src", "-o", "vault"]).succeeds();
        assert!(run.stderr.starts_with("10 files encrypted, "), "{}", run.stderr);
        assert!(run.stderr.contains(", 6 directories, 5 links\n"), "{}", run.stderr);
        world.run(["decrypt", "-r", "vault", "-o", "back"]).succeeds();
        assert_same(&world.path("src"), &world.path("back"));
        let run = world.run(["verify", "-r", "vault"]).succeeds();
        assert!(run.stderr.starts_with("12 files verified, "), "{}", run.stderr);
    }
}

#[test]
fn only_files_get_the_ending_and_hard_links_are_kept() {
    let world = World::with_store();
    make(&world);
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    let meta = |name: &str| fs::symlink_metadata(world.path("vault").join(name)).unwrap();
    assert_eq!(meta("a/group.wax").ino(), meta("same too.wax").ino());
    assert_eq!((meta("a/b/same.wax").nlink(), meta("a/b/same.wax").ino()), (3, meta("a/group.wax").ino()));
    assert!(meta("empty").is_dir() && meta("dangling").is_symlink() && meta("a/b").is_dir());
    assert_eq!(fs::read_link(world.path("vault/a/b/link")).unwrap().to_str(), Some("../chunk"));
    let left: Vec<_> = super::support::listing(&world.path("vault"));
    assert!(left.iter().all(|line| !line.contains(".waxseal-tmp-")), "{left:?}");
}

#[test]
fn what_takes_no_space_takes_none_in_the_copies() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    sparse(&world.path("src/big"), &[(1 << 27, b"in the middle"), (3 << 28, b"at the end")], (3 << 28) + 10);
    sparse(&world.path("src/holes only"), &[], 1 << 29);
    let blocks = |name: &str| fs::metadata(world.path(name)).unwrap().blocks();
    if blocks("src/big") > 1000 {
        return crate::support::skipped("this file system has no sparse files");
    }
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    for name in ["vault/big.wax", "vault/holes only.wax", "back/big", "back/holes only"] {
        assert!(blocks(name) < 200, "{name}: {} blocks", blocks(name));
    }
    assert_eq!(fs::metadata(world.path("back/big")).unwrap().len(), (3 << 28) + 10);
    let range = |name: &str| world.run(["cat", "--range", "134217724:20", name]).succeeds().stdout;
    assert_eq!(range("vault/big.wax"), b"\0\0\0\0in the middle\0\0\0");
    world.run(["verify", "-q", "-r", "vault"]).succeeds_silently();
    let end = world.run(["cat", "--range", "805306364:", "vault/big.wax"]).succeeds().stdout;
    assert_eq!(end, b"\0\0\0\0at the end");
}

#[test]
fn several_inputs_go_each_under_its_own_name() {
    let world = World::with_store();
    for folder in ["x", "y"] {
        fs::create_dir(world.path(folder)).unwrap();
        world.write(&format!("{folder}/f"), folder);
    }
    world.write("single", "file");
    world.run(["encrypt", "-q", "-r", "x", "y/", "single", "-o", "vault"]).succeeds_silently();
    assert_eq!(crate::support::names_in(&world.path("vault")), ["single.wax", "x", "y"]);
    world.run(["decrypt", "-q", "-r", "vault/x", "vault/single.wax", "-o", "back"]).succeeds_silently();
    assert_eq!((world.read("back/x/f"), world.read("back/single")), (b"x".to_vec(), b"file".to_vec()));
    fs::create_dir_all(world.path("z/x")).unwrap();
    world.run(["encrypt", "-r", "x", "z/x", "-o", "other"]).fails_with(2).says("has the name of another input");
    assert!(!world.path("other").exists());
}

#[test]
fn special_files_are_named_and_left_out() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/f", "content");
    assert!(Command::new("mkfifo").arg(world.path("src/pipe")).status().unwrap().success());
    let run = world.run(["encrypt", "-r", "src", "-o", "vault"]).succeeds();
    let run = run.says("warning: src/pipe: left out: it is a fifo").says(", 1 left out");
    assert!(run.stderr.starts_with("warning: "));
    assert_eq!(crate::support::names_in(&world.path("vault")), ["f.wax"]);
    world.write("vault/foreign", "no container");
    let run = world.run(["decrypt", "--json", "-r", "vault", "-o", "back"]).succeeds();
    let [warning, summary] = json_lines(&run.stderr).try_into().unwrap();
    assert_eq!(warning["status"], "warning");
    let counts = ["succeeded", "failed", "directories", "links", "unchanged", "left_out"]
        .map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts, [1, 0, 1, 0, 0, 1]);
    assert_eq!(run.json()[0]["output"], "back/f");
    assert_eq!(crate::support::names_in(&world.path("back")), ["f"]);
}

#[test]
fn the_others_go_on_and_every_failure_is_written_down() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/d")).unwrap();
    for number in 0..50 {
        world.write(&format!("src/d/{number}"), noise(number * 100, number as u64));
    }
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    let mut bytes = world.read("vault/d/49.wax");
    bytes[5000] ^= 1;
    world.write("vault/d/49.wax", bytes);
    world.write("vault/d/7.wax", "no container");
    let run = world.run(["decrypt", "-r", "vault", "-o", "back", "--report", "failures"]).fails_with(10);
    run.says("49.wax: ").says("48 files decrypted, ").says("; 2 failed");
    assert_eq!(fs::read_dir(world.path("back/d")).unwrap().count(), 48);
    let written = json_lines(&String::from_utf8(world.read("failures")).unwrap());
    let mut files: Vec<_> = written.iter().filter_map(|line| line["file"].as_str()).collect();
    files.sort_unstable();
    assert_eq!(files, ["vault/d/49.wax", "vault/d/7.wax"]);
    assert_eq!((&written[2]["status"], &written[2]["failed"]), (&"summary".into(), &2.into()));
    let run = world.run(["verify", "-r", "vault", "--report", "failures"]).fails_with(10);
    run.says("; 2 failed");
    assert_eq!(json_lines(&String::from_utf8(world.read("failures")).unwrap()).len(), 3);
}

#[test]
fn existing_outputs_are_refused_without_force_and_replaced_with_it() {
    let world = World::with_store();
    make(&world);
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    let run = world.run(["encrypt", "-r", "src", "-o", "vault"]).fails_with(10);
    run.says("vault/one.wax: exists already").says("0 files encrypted");
    world.run(["encrypt", "-q", "-f", "-r", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    world.run(["decrypt", "-q", "-f", "-r", "vault", "-o", "back"]).succeeds_silently();
    assert_same(&world.path("src"), &world.path("back"));
}

#[test]
fn links_are_followed_when_asked_and_loops_are_found() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/d")).unwrap();
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.write("elsewhere/f", "linked");
    std::os::unix::fs::symlink("../elsewhere", world.path("src/link")).unwrap();
    std::os::unix::fs::symlink("../../elsewhere/f", world.path("src/d/file")).unwrap();
    world.run(["encrypt", "-q", "-r", "-L", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    assert_eq!((world.read("back/link/f"), world.read("back/d/file")), (b"linked".to_vec(), b"linked".to_vec()));
    std::os::unix::fs::symlink("..", world.path("src/d/up")).unwrap();
    let run = world.run(["encrypt", "-f", "-r", "-L", "src", "-o", "vault"]).fails_with(10);
    run.says("src/d/up: leads back to src").says("2 files encrypted");
}

#[test]
fn r_on_a_file_is_as_without_and_a_directory_has_a_hint() {
    let world = World::with_store();
    world.write("f", "content");
    world.run(["encrypt", "-q", "-r", "f"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "f.wax", "-o", "g"]).succeeds_silently();
    assert_eq!(world.read("g"), b"content");
    fs::create_dir(world.path("d")).unwrap();
    world.run(["encrypt", "d"]).fails_with(3).says("hint: add -r");
    world.run(["encrypt", "-r", "d"]).fails_with(2).says("a tree needs a directory that it goes into");
}

#[test]
fn a_deep_tree_and_one_of_many_directories_come_back() {
    let world = World::with_store();
    let deep: String = (0..200).map(|_| "d/").collect();
    fs::create_dir_all(world.path(&format!("src/{deep}"))).unwrap();
    world.write(&format!("src/{deep}bottom"), "deep");
    for number in 0..1500 {
        fs::create_dir(world.path(&format!("src/{number}"))).unwrap();
        world.write(&format!("src/{number}/f"), noise(number % 7, 1));
    }
    touch(&world.path("src/d/d"), "2011-01-01 01:01:01.5");
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    assert_same(&world.path("src"), &world.path("back"));
}

//! Other keys for files that are there: in place, at any moment with the old keys or the new ones, and in the end without the
//! old ones.

#[cfg(feature = "aws")]
mod aws;
mod killed;
#[cfg(feature = "fuse")]
mod mounted;
mod pages;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;
use waxseal_container::Header;
use waxseal_envelope::lock_shared;
use waxseal_key_service::EncryptedDataKey;

use crate::support::{SUITES, World, edited, needed, noise};

/// Makes a key of the store with an alias, and gives its ARN.
fn new_key(world: &World, alias: &str) -> String {
    let made = world.run(["kms", "create-key", "--query", "KeyMetadata.Arn", "--output", "text"]).succeeds_silently();
    let arn = made.text().trim().to_owned();
    world.run(["kms", "create-alias", "--alias-name", alias, "--target-key-id", &arn]).succeeds_silently();
    arn
}

fn default_key(world: &World) -> String {
    let status = world.run(["status", "--json"]).succeeds();
    status.json()[0]["default_key"].as_str().unwrap().to_owned()
}

/// What a container says of its keys.
fn header(world: &World, name: &str) -> Header {
    Header::parse(&world.read(name)[..2048]).unwrap()
}

fn arns(world: &World, name: &str) -> Vec<String> {
    header(world, name).encrypted_data_keys().iter().map(|key| key.key_arn.to_string()).collect()
}

/// Whether a file holds any part of an encrypted data key that tells it from others.
fn holds(world: &World, name: &str, key: &EncryptedDataKey) -> bool {
    let tail = &key.ciphertext_blob[key.ciphertext_blob.len() - 32..];
    world.read(name).windows(tail.len()).any(|window| window == tail)
}

/// All that a rewrap must not change of a file but its key slots, and what it changes if it writes.
fn times(path: &Path) -> (u64, (i64, i64), (i64, i64)) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), (metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec()))
}

#[test]
fn a_file_goes_from_one_key_to_another_in_place_and_keeps_its_content_and_time() {
    let world = World::with_store();
    let (old, new) = (default_key(&world), new_key(&world, "alias/new"));
    for suite in SUITES {
        let content = noise(300_000, 1);
        world.container("f.wax", &content, suite);
        let written = SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789);
        File::options().write(true).open(world.path("f.wax")).unwrap().set_modified(written).unwrap();
        let (before, (inode, modified, _)) = (world.read("f.wax"), times(&world.path("f.wax")));
        let blob = header(&world, "f.wax").encrypted_data_keys()[0].clone();
        let run = world.run(["rewrap", "--json", "--to", "alias/new", "f.wax"]).succeeds_silently();
        assert_eq!(
            run.json()[0],
            json!({
                "v": 1, "status": "ok", "operation": "rewrapped", "file": "f.wax", "output": null,
                "plaintext_bytes": 300_000, "key_arn": new, "key_arns": [new], "old_key_arns": [old],
                "changed": true, "context": {},
            })
        );
        assert!(arns(&world, "f.wax") == [new.clone()] && !holds(&world, "f.wax", &blob));
        assert_eq!(times(&world.path("f.wax")).0, inode);
        assert_eq!((times(&world.path("f.wax")).1, modified.1), (modified, 123_456_789));
        assert!(world.read("f.wax")[2048..] == before[2048..]);
        world.run(["kms", "disable-key", "--key-id", &old]).succeeds_silently();
        assert!(world.run(["cat", "f.wax"]).succeeds_silently().stdout == content);
        world.run(["kms", "enable-key", "--key-id", &old]).succeeds_silently();
        fs::remove_file(world.path("f.wax")).unwrap();
    }
}

#[test]
fn the_old_key_can_be_deleted_afterwards() {
    let world = World::with_store();
    let (old, new) = (new_key(&world, "alias/old"), new_key(&world, "alias/new"));
    let names = ["a.wax", "b.wax", "c.wax"];
    for name in names {
        world.pipe(["encrypt", "-k", "alias/old", "-c", "project=x", "-o", name], name.as_bytes()).succeeds_silently();
    }
    let run = world.run([&["rewrap", "-v", "--to", "alias/new"][..], &names].concat()).succeeds();
    assert!(run.stderr.contains("3 files rewrapped, 15 bytes"), "{run:?}");
    let schedule = ["kms", "schedule-key-deletion", "--key-id", &old, "--pending-window-in-days", "7"];
    world.run(schedule).succeeds_silently();
    let open = || {
        for name in names {
            assert_eq!(world.run(["cat", "-c", "project=x", name]).succeeds_silently().stdout, name.as_bytes());
        }
    };
    open();
    // One more, of which the old key is pending deletion: it says so, and the file stays as it is.
    world.run(["kms", "cancel-key-deletion", "--key-id", &old]).succeeds_silently();
    world.run(["kms", "enable-key", "--key-id", &old]).succeeds_silently();
    world.pipe(["encrypt", "-k", "alias/old", "-o", "late.wax"], b"late").succeeds_silently();
    world.run(schedule).succeeds_silently();
    let before = world.read("late.wax");
    world.run(["rewrap", "--to", "alias/new", "late.wax"]).fails_with(8).says("is pending deletion");
    assert!(world.read("late.wax") == before);
    // The window is over: the key and its material are gone, and with them what was left under it, and nothing else.
    if !window_is_over(&world.home().join("kms")) {
        return;
    }
    world.run(["kms", "describe-key", "--key-id", &old]).fails_with(8).says("NotFoundException");
    world.run(["kms", "tag-resource", "--key-id", &new, "--tags", "TagKey=a,TagValue=b"]).succeeds_silently();
    let database = fs::read(world.home().join("kms/kms.db")).unwrap();
    let id = old.rsplit('/').next().unwrap();
    assert!(!database.windows(id.len()).any(|window| window == id.as_bytes()), "the key is nowhere in the database");
    open();
    world.run(["verify", "-q", "a.wax", "b.wax", "c.wax"]).succeeds_silently();
    world.run(["cat", "late.wax"]).fails_with(8).writes_nothing();
}

/// Lets the window of every key of a store be over that is to be deleted. False, said loudly, where sqlite3 is missing.
fn window_is_over(store: &Path) -> bool {
    let Some(sqlite) = needed("sqlite3") else { return false };
    let change = "UPDATE keys SET deletion_date = 1 WHERE deletion_date IS NOT NULL; SELECT changes();";
    let output = std::process::Command::new(sqlite).arg(store.join("kms.db")).arg(change).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{output:?}");
    true
}

#[test]
fn a_file_that_has_its_keys_already_is_left_alone() {
    let world = World::with_store();
    new_key(&world, "alias/new");
    for name in ["a.wax", "b.wax"] {
        world.container(name, b"content", SUITES[0]);
    }
    world.run(["rewrap", "--to", "alias/new", "a.wax"]).succeeds_silently().writes_nothing();
    let (before, times_before) = (world.read("a.wax"), times(&world.path("a.wax")));
    let run = world.run(["rewrap", "-v", "--to", "alias/new", "a.wax", "b.wax"]).succeeds();
    assert!(run.stderr.contains("a.wax: unchanged"), "{run:?}");
    assert!(run.stderr.contains("1 file rewrapped, 7 bytes, 1 unchanged"), "{run:?}");
    assert!(world.read("a.wax") == before && times(&world.path("a.wax")) == times_before);
    let run = world.run(["rewrap", "--json", "--to", "alias/new", "--to", "alias/new", "a.wax"]).succeeds_silently();
    assert_eq!(run.json()[0]["changed"], false);
    // Neither lock nor key is needed for that: another process may be writing it, and the store may be away.
    let held = File::open(world.path("a.wax")).unwrap();
    assert!(lock_shared(&held).unwrap());
    world.run(["rewrap", "--to", "alias/new", "a.wax"]).succeeds_silently();
    world.run(["rewrap", "--to", "alias/default", "a.wax"]).fails_with(6).says("another process is using it");
    assert!(world.read("a.wax") == before);
}

#[test]
fn keys_are_added_and_removed_one_by_one_and_what_is_removed_is_nowhere() {
    let world = World::with_store();
    let (first, second, third) = (default_key(&world), new_key(&world, "alias/two"), new_key(&world, "alias/three"));
    world.container("f.wax", b"content", SUITES[0]);
    world.run(["rewrap", "--add", "alias/two", "--add", "alias/three", "f.wax"]).succeeds_silently();
    assert_eq!(arns(&world, "f.wax"), [first.clone(), second.clone(), third.clone()]);
    let all = header(&world, "f.wax").encrypted_data_keys().to_vec();
    world.run(["rewrap", "--add", "alias/two", "f.wax"]).succeeds_silently();
    assert!(header(&world, "f.wax").encrypted_data_keys() == all, "it is there already");
    // Each opens the file alone.
    for key in [&first, &second, &third] {
        assert_eq!(world.run(["cat", "-k", key, "f.wax"]).succeeds_silently().stdout, b"content");
    }
    world.run(["rewrap", "--remove", "alias/two", "f.wax"]).succeeds_silently();
    assert_eq!(arns(&world, "f.wax"), [first.clone(), third.clone()]);
    assert!(!holds(&world, "f.wax", &all[1]) && holds(&world, "f.wax", &all[0]) && holds(&world, "f.wax", &all[2]));
    world.run(["cat", "-k", &second, "f.wax"]).fails_with(8);
    // A key that no service knows any more can be removed by its ARN or its id.
    let gone = "00000000-0000-4000-8000-000000000000";
    world.run(["rewrap", "--remove", gone, "f.wax"]).succeeds_silently();
    let id = first.rsplit('/').next().unwrap();
    world.run(["rewrap", "--remove", id, "f.wax"]).succeeds_silently();
    assert_eq!(arns(&world, "f.wax"), std::slice::from_ref(&third));
    let before = world.read("f.wax");
    world.run(["rewrap", "--remove", &third, "f.wax"]).fails_with(2).says("no key would be left").says("--to KEY");
    assert!(world.read("f.wax") == before);
    assert_eq!(world.run(["cat", "f.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn as_many_keys_as_fit_the_header_can_be_given_and_taken_again() {
    let world = World::with_store();
    let keys: Vec<String> = (0..20).map(|number| new_key(&world, &format!("alias/n{number}"))).collect();
    world.container("f.wax", b"content", SUITES[0]);
    let to = |count: usize| {
        let mut arguments = vec!["rewrap".to_owned()];
        arguments.extend(keys[..count].iter().flat_map(|key| ["--to".to_owned(), key.clone()]));
        arguments.push("f.wax".to_owned());
        world.run(arguments)
    };
    // In one slot, across both, and back.
    for count in [3, 8, 2, 7, 8, 1] {
        to(count).succeeds_silently();
        assert_eq!(arns(&world, "f.wax"), keys[..count]);
        assert_eq!(world.run(["cat", "-k", &keys[count - 1], "f.wax"]).succeeds_silently().stdout, b"content");
    }
    let before = world.read("f.wax");
    to(20).fails_with(2).says("20 encrypted data keys take").says("hint: use fewer keys");
    assert!(world.read("f.wax") == before);
}

#[test]
fn a_dry_run_lists_what_would_change_and_changes_nothing() {
    let world = World::with_store();
    let new = new_key(&world, "alias/new");
    for name in ["a.wax", "b.wax"] {
        world.container(name, b"content", SUITES[0]);
    }
    world.run(["rewrap", "--to", "alias/new", "b.wax"]).succeeds_silently();
    let before = [world.read("a.wax"), world.read("b.wax")];
    let run = world.run(["rewrap", "--dry-run", "--to", "alias/new", "a.wax", "b.wax"]).succeeds();
    assert!(run.stderr.contains("1 file to be rewrapped, 7 bytes, 1 unchanged"), "{run:?}");
    assert_eq!(run.text(), format!("a.wax: to be rewrapped, 7 bytes, key {new}\n"));
    let run = world.run(["rewrap", "--dry-run", "--json", "--to", "alias/new", "a.wax"]).succeeds_silently();
    assert_eq!((&run.json()[0]["operation"], &run.json()[0]["changed"]), (&json!("to be rewrapped"), &json!(true)));
    assert!([world.read("a.wax"), world.read("b.wax")] == before);
    // What could not be done is said now.
    let other = "00000000-0000-4000-8000-000000000000";
    world.run(["rewrap", "--dry-run", "-k", other, "--to", "alias/new", "a.wax"]).fails_with(8);
}

#[test]
fn files_under_an_older_version_of_their_key_are_found_and_renewed() {
    let world = World::with_store();
    let default = default_key(&world);
    new_key(&world, "alias/other");
    for name in ["old.wax", "older.wax"] {
        world.container(name, name.as_bytes(), SUITES[0]);
    }
    world.run(["kms", "rotate-key-on-demand", "--key-id", &default]).succeeds_silently();
    world.container("fresh.wax", b"fresh.wax", SUITES[0]);
    world.pipe(["encrypt", "-k", "alias/other", "-o", "other.wax"], b"other.wax").succeeds_silently();
    let names = ["old.wax", "older.wax", "fresh.wax", "other.wax"];
    let before: Vec<_> = names.iter().map(|name| world.read(name)).collect();
    let stale = |options: &[&str]| {
        world.run([&["rewrap", "--to", "alias/default", "--stale"], options, &names].concat()).succeeds()
    };
    assert_eq!(stale(&["--dry-run"]).text().lines().count(), 2);
    stale(&[]);
    for (name, before) in names.iter().zip(&before) {
        assert_eq!(world.read(name) != *before, name.starts_with("old"), "{name}");
        assert_eq!(world.run(["cat", name]).succeeds_silently().stdout, name.as_bytes());
    }
    assert_eq!(stale(&["--dry-run"]).text(), "", "nothing is stale any more");
    world.run(["rewrap", "--stale", "--add", "alias/other", "old.wax"]).fails_with(2);
}

#[test]
fn prepared_and_interrupted_containers_get_other_keys_too() {
    let world = World::with_store();
    let new = new_key(&world, "alias/new");
    world.run(["prepare", "p.wax"]).succeeds_silently();
    world.run(["rewrap", "--to", "alias/new", "p.wax"]).succeeds_silently();
    world.pipe(["encrypt", "--into", "p.wax", "-k", "alias/new"], b"content").succeeds_silently();
    assert_eq!(world.run(["cat", "-k", &new, "p.wax"]).succeeds_silently().stdout, b"content");
    world.container("f.wax", &noise(9000, 1), SUITES[0]);
    let mut editor = edited(&world, "f.wax");
    editor.write_at(b"more", 9000).unwrap();
    editor.flush().unwrap();
    drop(editor.into_backing());
    world.run(["cat", "f.wax"]).fails_with(6);
    world.run(["rewrap", "--to", "alias/new", "f.wax"]).succeeds_silently();
    assert_eq!(arns(&world, "f.wax"), [new]);
    let read = world.run(["cat", "--recover", "f.wax"]).succeeds();
    assert!(read.stdout == [noise(9000, 1), b"more".to_vec()].concat());
}

#[test]
fn what_cannot_be_rewrapped_says_why_and_stays_as_it_is() {
    let world = World::with_store();
    new_key(&world, "alias/new");
    world.pipe(["encrypt", "-c", "project=x", "-o", "f.wax"], b"content").succeeds_silently();
    world.write("plain", "not a container");
    let before = world.read("f.wax");
    world.run(["rewrap", "--to", "alias/new", "-c", "project=y", "f.wax"]).fails_with(7);
    world.run(["rewrap", "--to", "alias/nowhere", "f.wax"]).fails_with(8).says("alias/nowhere");
    world.run(["rewrap", "--to", "alias/new", "plain"]).fails_with(5);
    world.run(["rewrap", "--to", "alias/new", "."]).fails_with(3).says("is a directory");
    world.run(["rewrap", "--to", "alias/new", "missing.wax"]).fails_with(3);
    world.run(["rewrap", "f.wax"]).fails_with(2);
    world.run(["rewrap", "--to", "alias/new", "--add", "alias/new", "f.wax"]).fails_with(2);
    let elsewhere = World::with_store();
    elsewhere.write("f.wax", &before);
    elsewhere.run(["rewrap", "--to", "alias/default", "f.wax"]).fails_with(8).says("made by another store");
    assert!(elsewhere.read("f.wax") == before && world.read("f.wax") == before);
    let run = world.run(["rewrap", "--to", "alias/new", "f.wax", "plain"]).fails_with(10);
    run.says("error: plain: not a Waxseal container");
    assert_eq!(world.names(), ["f.wax", "plain"], "nothing is left beside them");
}

#[test]
fn a_blob_of_another_file_is_never_taken_over() {
    let world = World::with_store();
    new_key(&world, "alias/new");
    for name in ["a.wax", "b.wax"] {
        world.container(name, b"content", SUITES[0]);
    }
    // Both headers have slots of the same place and length, so that those of one fit the other.
    let (a, b) = (world.read("a.wax"), world.read("b.wax"));
    let start = (80 + usize::from(u16::from_le_bytes([a[10], a[11]]))).next_multiple_of(8);
    let mixed = [&a[..start], &b[start..2048], &a[2048..]].concat();
    world.write("mixed.wax", &mixed);
    world.run(["rewrap", "--to", "alias/new", "mixed.wax"]).fails_with(6).says("is another file's");
    assert!(world.read("mixed.wax") == mixed);
}

#[test]
fn a_tree_goes_to_another_key_and_what_it_depends_on_is_counted() {
    let world = World::with_store();
    let (old, new) = (default_key(&world), new_key(&world, "alias/new"));
    fs::create_dir_all(world.path("vault/deep/er")).unwrap();
    for name in ["vault/a.wax", "vault/deep/b.wax", "vault/deep/er/c.wax", "outside.wax"] {
        world.container(name, name.as_bytes(), SUITES[0]);
    }
    // Many names of one file are one file that is changed once, whoever comes first.
    for number in 0..20 {
        fs::hard_link(world.path("vault/a.wax"), world.path(&format!("vault/deep/{number}.wax"))).unwrap();
    }
    std::os::unix::fs::symlink("../outside.wax", world.path("vault/link.wax")).unwrap();
    world.write("vault/plain", "not a container");
    let depends = |key: &str| {
        let keys = world.run(["inspect", "-q", "-r", "--keys", "--json", "vault"]).succeeds().json();
        keys.iter().find(|found| found["key_arn"] == key).map_or(0, |found| found["files"].as_u64().unwrap())
    };
    assert_eq!((depends(&old), depends(&new)), (23, 0));
    let run = world.run(["rewrap", "-r", "-j", "16", "--dry-run", "--to", "alias/new", "vault"]).succeeds();
    assert_eq!(run.text().lines().count(), 3);
    assert!(run.stderr.contains("3 files to be rewrapped") && run.stderr.contains("20 unchanged"), "{run:?}");
    assert_eq!((depends(&old), depends(&new)), (23, 0));
    let run = world.run(["rewrap", "-r", "-j", "16", "--to", "alias/new", "vault"]).succeeds();
    assert!(run.stderr.contains("3 files rewrapped") && run.stderr.contains("20 unchanged"), "{run:?}");
    assert_eq!((depends(&old), depends(&new)), (0, 23));
    assert_eq!(arns(&world, "outside.wax"), [old], "links are not followed");
    world.write("vault/deep/broken.wax", "not a container");
    world.run(["rewrap", "-r", "--to", "alias/default", "vault"]).fails_with(10).says("vault/deep/broken.wax: not a");
    fs::remove_file(world.path("vault/deep/broken.wax")).unwrap();
    assert_eq!(depends(&new), 0, "the others were done");
    world.run(["rewrap", "--to", "alias/new", "vault"]).fails_with(3).says("is a directory");
}

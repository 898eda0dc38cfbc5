//! Disks that are full in the middle of a tree.

use std::fs;

use super::support::assert_same;
use crate::disk::SmallDisk;
use crate::support::{World, json_lines, noise, skipped};

/// A tree of 40 files of 100 kB in two directories.
fn tree(world: &World) {
    for folder in ["src/a", "src/b"] {
        fs::create_dir_all(world.path(folder)).unwrap();
        (0..20).for_each(|number| world.write(&format!("{folder}/{number}"), noise(100_000, number)));
    }
}

/// Runs a command into a disk that has room for a part of the tree, then once more when there is room for all of it.
fn fills_and_goes_on(world: &World, arguments: &[&str], whole: impl Fn(&World)) {
    world.write("small/ballast", noise(4_500_000, 99));
    let run = world.run([arguments, &["--report", "failures", "--json"]].concat()).fails_with(10);
    let summary = json_lines(&run.stderr).pop().unwrap();
    let (succeeded, failed) = (summary["succeeded"].as_u64().unwrap(), summary["failed"].as_u64().unwrap());
    assert!(succeeded > 0 && failed > 0 && succeeded + failed == 40, "{summary}");
    let failures = json_lines(std::str::from_utf8(&world.read("failures")).unwrap());
    assert_eq!(failures.len() as u64, failed + 1);
    for failure in &failures[..failures.len() - 1] {
        assert_eq!((failure["kind"].as_str(), failure["code"].as_u64()), (Some("output"), Some(4)), "{failure}");
        assert!(failure["message"].as_str().unwrap().contains("no space left on device"), "{failure}");
    }
    whole(world);
    fs::remove_file(world.path("small/ballast")).unwrap();
    let run = world.run([arguments, &["--update", "--json"]].concat()).succeeds();
    let summary = json_lines(&run.stderr).pop().unwrap();
    assert_eq!((summary["succeeded"].as_u64(), summary["unchanged"].as_u64()), (Some(failed), Some(succeeded)));
}

fn on(world: &World) {
    tree(world);
    fills_and_goes_on(world, &["encrypt", "-r", "src", "-o", "small/vault"], |world| {
        world.run(["verify", "-q", "-r", "small/vault"]).succeeds_silently();
    });
    world.run(["decrypt", "-q", "-r", "small/vault", "-o", "back"]).succeeds_silently();
    assert_same(&world.path("src"), &world.path("back"));
    fs::rename(world.path("small/vault"), world.path("small/gone")).unwrap();
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    fs::remove_dir_all(world.path("small/gone")).unwrap();
    fills_and_goes_on(world, &["decrypt", "-r", "vault", "-o", "small/back"], |world| {
        for folder in ["a", "b"] {
            for name in crate::support::names_in(&world.path(&format!("small/back/{folder}"))) {
                let path = format!("{folder}/{name}");
                assert!(world.read(&format!("small/back/{path}")) == world.read(&format!("src/{path}")), "{path}");
            }
        }
    });
    assert_same(&world.path("src"), &world.path("small/back"));
}

#[test]
fn what_has_its_name_on_a_full_disk_is_whole_and_the_next_run_does_the_rest() {
    let world = World::with_store();
    let Some(_disk) = SmallDisk::mount(&world.path("small"), "size=6m") else {
        return skipped("a small file system cannot be mounted here");
    };
    on(&world);
}

#[test]
fn the_same_on_ext4() {
    let world = World::with_store();
    // Its own tables take some of it.
    let Some(_disk) = SmallDisk::mount_ext4(&world.path("small"), &world.path("image"), 8) else {
        return skipped("a file in this directory cannot be mounted");
    };
    on(&world);
}

//! A tree of containers is a directory that the mount shows, and the other way round.

use std::process::Command;

use super::support::{assert_same, make};
use crate::mount::support::{CLEAR, Mounted, VAULT, mountable};
use crate::support::needed;

#[test]
fn the_mount_shows_an_encrypted_tree_as_it_was() {
    let Some(world) = mountable() else { return };
    make(&world);
    world.run(["encrypt", "-q", "-r", "src", "-o", VAULT]).succeeds_silently();
    let mounted = Mounted::new(&world, &["--read-only"]);
    assert_same(&world.path("src"), &world.path(CLEAR));
    mounted.unmount();
}

#[test]
fn what_was_written_through_the_mount_is_decrypted_as_it_was() {
    let Some(world) = mountable() else { return };
    let Some(rsync) = needed("rsync") else { return };
    make(&world);
    let mounted = Mounted::new(&world, &[]);
    let copied = Command::new(rsync).args(["-aHXS"]).arg(world.path("src/")).arg(mounted.root()).output().unwrap();
    assert!(copied.status.success(), "{copied:?}");
    mounted.unmount();
    world.run(["verify", "-q", "-r", VAULT]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", VAULT, "-o", "back"]).succeeds_silently();
    assert_same(&world.path("src"), &world.path("back"));
    let run = world.run(["encrypt", "-r", "--update", "src", "-o", VAULT]).succeeds();
    assert!(run.stderr.starts_with("0 files encrypted, "), "{}", run.stderr);
}

#[test]
fn regression_a_source_in_a_mount_is_not_removed_with_the_container_that_was_made_of_it() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let root = mounted.root();
    std::fs::write(root.join("f"), "data").unwrap();
    let root = root.to_str().unwrap();
    let run = world.run(["encrypt", "-r", "-f", "--remove-source", root, "-o", VAULT]).fails_with(10);
    run.says("lies in a mount of waxseal's, and stays");
    mounted.unmount();
    let container = format!("{VAULT}/f.wax");
    assert_eq!(world.run(["cat", &container]).succeeds_silently().text(), "data");
}

//! `waxseal kms seal`: another seal, the same keys.

use std::time::Duration;

use crate::support::World;

/// A store that is sealed by the passphrase in `one`, with a container; and a file `two` with another passphrase.
fn sealed() -> World {
    let world = World::new();
    world.write("one", "first\n");
    world.write("two", "second\n");
    world.run(["kms", "init", "--seal", "passphrase", "--passphrase-file", "one"]).succeeds();
    world.write("plain", "content");
    world.run(["encrypt", "plain", "-o", "plain.wax", "--passphrase-file", "one"]).succeeds();
    world
}

fn reseal<'a>(old: &'a str, new: &'a str) -> [&'a str; 8] {
    ["kms", "seal", "--seal", "passphrase", "--passphrase-file", old, "--new-passphrase-file", new]
}

#[test]
fn containers_open_after_every_change_of_the_seal() {
    let world = sealed();
    let cat = |options: &[&str]| world.run(["cat", "plain.wax"].iter().chain(options));
    world.run(reseal("one", "two")).succeeds_silently();
    cat(&["--passphrase-file", "one"]).fails_with(8).says("the passphrase is wrong");
    assert_eq!(cat(&["--passphrase-file", "two"]).succeeds().text(), "content");
    let seal = world.run(["--json", "kms", "seal", "--seal", "keyfile", "--passphrase-file", "two"]).succeeds();
    assert_eq!(seal.json().remove(0)["seal"], "keyfile");
    assert_eq!(cat(&[]).succeeds_silently().text(), "content");
    world.run(["kms", "seal", "--seal", "passphrase", "--new-passphrase-file", "one"]).succeeds_silently();
    assert_eq!(cat(&["--passphrase-file", "one"]).succeeds().text(), "content");
    world.run(reseal("two", "one")).fails_with(8).says("the passphrase is wrong");
}

#[test]
fn a_change_that_is_killed_leaves_the_old_seal_or_the_new_one() {
    let world = sealed();
    let (mut now, mut other) = ("one", "two");
    for delay in [0, 40, 80, 120, 160, 240, 400, 800] {
        let mut process = world.command(reseal(now, other)).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        process.kill().unwrap();
        process.wait().unwrap();
        let opens = |file: &str| world.run(["cat", "plain.wax", "--passphrase-file", file]).code == Some(0);
        let (old_opens, new_opens) = (opens(now), opens(other));
        assert!(old_opens != new_opens, "after {delay} ms: {old_opens} {new_opens}");
        if new_opens {
            (now, other) = (other, now);
        }
    }
}

//! `inspect -r`: what a tree depends on.

use std::fs;

use crate::support::World;

#[test]
fn the_keys_of_a_tree_are_counted_without_any_key() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/d")).unwrap();
    for name in ["a", "b", "d/c"] {
        world.write(&format!("src/{name}"), name);
    }
    let key = world.run(["kms", "create-key", "--query", "KeyMetadata.Arn", "--output", "text"]).succeeds();
    let other = key.text().trim();
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    world
        .run(["encrypt", "-q", "-k", "alias/default", "-k", other, "src/a", "-o", "vault/d/both.wax"])
        .succeeds_silently();
    world.write("vault/foreign", "passed over");
    fs::rename(world.home(), world.path("home is gone")).unwrap();
    let keys = world.run(["inspect", "-q", "-r", "--keys", "--json", "vault"]).succeeds().json();
    let counted = |arn: &str| keys.iter().find(|key| key["key_arn"] == arn).map(|key| key["files"].as_u64().unwrap());
    assert_eq!((keys.len(), counted(other)), (2, Some(1)));
    assert_eq!(keys.iter().map(|key| key["files"].as_u64().unwrap()).max(), Some(4));
    let text = world.run(["inspect", "-r", "--keys", "vault"]).succeeds();
    assert!(text.text().lines().any(|line| line == format!("1 local {other}")), "{}", text.text());
    assert!(text.stderr.starts_with("4 files inspected"), "{}", text.stderr);
    world.write("vault/broken.wax", "not a container");
    let objects = world.run(["inspect", "-r", "--json", "vault"]).fails_with(10).json();
    assert_eq!(objects.iter().filter(|object| object["status"] == "ok" && object["suite"].is_string()).count(), 4);
    assert_eq!(objects.iter().filter(|object| object["code"] == 5).count(), 1);
}

#[test]
fn a_sample_is_a_share_of_the_files_and_its_failures_are_told() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    (0..300).for_each(|number| world.write(&format!("src/{number}"), "x"));
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    let verified = |share: &str| {
        let run = world.run(["verify", "-r", "--sample", share, "vault"]).succeeds();
        run.stderr.split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(verified("100"), 300);
    assert!((50..250).contains(&verified("50")));
    world.run(["verify", "-r", "--sample", "0", "vault"]).fails_with(2);
    (0..300).for_each(|number| world.write(&format!("vault/{number}.wax"), "damaged"));
    world.run(["verify", "-q", "-r", "--sample", "50", "vault"]).fails_with(10).says(".wax: not a Waxseal container");
}

//! Rules for files of several names.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::{configure, facts, two_keys};
use crate::support::World;
use crate::tree::support::{assert_same, listing};

fn inode(world: &World, name: &str) -> u64 {
    fs::metadata(world.path(name)).unwrap().ino()
}

#[test]
fn each_name_of_a_hard_link_falls_under_its_own_rule() {
    let (world, one, two) = two_keys();
    for name in ["src/hr/y", "src/it/x", "src/it/y"] {
        fs::hard_link(world.path("src/hr/x"), world.path(name)).unwrap();
    }
    configure(
        &world,
        "[[rules]]\npath = \"DIR/src/hr\"\nkey = \"alias/one\"\ncontext = { of = \"hr\" }\n\
         [[rules]]\npath = \"DIR/src/it\"\nkey = \"alias/two\"\n",
    );
    let run = world.run(["encrypt", "-r", "--update", "src", "-o", "vault"]).succeeds();
    assert_eq!(run.stderr.matches("warning: ").count(), 1, "{}", run.stderr);
    let run = run.says(": gets a container of its own: vault/").says("hint: they come back as two files");
    run.says("5 files encrypted").says(", 2 links");
    for (folder, key, context) in [("hr", one, vec!["of=hr".to_owned()]), ("it", two, vec![])] {
        let names = ["x", "y"].map(|name| format!("vault/{folder}/{name}.wax"));
        assert_eq!(facts(&world, &names[0]), (vec![key], context));
        assert_eq!(inode(&world, &names[0]), inode(&world, &names[1]));
    }
    assert_ne!(inode(&world, "vault/hr/x.wax"), inode(&world, "vault/it/x.wax"));
    // The next run has nothing to do, and nothing to say.
    let before = listing(&world.path("vault"));
    world.run(["encrypt", "-q", "-r", "--update", "--delete", "src", "-o", "vault"]).succeeds_silently();
    assert_eq!(listing(&world.path("vault")), before);
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    for name in ["hr/x", "it/y"] {
        assert_eq!(world.read(&format!("back/{name}")), b"hr/x", "{name}");
    }
}

#[test]
fn names_under_rules_that_say_the_same_are_names_of_one_container() {
    let (world, one, _) = two_keys();
    fs::hard_link(world.path("src/hr/x"), world.path("src/it/x")).unwrap();
    configure(
        &world,
        "[[rules]]\npath = \"DIR/src/hr\"\nkey = \"alias/one\"\n\
         [[rules]]\npath = \"DIR/src/it\"\nkey = \"alias/one\"\n",
    );
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    assert_eq!(facts(&world, "vault/it/x.wax").0, [one]);
    assert_eq!(inode(&world, "vault/hr/x.wax"), inode(&world, "vault/it/x.wax"));
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    assert_same(&world.path("src"), &world.path("back"));
}

//! The configuration (docs/config.md): what new files get, and where that is from.

mod links;
mod safety;
mod show;

use std::fs;

use crate::support::{Run, World};

/// Writes the configuration of a world; `DIR` in it is the working directory.
fn configure(world: &World, text: &str) {
    fs::create_dir_all(world.home()).unwrap();
    let text = text.replace("DIR", world.dir().canonicalize().unwrap().to_str().unwrap());
    fs::write(world.home().join("config.toml"), text).unwrap();
}

/// Makes a key with an alias, and gives the key's ARN.
fn key(world: &World, alias: &str) -> String {
    let made = world.run(["kms", "create-key", "--query", "KeyMetadata.Arn", "--output", "text"]).succeeds();
    let arn = made.text().trim().to_owned();
    world.run(["kms", "create-alias", "--alias-name", alias, "--target-key-id", &arn]).succeeds();
    arn
}

/// The keys of a container, by what it says, and its context as `NAME=VALUE`.
fn facts(world: &World, container: &str) -> (Vec<String>, Vec<String>) {
    let [object] = world.run(["inspect", "--json", container]).succeeds().json().try_into().unwrap();
    let keys = object["keys"].as_array().unwrap().iter().map(|key| key["key_arn"].as_str().unwrap().to_owned());
    let context = object["context"].as_object().unwrap().iter();
    let context = context.map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
    (keys.collect(), context.collect())
}

/// A world with the keys `alias/one` and `alias/two`, whose ARNs are given, and a tree of two directories.
fn two_keys() -> (World, String, String) {
    let world = World::with_store();
    let (one, two) = (key(&world, "alias/one"), key(&world, "alias/two"));
    for folder in ["src/hr/public", "src/it"] {
        fs::create_dir_all(world.path(folder)).unwrap();
    }
    for name in ["top", "hr/x", "hr/public/y", "it/z"] {
        world.write(&format!("src/{name}"), name);
    }
    (world, one, two)
}

fn with_variables<const N: usize>(world: &World, variables: [(&str, &str); N], arguments: &[&str]) -> Run {
    Run::from(world.command(arguments).envs(variables).output().unwrap())
}

#[test]
fn defaults_are_for_new_files_unless_something_is_said() {
    let (world, one, two) = two_keys();
    configure(&world, "key = \"alias/one\"\ncontext = { a = \"1\" }\n");
    world.run(["encrypt", "src/top", "-o", "a.wax"]).succeeds_silently();
    assert_eq!(facts(&world, "a.wax"), (vec![one.clone()], vec!["a=1".to_owned()]));
    world.run(["encrypt", "-k", "alias/two", "src/top", "-o", "b.wax"]).succeeds_silently();
    assert_eq!(facts(&world, "b.wax"), (vec![two.clone()], vec!["a=1".to_owned()]));
    world.run(["encrypt", "-c", "b=2", "src/top", "-o", "c.wax"]).succeeds_silently();
    assert_eq!(facts(&world, "c.wax"), (vec![one.clone()], vec!["b=2".to_owned()]));
    world.run(["prepare", "d.wax"]).succeeds_silently();
    assert_eq!(facts(&world, "d.wax"), (vec![one.clone()], vec!["a=1".to_owned()]));
    world.pipe(["encrypt", "-o", "e.wax"], b"x").succeeds_silently();
    assert_eq!(facts(&world, "e.wax").0, [one]);
    // They are no demands on what is read.
    configure(&world, "key = \"alias/one\"\ncontext = { other = \"1\" }\n");
    assert_eq!(world.run(["cat", "b.wax"]).succeeds_silently().stdout, b"top");
}

#[test]
fn the_environment_goes_before_the_configuration_and_after_the_command_line() {
    let (world, one, two) = two_keys();
    configure(
        &world,
        "key = \"alias/one\"\n[[rules]]\npath = \"DIR/src/hr\"\nkey = \"alias/one\"\ncontext = { a = \"1\" }\n",
    );
    let variables = [("WAXSEAL_KEY", "alias/two, alias/one"), ("WAXSEAL_CONTEXT", "b=2,c=3")];
    with_variables(&world, variables, &["encrypt", "src/hr/x", "-o", "a.wax"]).succeeds_silently();
    let pairs = vec!["b=2".to_owned(), "c=3".to_owned()];
    assert_eq!(facts(&world, "a.wax"), (vec![two, one.clone()], pairs));
    let arguments = ["encrypt", "-k", "alias/one", "-c", "d=4", "src/hr/x", "-o", "b.wax"];
    with_variables(&world, variables, &arguments).succeeds_silently();
    assert_eq!(facts(&world, "b.wax"), (vec![one.clone()], vec!["d=4".to_owned()]));
    let empty = [("WAXSEAL_KEY", ""), ("WAXSEAL_CONTEXT", "")];
    with_variables(&world, empty, &["encrypt", "src/hr/x", "-o", "c.wax"]).succeeds_silently();
    assert_eq!(facts(&world, "c.wax"), (vec![one], vec!["a=1".to_owned()]));
    for (name, value) in [("WAXSEAL_KEY", "x y"), ("WAXSEAL_KEY", "alias/one,"), ("WAXSEAL_CONTEXT", "a=1,b")] {
        let run = with_variables(&world, [(name, value)], &["encrypt", "src/top", "-o", "d.wax"]);
        run.fails_with(2).says(&format!("error: {name}: "));
    }
}

#[test]
fn each_file_of_a_tree_falls_under_the_first_rule_that_is_of_its_path() {
    let (world, one, two) = two_keys();
    let [default] = facts_of_default(&world);
    configure(
        &world,
        "[[rules]]\npath = \"DIR/src/hr/public/**\"\ncontext = { p = \"1\" }\n\
         [[rules]]\npath = \"DIR/src/hr\"\nkey = [\"alias/one\", \"alias/two\"]\n\
         [[rules]]\npath = \"DIR/**/z\"\nkey = \"alias/two\"\ncontext = { z = \"1\" }\n",
    );
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    let expected = [
        ("top", vec![default.clone()], vec![]),
        ("hr/x", vec![one, two.clone()], vec![]),
        // A rule that names no key leaves it to the default, not to the next rule.
        ("hr/public/y", vec![default], vec!["p=1".to_owned()]),
        ("it/z", vec![two.clone()], vec!["z=1".to_owned()]),
    ];
    for (name, keys, context) in expected {
        assert_eq!(facts(&world, &format!("vault/{name}.wax")), (keys, context), "{name}");
    }
    // What is new falls under its rule too; what is as it was keeps what it has.
    configure(&world, "[[rules]]\npath = \"DIR/src\"\nkey = \"alias/two\"\n");
    let before = world.read("vault/hr/x.wax");
    world.write("src/hr/new", "new");
    world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
    assert_eq!(facts(&world, "vault/hr/new.wax").0, [two]);
    assert!(world.read("vault/hr/x.wax") == before);
    world.run(["verify", "-q", "-r", "vault"]).succeeds_silently();
}

fn facts_of_default(world: &World) -> [String; 1] {
    world.run(["encrypt", "src/top", "-o", "default.wax"]).succeeds_silently();
    facts(world, "default.wax").0.try_into().unwrap()
}

#[test]
fn a_rule_holds_whichever_way_leads_to_the_file() {
    let (world, one, _) = two_keys();
    std::os::unix::fs::symlink("src/hr", world.path("link")).unwrap();
    std::os::unix::fs::symlink("src/hr/x", world.path("x")).unwrap();
    for pattern in ["DIR/src/hr", "DIR/link/**", "DIR/src/{hr,no}"] {
        configure(&world, &format!("[[rules]]\npath = \"{pattern}\"\nkey = \"alias/one\"\n"));
        for path in ["src/hr/x", "src/it/../hr/x", "link/x", "x", "./src/hr/public/../x"] {
            world.run(["encrypt", "-f", path, "-o", "out.wax"]).succeeds_silently();
            assert_eq!(facts(&world, "out.wax").0, [one.as_str()], "{pattern} {path}");
        }
        for (input, name) in [("link", "x"), ("src/it/../hr", "x"), ("src", "hr/x")] {
            world.run(["encrypt", "-q", "-f", "-r", input, "-o", "vault"]).succeeds_silently();
            assert_eq!(facts(&world, &format!("vault/{name}.wax")).0, [one.as_str()], "{pattern} {input}");
            fs::remove_dir_all(world.path("vault")).unwrap();
        }
        // Several inputs, a file among them.
        world.run(["encrypt", "-q", "-r", "src/it", "src/hr/x", "-o", "vault"]).succeeds_silently();
        assert_eq!(facts(&world, "vault/x.wax").0, [one.as_str()]);
        assert_ne!(facts(&world, "vault/it/z.wax").0, [one.as_str()]);
        fs::remove_dir_all(world.path("vault")).unwrap();
    }
}

#[test]
fn what_has_no_path_goes_by_that_of_its_container() {
    let (world, one, _) = two_keys();
    let [default] = facts_of_default(&world);
    configure(&world, "[[rules]]\npath = \"DIR/**/*.sql\"\nkey = \"alias/one\"\n");
    world.pipe(["encrypt", "-o", "src/db.sql.wax"], b"x").succeeds_silently();
    world.run(["prepare", "src/monday.sql.wax"]).succeeds_silently();
    for name in ["src/db.sql.wax", "src/monday.sql.wax"] {
        assert_eq!(facts(&world, name).0, [one.as_str()], "{name}");
    }
    // What a link leads to is what is written.
    for (target, link) in [("src/linked.sql.wax", "link"), ("link", "link.sql.wax")] {
        std::os::unix::fs::symlink(target, world.path(link)).unwrap();
    }
    world.pipe(["encrypt", "-o", "link"], b"x").succeeds_silently();
    world.run(["prepare", "-f", "link.sql.wax"]).succeeds_silently();
    assert_eq!(facts(&world, "src/linked.sql.wax").0, [one.as_str()]);
    std::os::unix::fs::symlink("other.wax", world.path("src/not.sql.wax")).unwrap();
    world.pipe(["encrypt", "-o", "src/not.sql.wax"], b"x").succeeds_silently();
    assert_eq!(facts(&world, "src/other.wax").0, [default.as_str()]);
    let streamed = world.pipe(["encrypt"], b"x").succeeds();
    world.write("s.wax", streamed.stdout);
    assert_eq!(facts(&world, "s.wax").0, [default]);
}

#[test]
fn a_key_that_is_refused_fails_the_files_of_its_rule_and_the_others_go_on() {
    let (world, _, two) = two_keys();
    world.run(["kms", "disable-key", "--key-id", &two]).succeeds();
    configure(
        &world,
        "[[rules]]\npath = \"DIR/src/it\"\nkey = \"alias/two\"\n[[rules]]\npath = \"DIR/src/hr\"\nkey = \"alias/no\"\n",
    );
    let run = world.run(["encrypt", "-r", "src", "-o", "vault"]).fails_with(10);
    let run = run.says("src/it/z: ").says("alias/no").says("1 file encrypted").says("; 3 failed");
    // Each says where its key is named: one that is disabled, and one that is not there.
    let file = world.home().join("config.toml");
    let [disabled, missing] = [3, 6].map(|line| format!("\n  the key is named in {}:{line}\nhint: ", file.display()));
    assert_eq!((run.stderr.matches(&disabled).count(), run.stderr.matches(&missing).count()), (1, 2), "{}", run.stderr);
    assert!(world.path("vault/top.wax").exists() && !world.path("vault/it/z.wax").exists());
    // Where all are made alike it ends the run.
    let run = world.run(["encrypt", "-k", "alias/no", "-r", "src", "-o", "other"]).fails_with(8);
    assert!(!run.stderr.contains("named in"), "{}", run.stderr);
    let run = with_variables(&world, [("WAXSEAL_KEY", "alias/no")], &["encrypt", "--json", "src/top"]).fails_with(8);
    let [error] = run.json().try_into().unwrap();
    assert_eq!(error["key_named_in"], serde_json::json!({ "kind": "environment", "variable": "WAXSEAL_KEY" }));
    configure(&world, "always-keys = [\n\"alias/default\",\n\"alias/no\"]\n");
    world.run(["encrypt", "src/top"]).fails_with(8).says("config.toml:3\n");
}

#[test]
fn mistakes_are_named_with_their_lines_whatever_the_command() {
    let world = World::with_store();
    world.write("f", "x");
    world.run(["encrypt", "f"]).succeeds_silently();
    for (text, says) in [
        ("key = \"alias/one\"\nkeys = []\n", "config.toml: line 2: unknown field `keys`"),
        ("\n[[rules]]\npath = \"hr\"\nkey = \"alias/a\"\n", "config.toml: line 3: path: \"hr\" is not absolute"),
        ("[[rules]]\npath = \"/hr/d**k\"\nkey = \"alias/a\"\n", "line 2: path: \"/hr/d**k\" has ** within a name"),
        ("[[rules]]\npath = \"/hr\"\n", "config.toml: line 1: the rule says nothing of the files that it is of"),
        ("context = { \"waxseal:x\" = \"1\" }\n", "config.toml: line 1: context: "),
    ] {
        configure(&world, text);
        for arguments in [&["encrypt", "-f", "f"][..], &["cat", "f.wax"], &["config", "show"]] {
            world.run(arguments).fails_with(2).says(says);
        }
    }
}

#[cfg(feature = "fuse")]
#[test]
fn a_configuration_that_cannot_be_read_is_not_none() {
    let world = World::with_store();
    world.write("f", "x");
    let config = world.home().join("config.toml");
    std::os::unix::fs::symlink("nowhere", &config).unwrap();
    world.run(["encrypt", "f"]).fails_with(2).says("config.toml: cannot be read");
    fs::remove_file(&config).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &config, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    world.run(["encrypt", "f"]).fails_with(2).says("config.toml: is not a file");
    assert!(!world.path("f.wax").exists());
}

#[test]
fn a_mount_makes_all_new_files_by_the_rule_of_its_directory() {
    let (world, one, two) = two_keys();
    for folder in ["vault/part", "m"] {
        fs::create_dir_all(world.path(folder)).unwrap();
    }
    configure(
        &world,
        "[[rules]]\npath = \"DIR/vault/part\"\nkey = \"alias/one\"\n[[rules]]\npath = \"DIR/vault\"\nkey = \"alias/two\"\n",
    );
    world
        .run(["mount", "vault", "m"])
        .fails_with(2)
        .says("vault: a rule is of a part of it, ")
        .says("in line 2 of config.toml, and new files of a mount are all alike");
    if world.run(["mount", "vault/part", "m"]).code != Some(0) {
        return crate::support::skipped("nothing can be mounted here");
    }
    world.write("m/new", "x");
    world.run(["umount", "m"]).succeeds();
    assert_eq!(facts(&world, "vault/part/new.wax").0, [one]);
    configure(&world, "[[rules]]\npath = \"DIR/vault\"\nkey = \"alias/two\"\ncontext = { a = \"1\" }\n");
    world.run(["mount", "vault", "m"]).succeeds();
    world.write("m/new", "x");
    // What was made under other keys and another context is read all the same.
    assert_eq!(world.read("m/part/new"), b"x");
    world.run(["umount", "m"]).succeeds();
    assert_eq!(facts(&world, "vault/new.wax"), (vec![two], vec!["a=1".to_owned()]));
}

//! Several inputs: names, directories, errors in between, the summary.

use std::fs;

use crate::support::{World, noise};

#[test]
fn many_files_go_into_a_directory_and_come_back() {
    let world = World::with_store();
    for folder in ["in", "vault", "back"] {
        fs::create_dir(world.path(folder)).unwrap();
    }
    let names: Vec<String> = (0..1200).map(|number| format!("in/{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        world.write(name, noise(number * 7, number as u64));
    }
    let run = world.run(["encrypt", "-o", "vault"].into_iter().chain(names.iter().map(String::as_str))).succeeds();
    assert!(run.stderr.starts_with("1200 files encrypted, "), "{}", run.stderr);
    let containers: Vec<String> = (0..1200).map(|number| format!("vault/{number}.wax")).collect();
    let arguments = ["decrypt", "-q", "-j", "3", "--no-sync", "-o", "back"].into_iter();
    world.run(arguments.chain(containers.iter().map(String::as_str))).succeeds_silently();
    world.run(["verify", "-q"].into_iter().chain(containers.iter().map(String::as_str))).succeeds();
    for (number, name) in names.iter().enumerate() {
        assert!(world.read(name) == world.read(&format!("back/{number}")), "{name}");
    }
    for folder in ["in", "vault", "back"] {
        assert_eq!(crate::support::names_in(&world.path(folder)).len(), 1200, "{folder}");
    }
}

#[test]
fn the_others_go_on_when_one_fails() {
    let world = World::with_store();
    for name in ["a", "b", "d"] {
        world.write(name, name);
    }
    world.write("b.wax", "in the way");
    let run = world.run(["encrypt", "a", "b", "c", "d"]).fails_with(10);
    for words in ["error: b.wax: exists already", "error: c: cannot be opened", "2 files encrypted, 2 bytes; 2 failed"]
    {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert_eq!(world.names(), ["a", "a.wax", "b", "b.wax", "d", "d.wax"]);
    assert_eq!(world.read("b.wax"), b"in the way");
    let run = world.run(["decrypt", "-f", "a.wax", "b.wax", "d.wax"]).fails_with(10);
    run.says("error: b.wax: not a Waxseal container").says("2 files decrypted");
    assert_eq!(world.names(), ["a", "a.wax", "b", "b.wax", "d", "d.wax"]);
}

#[test]
fn two_inputs_for_one_output_are_refused_even_by_force() {
    let world = World::with_store();
    for folder in ["x", "y", "out"] {
        fs::create_dir(world.path(folder)).unwrap();
    }
    world.write("x/f", "from x");
    world.write("y/f", "from y");
    let run = world.run(["encrypt", "-f", "-o", "out", "x/f", "y/f"]).fails_with(10);
    run.says("error: out/f.wax: is the output of two inputs");
    let run = world.run(["encrypt", "x/f", "x/f"]).fails_with(10);
    run.says("error: x/f.wax: is the output of two inputs\nhint: name each input once");
}

#[test]
fn what_was_done_is_said_when_asked() {
    let world = World::with_store();
    world.write("f", "12345");
    let run = world.run(["encrypt", "-v", "-c", "a=b", "f"]).succeeds();
    assert!(run.stderr.starts_with("f -> f.wax: encrypted, 5 bytes, key arn:aws:kms:us-east-1:000000000000:key/"));
    assert!(run.stderr.trim_end().ends_with(", a=b"), "{}", run.stderr);
    let run = world.run(["decrypt", "-v", "f.wax", "-o", "g"]).succeeds();
    assert!(run.stderr.starts_with("f.wax -> g: decrypted, 5 bytes, key arn:"), "{}", run.stderr);
    let run = world.run(["verify", "f.wax"]).succeeds();
    assert!(run.text().starts_with("f.wax: verified, 5 bytes, key arn:") && run.stderr.is_empty(), "{run:?}");
}

#[test]
fn a_data_key_is_asked_for_once_for_inputs_that_share_it() {
    let world = World::with_store();
    for name in ["a", "b"] {
        world.write(name, name);
        world.run(["encrypt", name]).succeeds_silently();
    }
    let again = ["a.wax", "b.wax", "a.wax", "a.wax"];
    let run = world.run([&["verify", "-v"], &again[..]].concat()).succeeds();
    assert!(run.stderr.contains("data keys: 2 decrypted by the key service, 2 taken from memory"), "{run:?}");
    let run = world.run([&["verify", "--json"], &again[..]].concat()).succeeds();
    assert!(run.stderr.contains("\"data_keys\":{\"decrypted\":2,\"recalled\":2}"), "{run:?}");
}

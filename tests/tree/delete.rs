//! `--delete`: what is removed from a copy, and above all what is not.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;

use crate::support::{Run, World, names_in};

/// Files whose names fill a pipe when the program tells of each.
const FILES: usize = 200;

fn name(number: usize) -> String {
    format!("{number:0>230}")
}

/// Makes a tree and its copy; then one file of the tree is removed.
fn copied(world: &World) {
    fs::create_dir_all(world.path("src/d")).unwrap();
    for number in 0..FILES {
        world.write(&format!("src/d/{}", name(number)), "content");
    }
    for gone in ["src/gone", "src/d/gone"] {
        world.write(gone, "content");
    }
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    fs::remove_file(world.path("src/gone")).unwrap();
    fs::remove_file(world.path("src/d/gone")).unwrap();
}

/// Copies the tree once more with `--delete`, and does something after all of it was listed and before anything is removed:
/// the program waits until somebody reads what it tells.
fn copy_while(world: &World, act: impl FnOnce()) -> Run {
    let mut child = world.command(["encrypt", "-v", "-r", "-f", "--delete", "src", "-o", "vault"]).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut told = vec![0];
    stderr.read_exact(&mut told).unwrap();
    act();
    stderr.read_to_end(&mut told).unwrap();
    assert!(told.len() > 100_000, "{} bytes do not fill a pipe", told.len());
    let output = child.wait_with_output().unwrap();
    Run { code: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(told).unwrap() }
}

#[test]
fn a_source_that_is_exchanged_meanwhile_takes_nothing_with_it() {
    let world = World::with_store();
    copied(&world);
    let run = copy_while(&world, || {
        fs::rename(world.path("src"), world.path("elsewhere")).unwrap();
        fs::create_dir(world.path("src")).unwrap();
    });
    run.succeeds().says(", 2 deleted");
    assert_eq!(names_in(&world.path("vault/d")).len(), FILES);
}

#[test]
fn what_vanishes_after_it_was_listed_keeps_its_containers() {
    let world = World::with_store();
    copied(&world);
    let run = copy_while(&world, || {
        fs::rename(world.path("src/d"), world.path("elsewhere")).unwrap();
        fs::create_dir(world.path("src/d")).unwrap();
    });
    run.succeeds().says(", 2 deleted");
    assert_eq!(names_in(&world.path("vault/d")).len(), FILES);
    fs::rename(world.path("elsewhere"), world.path("src/d")).unwrap();
    let run = copy_while(&world, || fs::rename(world.path("src/d"), world.path("elsewhere")).unwrap());
    assert!(!run.succeeds().stderr.contains("deleted"));
    assert_eq!(names_in(&world.path("vault/d")).len(), FILES);
}

#[test]
fn an_output_that_is_exchanged_for_a_link_leads_nowhere() {
    let world = World::with_store();
    copied(&world);
    world.write("precious", "content");
    fs::create_dir_all(world.path("other/d")).unwrap();
    world.run(["encrypt", "-q", "precious", "-o", "other/d/"]).succeeds_silently();
    let run = copy_while(&world, || {
        fs::rename(world.path("vault"), world.path("vault.real")).unwrap();
        symlink("other", world.path("vault")).unwrap();
    });
    run.succeeds().says(", 2 deleted");
    assert_eq!(names_in(&world.path("other/d")), ["precious.wax"]);
    assert_eq!(names_in(&world.path("vault.real/d")).len(), FILES);
}

#[test]
fn each_of_several_inputs_has_its_own_copy() {
    let world = World::with_store();
    for name in ["one", "two"] {
        fs::create_dir_all(world.path(name).join("d")).unwrap();
        for file in ["a", "d/b"] {
            fs::write(world.path(name).join(file), file).unwrap();
        }
    }
    world.run(["encrypt", "-q", "-r", "one", "two", "-o", "vault"]).succeeds_silently();
    fs::remove_file(world.path("one/a")).unwrap();
    fs::remove_dir_all(world.path("two/d")).unwrap();
    world.run(["encrypt", "-r", "-u", "--delete", "one", "two", "-o", "vault"]).succeeds().says(", 3 deleted");
    assert_eq!(names_in(&world.path("vault/one")), ["d"]);
    assert_eq!(names_in(&world.path("vault/one/d")), ["b.wax"]);
    assert_eq!(names_in(&world.path("vault/two")), ["a.wax"]);
}

#[test]
fn patterns_are_of_the_names_that_the_source_has() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    for name in ["a.wax", "b", "c.wax"] {
        world.write(&format!("src/{name}"), name);
    }
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    fs::remove_file(world.path("src/b")).unwrap();
    fs::remove_file(world.path("src/c.wax")).unwrap();
    let update = ["encrypt", "-r", "-u", "--delete", "src", "-o", "vault"];
    world.run(update.iter().chain(&["--include", "*.wax"])).succeeds().says(", 1 deleted");
    assert_eq!(names_in(&world.path("vault")), ["a.wax.wax", "b.wax"]);
    world.run(update.iter().chain(&["--exclude", "b"])).succeeds();
    assert_eq!(names_in(&world.path("vault")), ["a.wax.wax", "b.wax"]);
    world.run(update.iter().chain(&["--exclude", "*.wax", "--include", "?"])).fails_with(10).says("has no files");
    assert_eq!(names_in(&world.path("vault")), ["a.wax.wax", "b.wax"]);
    world.run(update).succeeds().says(", 1 deleted");
    assert_eq!(names_in(&world.path("vault")), ["a.wax.wax"]);
}

#[test]
fn nothing_is_removed_if_anything_has_failed() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/a", "content");
    world.write("src/b", "content");
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    // A name that is too long for a container's.
    let long = format!("src/{}", "n".repeat(252));
    fs::rename(world.path("src/a"), world.path(&long)).unwrap();
    let update = ["encrypt", "-r", "-u", "--delete", "src", "-o", "vault"];
    let run = world.run(update).fails_with(10);
    run.says("vault: nothing is removed from it, because something has failed").says("; 1 failed");
    assert_eq!(names_in(&world.path("vault")), ["a.wax", "b.wax"]);
    fs::rename(world.path(&long), world.path("src/c")).unwrap();
    world.run(update).succeeds().says(", 1 deleted");
    assert_eq!(names_in(&world.path("vault")), ["b.wax", "c.wax"]);
}

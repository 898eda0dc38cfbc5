//! Many processes at once on one home.

use std::process::Child;

use crate::support::{Run, World, noise};

#[test]
fn ten_first_encryptions_at_once_make_one_store() {
    let world = World::new();
    for number in 0..10 {
        world.write(&format!("f{number}"), noise(10_000, number));
    }
    let start = |number: u64| -> Child { world.command(["encrypt", &format!("f{number}")]).spawn().unwrap() };
    let children: Vec<Child> = (0..10).map(start).collect();
    let runs: Vec<Run> = children.into_iter().map(|child| Run::from(child.wait_with_output().unwrap())).collect();
    let notes = runs.iter().filter(|run| run.stderr.contains("made a key store")).count();
    for run in runs {
        run.succeeds();
    }
    assert_eq!(notes, 1, "one process made the store, and said so");
    for number in 0..10 {
        let back = world.run(["cat", &format!("f{number}.wax")]).succeeds_silently().stdout;
        assert!(back == noise(10_000, number));
    }
}

#[test]
fn two_writers_of_one_output_leave_one_whole_file() {
    let world = World::with_store();
    world.write("a", noise(2_000_000, 1));
    world.write("b", noise(2_000_000, 2));
    let start = |name: &str| world.command(["encrypt", name, "-o", "out.wax"]).spawn().unwrap();
    let codes: Vec<Option<i32>> =
        [start("a"), start("b")].into_iter().map(|child| child.wait_with_output().unwrap().status.code()).collect();
    let mut sorted = codes.clone();
    sorted.sort();
    assert_eq!(sorted, [Some(0), Some(4)], "{codes:?}");
    let winner = if codes[0] == Some(0) { "a" } else { "b" };
    assert!(world.run(["cat", "out.wax"]).succeeds().stdout == world.read(winner));
    assert_eq!(world.names(), ["a", "b", "out.wax"]);
}

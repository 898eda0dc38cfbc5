//! Preparing and filling that are killed: a container is prepared or filled, and never anything between.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::support::traced::Traced;
use crate::support::{SUITES, World, noise};

#[test]
fn killed_before_any_one_of_its_calls_a_filling_leaves_it_prepared_or_filled() {
    let world = World::with_store();
    for suite in SUITES {
        // One group, and two, of which the first one is written last.
        for length in [1000, 300_000] {
            let content = noise(length, 1);
            world.run(["prepare", "-f", "--suite", suite, "p.wax"]).succeeds_silently();
            let Some(traced) = Traced::new(&world, &["encrypt", "--into", "p.wax"], &content) else { return };
            let mut seen = [0; 2];
            let kills = traced.killed_before_each_call(|| {
                assert_eq!(world.names(), ["p.wax"]);
                let read = world.run(["cat", "p.wax"]);
                seen[usize::from(read.code == Some(0))] += 1;
                if read.code == Some(0) {
                    assert!(read.succeeds_silently().stdout == content);
                    world.pipe(["encrypt", "--into", "p.wax"], b"twice").fails_with(4);
                } else {
                    read.fails_with(5).says("a prepared container").writes_nothing();
                    // With something shorter, so that what was left would be seen.
                    world.pipe(["encrypt", "--into", "p.wax"], b"again").succeeds_silently();
                    assert_eq!(world.run(["cat", "p.wax"]).succeeds_silently().stdout, b"again");
                }
            });
            assert!(kills > 3 && seen[0] > 1 && seen[1] > 0, "{kills} {seen:?}");
        }
    }
}

#[test]
fn killed_before_any_one_of_its_calls_a_preparation_leaves_a_whole_container_or_none() {
    let world = World::with_store();
    let Some(traced) = Traced::new(&world, &["prepare", "p.wax"], b"") else { return };
    let mut seen = [0; 2];
    let kills = traced.killed_before_each_call(|| {
        let is_there = world.path("p.wax").exists();
        seen[usize::from(is_there)] += 1;
        assert_eq!(world.names().len(), usize::from(is_there), "{:?}", world.names());
        if !is_there {
            world.run(["prepare", "p.wax"]).succeeds_silently();
        }
        world.pipe(["encrypt", "--into", "p.wax"], b"content").succeeds_silently();
        assert_eq!(world.run(["cat", "p.wax"]).succeeds_silently().stdout, b"content");
    });
    assert!(kills > 3 && seen[0] > 1 && seen[1] > 0, "{kills} {seen:?}");
}

#[test]
fn a_filling_that_was_killed_leaves_it_prepared_and_the_next_one_completes() {
    let world = World::with_store();
    world.run(["prepare", "p.wax"]).succeeds_silently();
    let mut filling = world.command(["encrypt", "--into", "p.wax"]).stdin(Stdio::piped()).spawn().unwrap();
    // More than the pipe holds: part of it has been read, and written, when the last byte has been taken.
    filling.stdin.as_mut().unwrap().write_all(&noise(8 << 20, 1)).unwrap();
    filling.kill().unwrap();
    filling.wait().unwrap();
    assert!(fs::metadata(world.path("p.wax")).unwrap().len() > 4096, "it was killed amid the filling");
    world.run(["cat", "p.wax"]).fails_with(5).says("a prepared container");
    let content = noise(10_000, 2);
    world.pipe(["encrypt", "--into", "p.wax"], &content).succeeds_silently();
    assert!(world.run(["cat", "p.wax"]).succeeds_silently().stdout == content);
    assert_eq!(world.names(), ["p.wax"]);
}

//! A rewrap that is killed at any moment: every file has its old keys or its new ones, and the next run completes it.

use std::time::Duration;

use super::{default_key, header, new_key};
use crate::support::traced::Traced;
use crate::support::{SUITES, World, noise};

/// Files that are rewrapped at once.
const FILES: usize = 60;
/// Kills.
const ROUNDS: u64 = 14;

#[test]
fn a_killed_rewrap_leaves_every_file_with_the_old_keys_or_the_new_ones() {
    let world = World::with_store();
    let keys = [default_key(&world), new_key(&world, "alias/new")];
    let names: Vec<String> = (0..FILES).map(|number| format!("{number}.wax")).collect();
    for (number, name) in names.iter().enumerate() {
        world.container(name, name.as_bytes(), SUITES[number % 2]);
    }
    let to = |key: &str| {
        let arguments = ["rewrap", "--to", key, "-j", "4"].into_iter().chain(names.iter().map(String::as_str));
        world.command(arguments)
    };
    let (mut untouched, mut done, mut between) = (0, 0, 0);
    for round in 0..ROUNDS {
        let (old, new) = (&keys[usize::from(round % 2 == 1)], &keys[usize::from(round % 2 == 0)]);
        let mut child = to(new).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(5 + round * 9));
        child.kill().unwrap();
        child.wait().unwrap();
        for name in &names {
            let found = header(&world, name);
            let has = |key: &str| found.encrypted_data_keys().iter().any(|found| found.key_arn.as_str() == key);
            assert!(has(old) || has(new), "{name}: {:?}", found.encrypted_data_keys());
            let tally = match (has(old), has(new)) {
                (true, true) => &mut between,
                (true, false) => &mut untouched,
                _ => &mut done,
            };
            *tally += 1;
            // Whichever they are, they open it: with both keys, and with that one alone which it is meant to have.
            let current = found.current_data_keys()[0].key_arn.to_string();
            assert_eq!(world.run(["cat", "-k", &current, name]).succeeds_silently().stdout, name.as_bytes());
        }
        // Run again, it completes what was interrupted.
        assert!(to(new).status().unwrap().success());
        for name in &names {
            let found = header(&world, name);
            assert!(found.is_rewrap_complete() && found.current_data_keys()[0].key_arn.as_str() == new, "{name}");
        }
    }
    assert!(untouched > 0 && done > 0, "no kill came in the middle: {untouched} {between} {done}");
    world.run(["kms", "disable-key", "--key-id", &keys[1]]).succeeds_silently();
    let verify = ["verify", "-q"].into_iter().chain(names.iter().map(String::as_str));
    world.run(verify).succeeds_silently();
}

#[test]
fn killed_before_any_one_of_its_calls_it_leaves_the_old_keys_or_the_new_ones() {
    let world = World::with_store();
    let old = default_key(&world);
    let others: Vec<String> = (0..6).map(|number| new_key(&world, &format!("alias/n{number}"))).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let content = noise(140_000, 1);
    let to = |keys: &[&str]| -> Vec<String> {
        let options = keys.iter().flat_map(|key| ["--to".to_owned(), (*key).to_owned()]);
        ["rewrap".to_owned()].into_iter().chain(options).chain(["f.wax".to_owned()]).collect()
    };
    // From one slot to the other, from one to both, and from both to one.
    let cases = [(vec![&*old], vec![others[0]]), (vec![&*old], others.clone()), (others.clone(), vec![&*old])];
    for (number, (from, new)) in cases.into_iter().enumerate() {
        world.container("f.wax", &content, SUITES[number % 2]);
        world.run(to(&from)).succeeds_silently();
        let words = to(&new);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let Some(traced) = Traced::new(&world, &words, b"") else { return };
        let mut seen = [0; 2];
        let kills = traced.killed_before_each_call(|| {
            let found = header(&world, "f.wax");
            let current: Vec<&str> = found.current_data_keys().iter().map(|key| key.key_arn.as_str()).collect();
            assert!(current == from || current == new, "{current:?}");
            seen[usize::from(current == new)] += 1;
            for key in [current[0], current[current.len() - 1]] {
                assert!(world.run(["cat", "-k", key, "f.wax"]).succeeds_silently().stdout == content);
            }
            world.run(to(&new)).succeeds_silently();
            let found = header(&world, "f.wax");
            assert!(found.is_rewrap_complete() && found.encrypted_data_keys().len() == new.len());
            assert!(world.run(["cat", "-k", new[0], "f.wax"]).succeeds_silently().stdout == content);
        });
        assert!(kills > 3 && seen[0] > 1 && seen[1] > 0, "{kills} {seen:?}");
        std::fs::remove_file(world.path("f.wax")).unwrap();
    }
}

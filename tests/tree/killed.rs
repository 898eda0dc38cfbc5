//! Kills at any moment, and trees that change while they are read.

use std::fs;
use std::time::Duration;

use super::support::{assert_same, listing};
use crate::support::{World, noise};

fn many_files(world: &World) {
    for folder in 0..30 {
        fs::create_dir_all(world.path(&format!("src/{folder}/empty"))).unwrap();
        for file in 0..30 {
            let number = folder * 30 + file;
            world.write(&format!("src/{folder}/{file}"), noise(number * 50, number as u64));
        }
        fs::hard_link(world.path(&format!("src/{folder}/0")), world.path(&format!("src/{folder}/again"))).unwrap();
    }
}

#[test]
fn after_a_kill_every_name_is_whole_and_the_next_run_does_the_rest() {
    let world = World::with_store();
    many_files(&world);
    for pause in [3, 10, 25, 50, 90, 150, 250] {
        let mut child = world.command(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        // Before the first group of containers has its names there is none, and a check of none fails.
        let has_any = || listing(&world.path("vault")).iter().any(|line| line.contains(".wax "));
        if world.path("vault").exists() && has_any() {
            world.run(["verify", "-q", "-r", "vault"]).succeeds();
        }
    }
    world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
    for pause in [3, 20, 60, 120] {
        let mut child = world.command(["decrypt", "-q", "-r", "--update", "vault", "-o", "back"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = if world.path("back").exists() { listing(&world.path("back")) } else { Vec::new() };
        for name in
            found.iter().filter_map(|line| line.split(' ').next()).filter(|name| !name.contains(".waxseal-tmp-"))
        {
            let (source, copy) = (world.path(&format!("src/{name}")), world.path(&format!("back/{name}")));
            if copy.is_file() {
                assert!(fs::read(copy).unwrap() == fs::read(source).unwrap(), "{name} is half a file");
            }
        }
    }
    // What a kill has left is removed.
    world.run(["decrypt", "-q", "-r", "--update", "vault", "-o", "back"]).succeeds();
    assert_same(&world.path("src"), &world.path("back"));
}

#[test]
fn files_that_vanish_or_change_fail_and_the_others_go_on() {
    let world = World::with_store();
    many_files(&world);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let runs = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let name = |file: u64| world.path(&format!("src/{}/{file}", number % 10));
                fs::write(name(1), noise(200_000, number)).unwrap();
                fs::rename(name(2), name(31)).unwrap();
                fs::rename(name(31), name(2)).unwrap();
                number += 1;
            }
        });
        let run = |_| world.run(["encrypt", "-r", "--update", "src", "-o", "vault"]);
        let runs: Vec<_> = (0..4).map(run).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        runs
    });
    for run in runs {
        let failures = run.stderr.lines().filter(|line| line.starts_with("error: "));
        let known = ["was changed while it was read", "no such file", "the input shrank from"];
        for failure in failures {
            assert!(known.iter().any(|text| failure.contains(text)), "{failure}");
        }
        assert!(matches!(run.code, Some(0 | 10)), "{:?}", run.code);
    }
    world.run(["verify", "-q", "-r", "vault"]).succeeds_silently();
    world.run(["encrypt", "-q", "-r", "--update", "--delete", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    assert_same(&world.path("src"), &world.path("back"));
}

#[test]
fn what_kills_have_left_is_named_once() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/f", "x");
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    for number in 0..7 {
        world.write(&format!("vault/.waxseal-tmp-0123456789abcdef-{number}"), "half");
    }
    for arguments in [&["verify", "-r", "vault"][..], &["decrypt", "-r", "vault", "-o", "back"]] {
        let run = world.run(arguments).succeeds();
        assert_eq!(run.stderr.matches("warning: ").count(), 1, "{}", run.stderr);
        run.says(" and 6 more: left out: interrupted runs have left them").says(", 7 left out");
    }
}

/// What is in the tree `src`, kept beside it as `kept`.
fn keep(world: &World) {
    let copied = std::process::Command::new("cp").args(["-a", "src", "kept"]).current_dir(world.dir()).status();
    assert!(copied.unwrap().success());
}

/// The names of the files below a directory, sorted.
fn files(world: &World, root: &str) -> Vec<String> {
    let lines = listing(&world.path(root)).into_iter().filter(|line| line.split(' ').nth(2) == Some("f"));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Starts `encrypt -r --update` of the tree with an option, kills it after so many milliseconds, and checks what there is.
fn kill_encrypting(world: &World, option: &str, pause: u64) {
    let mut child = world.command(["encrypt", "-q", "-r", "-u", option, "src", "-o", "vault"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(pause));
    child.kill().unwrap();
    child.wait().unwrap();
    let run = world.run(["verify", "-q", "-r", "vault"]);
    assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
}

#[test]
fn a_kill_while_sources_are_removed_loses_nothing() {
    let world = World::with_store();
    for folder in 0..10 {
        fs::create_dir_all(world.path(&format!("src/{folder}"))).unwrap();
        (0..40_usize).for_each(|file| world.write(&format!("src/{folder}/{file}"), noise(file * 500, file as u64)));
    }
    keep(&world);
    for pause in [5, 15, 30, 60, 100, 150] {
        kill_encrypting(&world, "--remove-source", pause);
        for name in files(&world, "kept") {
            let is_in = |root: &str, ending: &str| world.path(&format!("{root}/{name}{ending}")).exists();
            assert!(is_in("src", "") || is_in("vault", ".wax"), "{name} is lost after {pause} ms");
        }
    }
    world.run(["encrypt", "-q", "-r", "-u", "--remove-source", "src", "-o", "vault"]).succeeds_silently();
    assert_eq!(files(&world, "src"), Vec::<String>::new());
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    for name in files(&world, "kept") {
        assert!(world.read(&format!("back/{name}")) == world.read(&format!("kept/{name}")), "{name}");
    }
}

#[test]
fn a_kill_while_containers_are_deleted_takes_none_that_has_a_source() {
    let world = World::with_store();
    many_files(&world);
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    for folder in 0..30 {
        (0..20).for_each(|file| fs::remove_file(world.path(&format!("src/{folder}/{file}"))).unwrap());
    }
    world.write("vault/3/notes", "no container");
    keep(&world);
    for pause in [5, 10, 20, 30, 45, 70] {
        kill_encrypting(&world, "--delete", pause);
        for name in files(&world, "src") {
            assert!(world.path(&format!("vault/{name}.wax")).exists(), "{name} has no container after {pause} ms");
        }
        assert_eq!(world.read("vault/3/notes"), b"no container");
    }
    world.run(["encrypt", "-q", "-r", "-u", "--delete", "src", "-o", "vault"]).succeeds_silently();
    fs::remove_file(world.path("vault/3/notes")).unwrap();
    let stored: Vec<String> = files(&world, "vault").iter().map(|name| name.replace(".wax", "")).collect();
    assert_eq!(stored, files(&world, "src"));
    assert_same(&world.path("src"), &world.path("kept"));
}

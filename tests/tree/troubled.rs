//! Random trees in trouble: parts cannot be read, files change, grow and vanish while they are read, and runs are interrupted and
//! killed at random moments. The next run completes, no half file has a final name, and nothing unrelated is touched.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::process::{Pid, Signal, kill_process};

use super::random::{Step, config, make, steps};
use super::support::assert_same;
use crate::disk::{NOBODY, nobodys, start};
use crate::support::{Run, World, noise, skipped};

/// A moment after the start of a run, in milliseconds, and what is sent to it then.
type Cut = (u64, Signal);

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    let signal = prop::sample::select(vec![Signal::INT, Signal::TERM, Signal::KILL]);
    prop::collection::vec((0_u64..80, signal), 1..4)
}

/// Runs a program that has nothing to say if all is well.
#[track_caller]
fn quietly(program: &str, arguments: &[&str], path: &Path) -> Vec<u8> {
    let output = Command::new(program).args(arguments).arg(path).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
    output.stdout
}

/// The names below a directory that satisfy the tests of find(1), each with an ending that is taken away.
fn found(root: &Path, tests: &[&str], ending: &str) -> BTreeSet<Vec<u8>> {
    let mut find = Command::new("find");
    find.arg(root).args(tests).args(["-printf", "%P\\0"]);
    if rustix::process::geteuid().is_root() {
        find.uid(NOBODY).gid(NOBODY);
    }
    let output = find.output().unwrap();
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| name.strip_suffix(ending.as_bytes()).unwrap().to_vec()).collect()
}

/// The tree, and beside it files that [`trouble`] changes, all of it somebody's who is not root; and what nobody may touch.
fn prepare(world: &World, steps: &[Step], closed: &[prop::sample::Index]) {
    for name in ["src", "vault", "back", "beside"] {
        fs::remove_dir_all(world.path(name)).ok();
    }
    make(&world.path("src"), steps);
    for folder in ["src/busy of the test", "vault", "beside"] {
        fs::create_dir(world.path(folder)).unwrap();
    }
    for number in 0..12 {
        world.write(&format!("src/busy of the test/{number}"), noise(40_000 * number, number as u64));
    }
    world.write("vault/notes", "no container");
    world.write("beside/f.wax", "of somebody else");
    quietly("chown", &["-hR", &format!("{NOBODY}:{NOBODY}")], &world.dir());
    let folders = quietly("find", &[], &world.path("src"));
    let folders: Vec<&[u8]> = folders.split(|byte| *byte == b'\n').filter(|path| !path.is_empty()).collect();
    for index in closed {
        let folder: &&[u8] = index.get(&folders);
        let path = Path::new(OsStr::from_bytes(folder));
        if path.is_dir() && path != world.path("src") && !path.ends_with("busy of the test") {
            quietly("chmod", &["000"], path);
        }
    }
}

/// Changes files until it is told to stop: new content, more content, other names, none.
fn trouble(folder: &Path, stop: &AtomicBool) {
    let mut count = 0_usize;
    while !stop.load(Ordering::Relaxed) {
        let path = |number: usize| folder.join((number % 12).to_string());
        fs::write(path(count), noise(30_000 * (count % 7), count as u64)).unwrap();
        let mut growing = File::options().append(true).create(true).open(path(count + 1)).unwrap();
        growing.write_all(&noise(5000, 1)).unwrap();
        fs::remove_file(path(count + 2)).ok();
        fs::rename(path(count + 3), path(count + 4)).ok();
        count += 1;
    }
}

const ENCRYPT: [&str; 6] = ["encrypt", "-r", "--update", "src", "-o", "vault"];

/// Starts a run, and cuts it off.
fn cut_off(world: &World, (pause, signal): Cut) {
    let mut child = start(|| nobodys(world, &ENCRYPT).stderr(std::process::Stdio::null()).spawn()).unwrap();
    std::thread::sleep(Duration::from_millis(pause));
    kill_process(Pid::from_child(&child), signal).ok();
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 10 | 130 | 143) | None), "{code:?}");
}

fn run(world: &World, arguments: &[&str]) -> Run {
    Run::from(start(|| nobodys(world, arguments).output()).unwrap())
}

/// Asserts that a run failed for nothing but what was done to it.
fn fails_only_for(run: &Run, known: &[&str]) {
    assert!(matches!(run.code, Some(0 | 10)), "{run:?}");
    for failure in run.stderr.lines().filter(|line| line.starts_with("error: ")) {
        assert!(known.iter().any(|text| failure.contains(text)), "{failure}");
    }
}

/// Every container that has its name is whole.
fn has_no_half_file(world: &World) {
    let run = run(world, &["verify", "-q", "-r", "vault"]);
    assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
    assert_eq!(world.read("vault/notes"), b"no container");
    assert_eq!(world.read("beside/f.wax"), b"of somebody else");
}

#[test]
fn a_random_tree_in_trouble_is_complete_after_the_next_run_without() {
    if !rustix::process::geteuid().is_root() {
        return skipped("only root can be somebody who is not root, and look at what cannot be read");
    }
    let world = World::with_store();
    // Hands everything over.
    run(&world, &["status"]).succeeds();
    let cases = Config { cases: config().cases / 2, ..config() };
    let strategy = (steps(), prop::collection::vec(any::<prop::sample::Index>(), 0..3), cuts());
    TestRunner::new(cases)
        .run(&strategy, |(steps, closed, cuts)| {
            prepare(&world, &steps, &closed);
            let (busy, stop) = (world.path("src/busy of the test"), AtomicBool::new(false));
            std::thread::scope(|scope| {
                scope.spawn(|| trouble(&busy, &stop));
                // Whatever fails here, the trouble ends.
                let _end = Ending(&stop);
                for cut in cuts {
                    cut_off(&world, cut);
                    has_no_half_file(&world);
                }
                let known =
                    ["was changed while it was read", "no such file", "the input shrank from", "permission denied"];
                fails_only_for(&run(&world, &ENCRYPT), &known);
            });
            quietly("chown", &["-hR", &format!("{NOBODY}:{NOBODY}")], &busy);
            has_no_half_file(&world);
            // What can be read is there, and what cannot fails alone.
            fails_only_for(&run(&world, &ENCRYPT), &["permission denied"]);
            let readable = found(&world.path("src"), &["-type", "f", "-readable"], "");
            let stored = found(&world.path("vault"), &["-type", "f", "-name", "*.wax"], ".wax");
            let gone: BTreeSet<_> = stored.difference(&readable).collect();
            prop_assert!(readable.is_subset(&stored), "not encrypted: {:?}", readable.difference(&stored));
            prop_assert!(gone.iter().all(|name| name.starts_with(b"busy of the test/")), "{:?}", gone);
            quietly("chmod", &["-R", "u+rwX"], &world.path("src"));
            let complete = ["encrypt", "-q", "-r", "--update", "--delete", "src", "-o", "vault"];
            run(&world, &complete).succeeds_silently();
            prop_assert_eq!(found(&world.path("vault"), &["-name", ".waxseal-*"], ""), BTreeSet::new());
            has_no_half_file(&world);
            run(&world, &["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
            assert_same(&world.path("src"), &world.path("back"));
            Ok(())
        })
        .unwrap();
}

/// Says that it is over when dropped.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

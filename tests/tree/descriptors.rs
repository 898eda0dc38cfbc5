//! Trees of many directories where few files may be open.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::support::assert_same;
use crate::support::{Run, World};

/// Files that may be open in these tests.
const FEW: u64 = 128;
/// Directories with a file each.
const FOLDERS: usize = 400;

/// Runs the program where few files may be open, and no limit can be raised.
fn run(world: &World, arguments: &[&str]) -> Run {
    let mut command = world.command(arguments);
    let lower = || Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(FEW), maximum: Some(FEW) })?);
    // SAFETY: setrlimit(2) may be called between fork and exec.
    unsafe { command.pre_exec(lower) };
    Run::from(command.output().unwrap())
}

fn folder(number: usize) -> String {
    format!("src/{}/{number}/deep/deeper", number % 7)
}

fn tree() -> World {
    let world = World::with_store();
    for number in 0..FOLDERS {
        let folder = folder(number);
        fs::create_dir_all(world.path(&folder)).unwrap();
        world.write(&format!("{folder}/f"), number.to_string());
    }
    world
}

#[test]
fn trees_of_many_directories_need_few_open_files() {
    let world = tree();
    let count = FOLDERS.to_string();
    for more in [&[][..], &["-f"], &["-f", "-j", "1000"], &["-f", "--no-sync"]] {
        let run = run(&world, &[&["encrypt", "-r", "src", "-o", "vault"], more].concat()).succeeds();
        run.says(&format!("{count} files encrypted"));
    }
    run(&world, &["encrypt", "-r", "-u", "--delete", "src", "-o", "vault"]).succeeds().says("0 files encrypted");
    for arguments in
        [&["verify", "-r"][..], &["verify", "-r", "--sample", "50"], &["rewrap", "-r", "--to", "alias/default"]]
    {
        run(&world, &[arguments, &["-q", "-j", "64", "vault"]].concat()).succeeds_silently();
    }
    run(&world, &["inspect", "-q", "-r", "--keys", "vault"]).succeeds_silently();
    run(&world, &["decrypt", "-r", "vault", "-o", "back"]).succeeds().says(&format!("{count} files decrypted"));
    assert_same(&world.path("src"), &world.path("back"));
    run(&world, &["encrypt", "-q", "-r", "--remove-source", "src", "-o", "moved"]).succeeds_silently();
    assert!(!world.path(&folder(0)).join("f").exists());
}

#[test]
fn many_inputs_in_many_directories_need_few_open_files() {
    let world = tree();
    let files: Vec<String> = (0..FOLDERS).map(|number| format!("{}/f", folder(number))).collect();
    let containers: Vec<String> = files.iter().map(|file| format!("{file}.wax")).collect();
    let of = |words: &[&str], files: &[String]| {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        run(&world, &[words, &files].concat())
    };
    of(&["encrypt", "-q"], &files).succeeds_silently();
    let before = fs::metadata(world.path(&containers[0])).unwrap().ino();
    of(&["encrypt", "-q", "-f", "-j", "500"], &files).succeeds_silently();
    assert_ne!(fs::metadata(world.path(&containers[0])).unwrap().ino(), before);
    of(&["decrypt", "-q", "-f"], &containers).succeeds_silently();
    of(&["verify", "-q", "-j", "500"], &containers).succeeds();
    of(&["rewrap", "-q", "--to", "alias/default"], &containers).succeeds_silently();
    assert_eq!(world.read(&files[99]), b"99");
    // Directories that are named are held all the time, so there is a bound, which is told before anything is done.
    let folders: Vec<String> = (0..FOLDERS).map(|number| format!("src/{}/{number}", number % 7)).collect();
    let refused = of(&["encrypt", "-r", "-o", "vault"], &folders).fails_with(2);
    refused.says("the inputs are in more directories than the 42 that can be open at once here\nhint: ");
    assert!(!world.path("vault").exists());
    of(&["verify", "-q", "-r"], &folders).succeeds_silently();
}

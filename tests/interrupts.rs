//! Signals: the exit code is theirs, and nothing is left behind.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Run, World, noise};

/// Starts an encryption from a pipe that does not end, and waits until its temporary file is there.
fn unfinished(world: &World, arguments: &[&str]) -> (Child, std::process::ChildStdin) {
    let mut child = world.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&noise(3_000_000, 1)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.names().iter().any(|name| name.starts_with(".waxseal-tmp-")) {
        assert!(Instant::now() < deadline, "no temporary file appeared: {:?}", world.names());
        std::thread::sleep(Duration::from_millis(5));
    }
    (child, stdin)
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_signal_removes_what_is_unfinished_and_keeps_what_was_there() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143), (Signal::QUIT, 143)] {
        let world = World::with_store();
        world.write("out.wax", "precious");
        let (child, _stdin) = unfinished(&world, &["encrypt", "-f", "-o", "out.wax"]);
        send(&child, signal);
        let run = Run::from(child.wait_with_output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""), "{signal:?}");
        assert_eq!(world.names(), ["out.wax"], "{signal:?}");
        assert_eq!(world.read("out.wax"), b"precious");
    }
}

#[test]
fn an_interrupted_batch_leaves_whole_files_only() {
    let world = World::with_store();
    let names: Vec<String> = (0..3000).map(|number| format!("f{number}")).collect();
    for name in &names {
        world.write(name, noise(20_000, 1));
    }
    for pause in [5, 20, 60, 150] {
        let arguments = ["encrypt", "-q", "-f"].into_iter().chain(names.iter().map(String::as_str));
        let child = world.command(arguments).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        send(&child, Signal::INT);
        let code = child.wait_with_output().unwrap().status.code();
        assert!(matches!(code, Some(130 | 0) | None), "{code:?}");
        let left: Vec<String> = world.names().into_iter().filter(|name| name.starts_with('.')).collect();
        assert!(left.is_empty(), "after {pause} ms: {left:?}");
        let whole: Vec<String> = world.names().into_iter().filter(|name| name.ends_with(".wax")).collect();
        if !whole.is_empty() {
            world.run(["verify", "-q"].into_iter().chain(whole.iter().map(String::as_str))).succeeds();
        }
    }
}

#[test]
fn an_ignored_hangup_stays_ignored() {
    let world = World::with_store();
    let line = format!("exec nohup {} encrypt -o out.wax", env!("CARGO_BIN_EXE_waxseal"));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &line]).current_dir(world.dir()).env("WAXSEAL_HOME", world.home());
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = shell.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&noise(2_000_000, 1)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.names().iter().any(|name| name.starts_with(".waxseal-tmp-")) {
        assert!(Instant::now() < deadline, "no temporary file appeared: {:?}", world.names());
        std::thread::sleep(Duration::from_millis(5));
    }
    send(&child, Signal::HUP);
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(world.names(), ["out.wax"]);
}

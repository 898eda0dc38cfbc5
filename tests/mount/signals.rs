//! Signals: the mount is ended in order, whoever uses it.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use super::support::{CLEAR, Mounted, containers_hold, eventually, is_mounted, mount_in_background, mountable, runs};
use crate::support::noise;

#[test]
fn a_signal_unmounts_and_writes_everything() {
    let Some(world) = mountable() else { return };
    let mut expected = Vec::new();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let mounted = Mounted::new(&world, &[]);
        let (name, content) = (format!("{signal:?}"), noise(1_234_567, 1));
        fs::write(mounted.path(&name), &content).unwrap();
        mounted.send(signal);
        let run = mounted.ended();
        assert_eq!(run.code, Some(0), "{signal:?}: {run:?}");
        expected.push((name, content));
        containers_hold(&world, &expected);
    }
}

#[test]
fn a_signal_ends_a_mount_in_the_background() {
    let Some(world) = mountable() else { return };
    let process = mount_in_background(&world, &[])["process"].as_u64().unwrap();
    fs::write(world.path("clear/f"), "content").unwrap();
    let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    eventually("the process has ended", || !runs(process));
    containers_hold(&world, &[("f".to_owned(), b"content".to_vec())]);
}

#[test]
fn a_mount_in_use_is_detached_and_serves_its_last_user() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let mut file = File::create(mounted.path("f")).unwrap();
    file.write_all(b"before, ").unwrap();
    mounted.send(Signal::TERM);
    eventually("it is out of the tree", || !is_mounted(&world.path(CLEAR)));
    file.write_all(b"after").unwrap();
    drop(file);
    assert_eq!(mounted.ended().code, Some(0));
    containers_hold(&world, &[("f".to_owned(), b"before, after".to_vec())]);
}

#[test]
fn a_signal_amid_writing_loses_nothing_that_was_written() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    // Several files grow and are written over, whole chunks and parts of them, before the signal, meanwhile and after it.
    let (is_detached, root) = (AtomicBool::new(false), mounted.root());
    let detached = &is_detached;
    let written: Vec<(String, Vec<u8>)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|number| {
                let (name, path) = (format!("f{number}"), root.join(format!("f{number}")));
                scope.spawn(move || {
                    let file = File::create(path).unwrap();
                    let (mut content, mut rest) = (Vec::new(), 20);
                    while rest > 0 {
                        // A while after the mount has left the tree.
                        rest -= u64::from(detached.load(Ordering::Relaxed));
                        let seed = content.len() as u64 + rest + number;
                        let piece = noise(if number % 2 == 0 { 65_536 } else { 5001 }, seed);
                        file.write_all_at(&piece, content.len() as u64).unwrap();
                        content.extend(piece);
                        let over = noise(4096, seed + 7);
                        let at = content.len() / 2 / 4096 * 4096;
                        let end = content.len().min(at + over.len());
                        file.write_all_at(&over[..end - at], at as u64).unwrap();
                        content[at..end].copy_from_slice(&over[..end - at]);
                        if content.len() > 8 << 20 {
                            content.clear();
                            file.set_len(0).unwrap();
                        }
                    }
                    (name, content)
                })
            })
            .collect();
        eventually("all of them write", || {
            (0..4).all(|number| fs::metadata(root.join(format!("f{number}"))).is_ok_and(|file| file.len() > 0))
        });
        mounted.send(Signal::TERM);
        eventually("it is out of the tree", || !is_mounted(&world.path(CLEAR)));
        detached.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let run = mounted.ended();
    assert_eq!(run.code, Some(0), "{run:?}");
    containers_hold(&world, &written);
}

#[test]
fn a_second_signal_cuts_off_whoever_still_uses_the_mount_and_keeps_what_was_written() {
    let Some(world) = mountable() else { return };
    if !rustix::process::geteuid().is_root() {
        return crate::support::skipped("cutting a mount off needs root here");
    }
    let mounted = Mounted::new(&world, &[]);
    let mut file = File::create(mounted.path("f")).unwrap();
    file.write_all(b"written").unwrap();
    mounted.send(Signal::TERM);
    eventually("it is out of the tree", || !is_mounted(&world.path(CLEAR)));
    eventually("it said so", || mounted.log().contains("detached, though in use"));
    mounted.send(Signal::TERM);
    let run = mounted.ended();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(file.write_all(b"more").is_err(), "the mount is gone");
    containers_hold(&world, &[("f".to_owned(), b"written".to_vec())]);
}

#[test]
fn a_signal_to_the_waiting_command_ends_the_mount_that_it_started() {
    let Some(world) = mountable() else { return };
    fs::remove_dir_all(world.home()).unwrap();
    world.run(["kms", "init", "--seal", "passphrase", "--passphrase-command", "echo horse"]).succeeds();
    // The passphrase never comes: the command waits, and so does its process in the background.
    let waits = "echo $PPID > waiting; exec 2> /dev/null; while [ -e waiting ]; do sleep 0.05; done";
    let starter = world.command(["mount", "--passphrase-command", waits, "vault", "clear"]).spawn().unwrap();
    let told = || fs::read_to_string(world.path("waiting")).ok().and_then(|text| text.trim().parse().ok());
    eventually("the passphrase is asked for", || told().is_some());
    let server: u64 = told().unwrap();
    kill_process(Pid::from_child(&starter), Signal::TERM).unwrap();
    assert_eq!(super::support::wait_for(starter).code, Some(143));
    eventually("the process in the background has ended", || !runs(server));
    fs::remove_file(world.path("waiting")).unwrap();
    assert!(!is_mounted(&world.path(CLEAR)));
}

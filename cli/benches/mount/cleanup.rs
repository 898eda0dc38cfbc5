//! What has to go when the benchmark ends, however it ends: mounts, the processes behind them, and scratch folders.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io, process, thread};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::Outcome;

/// What is there now. Whoever cleans up after a signal holds it until the process has ended.
static LEFT: Mutex<Left> = Mutex::new(Left { mounts: Vec::new(), folders: Vec::new() });

struct Left {
    mounts: Vec<(PathBuf, u32)>,
    folders: Vec<PathBuf>,
}

/// From now on Ctrl-C and its like take everything away before the process ends.
pub(crate) fn watch() -> Outcome<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let wait = move || {
        let Some(signal) = signals.forever().next() else { return };
        let left = left();
        for (mountpoint, process) in &left.mounts {
            detach(mountpoint);
            kill(*process);
        }
        for folder in &left.folders {
            // Another thread may be writing into it still.
            for _ in 0..50 {
                match fs::remove_dir_all(folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(Duration::from_millis(100)),
                    _ => break,
                }
            }
        }
        process::exit(128 + signal);
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

/// Notes a mount and the process that serves it.
pub(crate) fn note_mount(mountpoint: &Path, process: u32) {
    left().mounts.push((mountpoint.to_owned(), process));
}

/// Notes that a mount is gone.
pub(crate) fn forget_mount(mountpoint: &Path) {
    left().mounts.retain(|(known, _)| known != mountpoint);
}

/// Notes a folder that is to be removed.
pub(crate) fn note_folder(folder: &Path) {
    left().folders.push(folder.to_owned());
}

/// Unmounts, and says whether that went well.
pub(crate) fn unmount(mountpoint: &Path) -> bool {
    fusermount("-u", mountpoint)
}

/// Takes a mount away, dead or alive, in use or not.
pub(crate) fn detach(mountpoint: &Path) {
    if !fusermount("-uz", mountpoint) {
        quietly(Command::new("umount").arg("-l").arg(mountpoint));
    }
}

fn fusermount(option: &str, mountpoint: &Path) -> bool {
    quietly(Command::new("fusermount3").arg(option).arg(mountpoint))
}

fn quietly(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn kill(process: u32) {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        kill_process(process, Signal::KILL).ok();
    }
}

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

//! A process that serves a mount: started, watched, and ended with its mount.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Outcome, cleanup};

/// How long a mount may take to come or to go.
const PATIENCE: Duration = Duration::from_secs(120);

/// CPU time that a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    /// In user mode.
    pub(crate) user: Duration,
    /// In the kernel.
    pub(crate) system: Duration,
}

/// A process that serves a mount. Both are gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Child,
    mountpoint: PathBuf,
}

impl Daemon {
    /// Starts a command that stays in the foreground, and returns when it has mounted. What it prints goes to `log`.
    pub(crate) fn start(command: &mut Command, mountpoint: &Path, log: &Path) -> Outcome<Self> {
        let output = File::create(log)?;
        // In a process group of its own: Ctrl-C is for the benchmark, which then unmounts in order.
        command.process_group(0).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = command.spawn().map_err(|error| format!("{command:?} does not start: {error}"))?;
        cleanup::note_mount(mountpoint, process.id());
        let mut daemon = Self { process, mountpoint: mountpoint.to_owned() };
        let deadline = Instant::now() + PATIENCE;
        while !is_mounted(mountpoint)? {
            if daemon.process.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(format!("{command:?} does not mount: {}", fs::read_to_string(log)?.trim()).into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(daemon)
    }

    /// The CPU time that it has used so far.
    pub(crate) fn cpu_time(&self) -> Outcome<CpuTime> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name is in brackets and may hold anything; user and system time are fields 14 and 15 (proc_pid_stat(5)).
        let (_, fields) = stat.rsplit_once(") ").ok_or("/proc has no state of a process")?;
        let mut ticks = fields.split(' ').skip(11).map(str::parse::<u64>);
        let mut next = || -> Outcome<Duration> {
            let ticks = ticks.next().ok_or("/proc has no CPU time of a process")??;
            Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
        };
        Ok(CpuTime { user: next()?, system: next()? })
    }

    /// The largest resident memory that it has had, in MiB.
    pub(crate) fn peak(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("/proc has no peak of a process")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let is_there = || is_mounted(&self.mountpoint).unwrap_or(true);
        // Right after a run something may still be using it.
        while !cleanup::unmount(&self.mountpoint) && Instant::now() < deadline && is_there() {
            thread::sleep(Duration::from_millis(100));
        }
        while self.process.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > deadline {
                cleanup::detach(&self.mountpoint);
                self.process.kill().ok();
            }
            thread::sleep(Duration::from_millis(10));
        }
        if is_mounted(&self.mountpoint).unwrap_or(true) {
            cleanup::detach(&self.mountpoint);
        }
        cleanup::forget_mount(&self.mountpoint);
    }
}

/// Whether something is mounted at a directory itself.
fn is_mounted(mountpoint: &Path) -> Outcome<bool> {
    let parent = mountpoint.parent().ok_or("a mount point has no parent")?;
    // A dead mount does not answer, and is there.
    Ok(fs::metadata(mountpoint)
        .map_or(Ok(true), |found| fs::metadata(parent).map(|above| found.dev() != above.dev()))?)
}

//! The harness of the mount's tests: a mounted directory, and the programs that are run on it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Run, World, json_lines, program, skipped};

/// The directory of containers, in the world's working directory.
pub(crate) const VAULT: &str = "vault";
/// The mount point there.
pub(crate) const CLEAR: &str = "clear";
/// How long anything may take that has to come to an end.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A mounted directory, served by a process in the foreground that is a child of the test. It is gone when dropped.
pub(crate) struct Mounted<'a> {
    world: &'a World,
    server: Option<Child>,
}

/// A world with a key store, an empty directory of containers and a mount point; none if nothing can be mounted here.
pub(crate) fn mountable() -> Option<World> {
    if !can_mount() {
        skipped("nothing can be mounted here: /dev/fuse is missing, or may not be used");
        return None;
    }
    let world = World::with_store();
    fs::create_dir(world.path(VAULT)).unwrap();
    fs::create_dir(world.path(CLEAR)).unwrap();
    Some(world)
}

fn can_mount() -> bool {
    let device = File::options().read(true).write(true).open("/dev/fuse").is_ok();
    device && (rustix::process::geteuid().is_root() || program("fusermount3").is_some())
}

impl<'a> Mounted<'a> {
    /// Mounts with these options, and returns when the mount is ready.
    pub(crate) fn new(world: &'a World, options: &[&str]) -> Self {
        Self::serve(world, world.command(Self::arguments(options)))
    }

    /// The command line that mounts with these options.
    pub(super) fn arguments<'o>(options: &[&'o str]) -> Vec<&'o str> {
        [&["--json", "mount", "--foreground", VAULT, CLEAR], options].concat()
    }

    /// Mounts with such a command line, and returns when the mount is ready.
    pub(super) fn serve(world: &'a World, mut command: Command) -> Self {
        let log = File::options().append(true).create(true).open(world.path("log")).unwrap();
        let mut server = command.stderr(log).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let mounted = Self { world, server: Some(server) };
        let ready = json_lines(&ready);
        assert!(ready.first().is_some_and(|line| line["status"] == "ok"), "not mounted: {ready:?} {}", mounted.log());
        mounted
    }

    /// A path in the mount.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.world.path(CLEAR).join(name)
    }

    /// The mount point.
    pub(crate) fn root(&self) -> PathBuf {
        self.world.path(CLEAR)
    }

    /// The container of a file in the mount.
    pub(super) fn container(&self, name: &str) -> PathBuf {
        self.world.path(VAULT).join(format!("{name}.wax"))
    }

    /// What the server has said so far, in all mounts of this world.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.world.path("log")).unwrap_or_default()
    }

    /// Sends the server a signal.
    pub(super) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(self.server.as_ref().unwrap()), signal).unwrap();
    }

    /// Unmounts with `waxseal umount`; the server ends well.
    pub(crate) fn unmount(self) {
        // A test beside this one may be starting a program, which has our open files until it is executed.
        let mut run = self.world.run(["umount", CLEAR]);
        eventually("nobody uses the mount", || {
            if run.stderr.contains("resource busy") {
                run = self.world.run(["umount", CLEAR]);
            }
            !run.stderr.contains("resource busy")
        });
        run.succeeds_silently();
        assert_eq!(self.ended().code, Some(0));
    }

    /// Waits until the server has ended by itself.
    pub(super) fn ended(mut self) -> Run {
        let server = self.server.take().unwrap();
        let run = wait_for(server);
        assert!(!is_mounted(&self.root()), "it ended and left its mount behind");
        run
    }

    /// Kills the server as the kernel does when memory runs out. The dead mount stays.
    pub(super) fn kill(mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let mut is_dead = std::thread::panicking();
        if let Some(mut server) = self.server.take() {
            server.kill().ok();
            server.wait().ok();
            is_dead = true;
        }
        // A dead mount must not be left to the directory's removal. One that a test has killed itself is its own to look at.
        if is_dead && is_mounted(&self.root()) {
            detach(&self.root());
        }
    }
}

/// Takes a mount away, dead or alive.
pub(super) fn detach(mountpoint: &Path) {
    let root = rustix::process::geteuid().is_root();
    let (program, option) = if root { ("umount", "-l") } else { ("fusermount3", "-uz") };
    let done = Command::new(program).arg(option).arg(mountpoint).output().unwrap();
    assert!(done.status.success() || std::thread::panicking(), "{done:?}");
}

/// Whether something is mounted at a directory itself.
pub(super) fn is_mounted(mountpoint: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let place = mountpoint.to_str().unwrap();
    table.lines().any(|line| line.split(' ').nth(4) == Some(place))
}

/// Waits for a process that has to end by itself.
pub(super) fn wait_for(mut process: Child) -> Run {
    eventually("the process ends", || process.try_wait().unwrap().is_some());
    Run::from(process.wait_with_output().unwrap())
}

/// Waits until something has become so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs; one that has ended and that nobody has asked about does not.
pub(super) fn runs(process: u64) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The state follows the name, which is in brackets and may hold anything.
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Mounts in the background, and gives what the command printed.
pub(super) fn mount_in_background(world: &World, options: &[&str]) -> Value {
    let arguments = ["--json", "mount", VAULT, CLEAR].iter().chain(options);
    let run = world.run(arguments).succeeds();
    run.json().pop().unwrap()
}

/// How much longer than usual the random tests are to be.
pub(super) fn scale() -> u64 {
    let asked = std::env::var("WAXSEAL_TEST_SCALE").ok();
    asked.map_or(1, |text| text.parse().expect("WAXSEAL_TEST_SCALE is a whole number"))
}

/// Runs a command that has to succeed, and gives what it printed.
#[track_caller]
pub(super) fn succeeds(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{text}\n{errors}", output.status);
    text.into_owned()
}

/// Asserts that nothing is mounted any more, that every container verifies, and decrypts to what `expected` says.
#[track_caller]
pub(super) fn containers_hold(world: &World, expected: &[(String, Vec<u8>)]) {
    assert!(!is_mounted(&world.path(CLEAR)));
    if !expected.is_empty() {
        let names: Vec<String> = expected.iter().map(|(name, _)| format!("{VAULT}/{name}.wax")).collect();
        world.run(["verify", "-q"].into_iter().chain(names.iter().map(String::as_str))).succeeds_silently();
    }
    for (name, content) in expected {
        let run = world.run(["decrypt", &format!("{VAULT}/{name}.wax"), "-o", "-"]).succeeds_silently();
        let differs = run.stdout.iter().zip(content).position(|(found, expected)| found != expected);
        let lengths = (content.len(), run.stdout.len());
        assert!(
            run.stdout == *content,
            "{name}: {lengths:?} bytes in the mount and decrypted, first difference {differs:?}"
        );
    }
}

/// The regular files below a directory with their content, by relative name.
pub(super) fn contents(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

//! Runs of the program under strace(1): what it does to a file, call by call, and what a kill before any one call leaves.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Run, World, feed, needed};

/// The system calls that change what a disk holds, or wait for it.
const CHANGING: [&str; 24] = [
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "utimensat",
    "fchmod",
    "fchown",
    "fsetxattr",
];

/// How often a kill is tried that the program's threads have got around by sharing its calls.
const TRIES: u32 = 100;

/// A command of the program that is run under strace.
pub(crate) struct Traced<'a> {
    world: &'a World,
    arguments: &'a [&'a str],
    input: &'a [u8],
    strace: PathBuf,
}

impl<'a> Traced<'a> {
    /// A command line of the program, with `input` on its standard input. None, said loudly, where strace is missing.
    pub(crate) fn new(world: &'a World, arguments: &'a [&'a str], input: &'a [u8]) -> Option<Self> {
        Some(Self { world, arguments, input, strace: needed("strace")? })
    }

    /// Runs it to its end, and gives the calls of these names that have to do with a file: each with its arguments, bytes and
    /// descriptors apart, and what it answered.
    pub(crate) fn calls_on(&self, file: &Path, names: &str) -> Vec<String> {
        let trace = format!("trace={names}");
        let options: [&OsStr; 6] =
            ["-P".as_ref(), file.as_ref(), "-e".as_ref(), trace.as_ref(), "-s".as_ref(), "0".as_ref()];
        self.run(&options).succeeds();
        let calls = self.logged();
        let bare = |call: &String| {
            let (name, arguments) = call.split_once('(').unwrap();
            let arguments = arguments.split_once(", ").map_or("", |(_, behind)| behind);
            format!("{name} {}", arguments.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        calls.iter().map(bare).collect()
    }

    /// Runs it again and again from the same beginning, each time killed before another one of its calls that change anything,
    /// until it was killed before each of them. `killed` looks at what a kill has left. Returns the number of kills.
    pub(crate) fn killed_before_each_call(&self, mut killed: impl FnMut()) -> usize {
        let beginning = self.beside("beginning");
        fs::remove_dir_all(&beginning).ok();
        fs::create_dir(&beginning).unwrap();
        copy(&self.world.home(), &beginning);
        copy(&self.world.dir(), &beginning);
        let trace = format!("trace={}", CHANGING.join(","));
        self.run(&["-e".as_ref(), trace.as_ref()]).succeeds();
        let whole = self.logged();
        let mut kills = 0;
        for name in CHANGING {
            let is_of_name = |call: &&String| call.split('(').next() == Some(name);
            for number in 1..=whole.iter().filter(is_of_name).count() {
                let inject = format!("inject={name}:signal=KILL:when={number}");
                // strace counts the calls of each thread by itself, and ends as the program does. Which of two threads does a
                // call is the system's choice: it is asked until one of them has done as many.
                let mut tries = 0..TRIES;
                loop {
                    for folder in [self.world.home(), self.world.dir()] {
                        fs::remove_dir_all(&folder).unwrap();
                        copy(&beginning.join(folder.file_name().unwrap()), folder.parent().unwrap());
                    }
                    let run = self.run(&["-e".as_ref(), trace.as_ref(), "-e".as_ref(), inject.as_ref()]);
                    if run.code.is_none() {
                        break;
                    }
                    assert!(tries.next().is_some(), "not killed at {name} {number}: {run:?} {whole:#?}");
                }
                killed();
                kills += 1;
            }
        }
        assert_eq!(kills, whole.len());
        kills
    }

    fn run(&self, options: &[&OsStr]) -> Run {
        let plain = self.world.command(self.arguments);
        // On one core the program does almost all calls in one thread.
        let mut command = Command::new("taskset");
        command
            .args(["-c", &one_core()])
            .arg(&self.strace)
            .args(["-f", "-qq", "-o"])
            .arg(self.beside("strace.log"))
            .args(options);
        command.arg(plain.get_program()).args(plain.get_args()).current_dir(self.world.dir()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        feed(&mut command, self.input)
    }

    /// The calls of the last run, without the numbers of threads; signals and ends are none.
    fn logged(&self) -> Vec<String> {
        let log = fs::read(self.beside("strace.log")).unwrap();
        let log = String::from_utf8_lossy(&log);
        let calls = log.lines().filter_map(|line| line.split_once(' ').map(|(_, call)| call.trim_start()));
        calls.filter(|call| call.starts_with(|first: char| first.is_ascii_lowercase())).map(str::to_owned).collect()
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.world.dir().with_file_name(name)
    }
}

/// A core that may be used here (proc(5), `Cpus_allowed_list`).
fn one_core() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    list.trim().chars().take_while(char::is_ascii_digit).collect()
}

/// Copies a directory with all that is in it into another one, times and holes included.
fn copy(folder: &Path, into: &Path) {
    let copied = Command::new("cp").args(["-a", "--sparse=always"]).arg(folder).arg(into).status().unwrap();
    assert!(copied.success());
}

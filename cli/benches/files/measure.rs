//! Runs one pipeline of programs and measures it: wall time, CPU time, peak memory, bytes read.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::Outcome;
use crate::place::Place;

/// One contender: programs joined by pipes, and what has to be so before they start.
#[derive(Debug)]
pub(crate) struct Job {
    /// The contender's name in the report.
    pub(crate) name: &'static str,
    stages: Vec<Stage>,
    inputs: Vec<PathBuf>,
    output: Option<PathBuf>,
    fills: u64,
}

impl Job {
    /// Makes a job of programs that each read what the one before writes. The last one writes to nowhere.
    pub(crate) fn new(name: &'static str, stages: impl Into<Vec<Stage>>) -> Self {
        Self { name, stages: stages.into(), inputs: Vec::new(), output: None, fills: 0 }
    }

    /// Names the files that it reads: they are in the page cache when a run begins.
    pub(crate) fn reading(self, inputs: &[PathBuf]) -> Self {
        Self { inputs: inputs.to_vec(), ..self }
    }

    /// Names the folder that its outputs go into: it is empty when a run begins, and on a disk it is synced within the
    /// measured time.
    pub(crate) fn writing(self, folder: &Path) -> Self {
        Self { output: Some(folder.to_owned()), ..self }
    }

    /// Says about how many bytes of memory a run fills, with its outputs and everything else.
    pub(crate) fn filling(self, fills: u64) -> Self {
        Self { fills, ..self }
    }
}

/// A program and its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Stage {
    /// Makes a stage without arguments.
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new() }
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }
}

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// From before the first program starts to after the last one ended.
    pub(crate) wall: Duration,
    /// CPU time in user mode, of all programs together.
    pub(crate) user: Duration,
    /// CPU time in the kernel, of all programs together.
    pub(crate) system: Duration,
    /// The largest resident memory of any program, in KiB.
    pub(crate) peak_kib: u64,
    /// Bytes that the programs took in through read calls.
    pub(crate) read: u64,
}

/// Runs all jobs `runs` times in turns (A B C A B C), and returns the samples of each.
pub(crate) fn in_turns(jobs: &[Job], runs: usize, place: &Place) -> Outcome<Vec<Vec<Sample>>> {
    let mut samples = vec![Vec::with_capacity(runs); jobs.len()];
    for run in 0..runs {
        for (job, samples) in jobs.iter().zip(&mut samples) {
            show_progress(&format!("{}: run {} of {runs}, {}", place.name(), run + 1, job.name));
            samples.push(once(job, place)?);
        }
    }
    show_progress("");
    Ok(samples)
}

/// Shows one line, which the next one replaces, on a terminal.
fn show_progress(line: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{line}\x1b[K");
    }
}

fn once(job: &Job, place: &Place) -> Outcome<Sample> {
    if let Some(output) = &job.output {
        empty(output)?;
    }
    place.settle(&job.inputs, job.fills)?;

    let began = Instant::now();
    let children = start(&job.stages)?;
    let mut sample = Sample::default();
    for (child, stage) in children.iter().zip(&job.stages) {
        let used = reap(child, &stage.program)?;
        sample.user += used.user;
        sample.system += used.system;
        sample.peak_kib = sample.peak_kib.max(used.peak_kib);
        sample.read += used.read;
    }
    if job.output.is_some() && place.is_disk() {
        place.sync()?;
    }
    sample.wall = began.elapsed();
    Ok(sample)
}

/// Removes and makes a folder, so that no contender pays for removing what another one wrote.
fn empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

fn start(stages: &[Stage]) -> Outcome<Vec<Child>> {
    let mut children = Vec::with_capacity(stages.len());
    let mut input = Stdio::null();
    for (index, stage) in stages.iter().enumerate() {
        let last = index + 1 == stages.len();
        let output = if last { Stdio::from(File::create("/dev/null")?) } else { Stdio::piped() };
        let mut child = Command::new(&stage.program)
            .args(&stage.arguments)
            .stdin(input)
            .stdout(output)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", stage.program.display()))?;
        input = child.stdout.take().map_or_else(Stdio::null, Stdio::from);
        children.push(child);
    }
    Ok(children)
}

/// Waits for a program to end, and returns what it used. A program that failed is an error: its time means nothing.
fn reap(child: &Child, program: &Path) -> Outcome<Sample> {
    let pid = i32::try_from(child.id())?;
    let id = Pid::from_raw(pid).ok_or("a child has process id 0")?;
    // The first wait leaves the ended process as it is, because its counters in /proc go with it.
    waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let read = read_bytes(pid)?;
    let (status, usage) = wait4(pid)?;
    if status != 0 {
        return Err(format!("{} failed with wait status {status:#x}", program.display()).into());
    }
    Ok(Sample {
        wall: Duration::ZERO,
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        peak_kib: u64::try_from(usage.ru_maxrss)?,
        read,
    })
}

fn read_bytes(pid: i32) -> Outcome<u64> {
    let counters = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let value = counters.lines().find_map(|line| line.strip_prefix("rchar: ")).ok_or("/proc has no rchar")?;
    Ok(value.parse()?)
}

fn wait4(pid: i32) -> io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to locals of the right type that live through the call, and the process is a child of
    // ours that nothing else waits for.
    let result = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    if result != pid {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all-zero is a valid rusage, which is plain integers, and the kernel has filled it in by now.
    Ok((status, unsafe { usage.assume_init() }))
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

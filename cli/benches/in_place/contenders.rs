//! The contenders: each writes or reads the same bytes at the same places, in its way.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;
use waxseal_container::{Container, Editor, Interrupted};

use crate::scratch::{Noise, Scratch, sealer, unlock};
use crate::{Options, Outcome};

/// Bytes of a random write or read.
const PAGE: usize = 4096;

/// Which bytes are written or read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pattern {
    /// All of them, from the beginning to the end, in pieces of so many bytes.
    Sequential { piece: usize },
    /// So many pages, anywhere.
    Random { count: usize },
}

impl Pattern {
    /// Calls `each` with the place and the length of each access, and returns the sum of the lengths. The same seed gives
    /// the same places.
    fn visit(self, len: usize, seed: usize, mut each: impl FnMut(usize, usize) -> Outcome<()>) -> Outcome<usize> {
        match self {
            Self::Sequential { piece } => {
                (0..len).step_by(piece).try_for_each(|at| each(at, piece.min(len - at)))?;
                Ok(len)
            }
            Self::Random { count } => {
                let mut noise = Noise::new(seed as u64 + 2);
                for _ in 0..count {
                    each(usize::try_from(noise.next())? % (len / PAGE) * PAGE, PAGE)?;
                }
                Ok(count * PAGE)
            }
        }
    }
}

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Bytes written or read.
    pub(crate) bytes: usize,
    /// Until the last call returned.
    pub(crate) called: Duration,
    /// Until everything was on disk.
    pub(crate) synced: Duration,
    /// CPU time of this process in user mode and in the kernel, until then.
    pub(crate) cpu: (Duration, Duration),
}

/// A run that is going on.
struct Clock {
    began: Instant,
    cpu: (Duration, Duration),
    called: Duration,
}

impl Clock {
    fn start() -> Outcome<Self> {
        Ok(Self { cpu: cpu_time()?, began: Instant::now(), called: Duration::ZERO })
    }

    /// The last call has returned.
    fn called(&mut self) {
        self.called = self.began.elapsed();
    }

    /// Everything is on disk.
    fn stop(self, bytes: usize) -> Outcome<Sample> {
        let (synced, (user, system)) = (self.began.elapsed(), cpu_time()?);
        let cpu = (user.saturating_sub(self.cpu.0), system.saturating_sub(self.cpu.1));
        Ok(Sample { bytes, called: self.called, synced, cpu })
    }
}

/// CPU time of this process in user mode and in the kernel.
fn cpu_time() -> Outcome<(Duration, Duration)> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field, the name in brackets, may hold anything; utime and stime are the 14th and the 15th.
    let behind_name = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?.1;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let mut time = || -> Outcome<Duration> {
        let ticks: u32 = fields.next().ok_or("/proc/self/stat is too short")?.parse()?;
        Ok(Duration::from_secs(1) * ticks / u32::try_from(clock_ticks_per_second())?)
    };
    Ok((time()?, time()?))
}

/// One way to write or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// A plain file, written in place.
    Plain,
    /// A container, written in place.
    Editor,
    /// A new container, written in place from its beginning, and settled.
    NewEditor,
    /// A new container, written in one pass on all cores.
    Sealer,
    /// A plain file, read.
    PlainReader,
    /// A container, read.
    Reader,
}

impl Contender {
    /// The name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain | Self::PlainReader => "plain file",
            Self::Editor | Self::NewEditor => "editor",
            Self::Sealer => "sealer",
            Self::Reader => "container",
        }
    }

    /// Runs once.
    pub(crate) fn run(self, options: &Options, scratch: &Scratch, pattern: Pattern, seed: usize) -> Outcome<Sample> {
        let content = &scratch.content[..];
        match self {
            Self::Plain => {
                let file = scratch.open_cold(&scratch.plain())?;
                scratch.take_memory(&options.memory_dir)?;
                let mut clock = Clock::start()?;
                let bytes = pattern.visit(content.len(), seed, |at, length| {
                    Ok(file.write_all_at(&content[at..at + length], at as u64)?)
                })?;
                clock.called();
                file.sync_all()?;
                clock.stop(bytes)
            }
            Self::Editor => {
                let mut file = scratch.open_cold(&scratch.container())?;
                let unlocked = unlock(&mut file)?;
                scratch.take_memory(&options.memory_dir)?;
                let mut clock = Clock::start()?;
                let mut editor = Editor::open(unlocked, file)?;
                let bytes = write(&mut editor, content, pattern, seed)?;
                clock.called();
                editor.sync()?;
                let sample = clock.stop(bytes)?;
                editor.settle()?;
                Ok(sample)
            }
            Self::NewEditor => {
                let file = scratch.new_file()?;
                scratch.take_memory(&options.memory_dir)?;
                let mut clock = Clock::start()?;
                let mut editor = sealer()?.create(file)?;
                let bytes = write(&mut editor, content, pattern, seed)?;
                clock.called();
                editor.settle()?;
                clock.stop(bytes)
            }
            Self::Sealer => {
                let file = scratch.new_file()?;
                scratch.take_memory(&options.memory_dir)?;
                let mut clock = Clock::start()?;
                scratch.seal_into(&file)?;
                clock.called();
                file.sync_all()?;
                clock.stop(content.len())
            }
            Self::PlainReader => {
                let file = File::open(scratch.plain())?;
                let mut buffer = vec![0; 1 << 20];
                let mut clock = Clock::start()?;
                let bytes = pattern.visit(content.len(), seed, |at, length| {
                    Ok(file.read_exact_at(&mut buffer[..length], at as u64)?)
                })?;
                clock.called();
                clock.stop(bytes)
            }
            Self::Reader => {
                let mut file = File::open(scratch.container())?;
                let unlocked = unlock(&mut file)?;
                let mut buffer = vec![0; 1 << 20];
                let mut clock = Clock::start()?;
                let container = Container::open(unlocked, file, Interrupted::Refuse)?;
                let bytes = pattern.visit(content.len(), seed, |at, length| {
                    container.read_at(&mut buffer[..length], at as u64)?;
                    Ok(())
                })?;
                clock.called();
                clock.stop(bytes)
            }
        }
    }
}

/// Writes in place, and returns how many bytes.
fn write(editor: &mut Editor<File>, content: &[u8], pattern: Pattern, seed: usize) -> Outcome<usize> {
    pattern.visit(content.len(), seed, |at, length| Ok(editor.write_at(&content[at..at + length], at as u64)?))
}

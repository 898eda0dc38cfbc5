//! Compares writing and reading in place with plain files, and with the writer that makes a container in one pass.
//!
//! `cargo bench -p waxseal --bench in_place -- --help` lists the options. The contenders of a comparison take turns, so
//! that a slow moment of the machine hits all of them. The report is Markdown on stdout, progress goes to stderr.
//! `docs/performance.md` says how to read it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's whole purpose is to print its report")]

mod contenders;
mod report;
mod scratch;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::contenders::{Contender, Pattern};
use crate::report::{Bound, Report, Series};
use crate::scratch::Scratch;

/// What can go wrong here is told to the person who runs the benchmark, and nobody else.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// Compares writing and reading in place with plain files, and prints a report in Markdown.
#[derive(Debug, Parser)]
struct Options {
    /// A directory on the disk to measure.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,
    /// A directory on a file system in memory, where no disk decides.
    #[arg(long, default_value = "/dev/shm")]
    memory_dir: PathBuf,
    /// The size of the file, in MiB.
    #[arg(long, default_value_t = 512)]
    size: usize,
    /// How many random writes and reads of 4 KiB there are.
    #[arg(long, default_value_t = 32_768)]
    random: usize,
    /// How often each contender runs.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Set by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Random overwrites of 4 KiB in a cold file on disk.
    RandomWrites,
    /// Overwriting a cold file on disk from end to end.
    Overwrites,
    /// Writing a new file, in memory.
    NewData,
    /// Reading a warm file, in memory.
    Reads,
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --all-targets` runs this program too, and timings have no place in tests.
        eprintln!("in_place: run by `cargo bench` only");
        return Ok(());
    }
    let memory = Scratch::new(&options.memory_dir, options.size << 20)?;
    let disk = Scratch::new(&options.dir, options.size << 20)?;
    let mut report = Report::new(&options, &memory, &disk)?;
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);

    if wanted(Part::RandomWrites) {
        let pattern = Pattern::Random { count: options.random };
        let all = run(&options, &disk, "random overwrites", pattern, &[Contender::Plain, Contender::Editor])?;
        report.compare(&format!("{} random overwrites of 4 KiB, cold, disk", options.random), "plain file", &all);
        report.bound(Bound::of("random overwrites: speed to the plain file", 0.3, &all, "editor", "plain file"));
    }
    if wanted(Part::Overwrites) {
        let all = [Contender::Plain, Contender::Sealer, Contender::Editor];
        let all = run(&options, &disk, "sequential overwrites", Pattern::Sequential { piece: 1 << 20 }, &all)?;
        report.compare("Overwritten from end to end, 1 MiB at a time, cold, disk", "sealer", &all);
        report.bound(Bound::of("sequential overwrites: speed to the sealer", 0.6, &all, "editor", "sealer"));
    }
    if wanted(Part::NewData) {
        let all = [Contender::Plain, Contender::Sealer, Contender::NewEditor];
        let all = run(&options, &memory, "new data", Pattern::Sequential { piece: 1 << 20 }, &all)?;
        report.compare("A new file, 1 MiB at a time, memory", "sealer", &all);
    }
    if wanted(Part::Reads) {
        for (title, pattern) in [
            ("Read from end to end, 128 KiB at a time, warm, memory", Pattern::Sequential { piece: 128 << 10 }),
            ("Read from end to end, 1 MiB at a time, warm, memory", Pattern::Sequential { piece: 1 << 20 }),
            ("Random reads of 4 KiB, warm, memory", Pattern::Random { count: options.random }),
        ] {
            let all = run(&options, &memory, title, pattern, &[Contender::PlainReader, Contender::Reader])?;
            report.compare(title, "plain file", &all);
        }
    }
    println!("{}", report.finish());
    Ok(())
}

/// Runs the contenders of one comparison in turns.
fn run(
    options: &Options,
    scratch: &Scratch,
    what: &str,
    pattern: Pattern,
    contenders: &[Contender],
) -> Outcome<Vec<Series>> {
    let mut all: Vec<Series> = contenders.iter().map(|contender| Series::new(contender.name())).collect();
    for run in 0..options.runs {
        for (contender, series) in contenders.iter().zip(&mut all) {
            eprintln!("{what}, run {} of {}: {}", run + 1, options.runs, contender.name());
            series.samples.push(contender.run(options, scratch, pattern, run)?);
        }
    }
    Ok(all)
}

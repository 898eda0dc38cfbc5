//! Compares a mount of Waxseal with the plain directory, with a bare passthrough file system and with gocryptfs.
//!
//! `cargo bench -p waxseal --bench mount -- --help` lists the options. The contenders of a comparison take turns, so
//! that a slow moment of the machine hits all of them. The report is Markdown on stdout, progress goes to stderr.
//! `docs/performance.md` says how to read it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's whole purpose is to print its report")]

mod bounds;
mod cleanup;
mod contenders;
mod daemon;
mod million;
mod noise;
mod report;
mod scratch;
mod tree;
mod workloads;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::contenders::{Contender, Mounted, Tools};
use crate::report::{Report, Series};
use crate::scratch::{Medium, Scratch};
use crate::workloads::{Work, Workload};

/// What can go wrong here is told to the person who runs the benchmark, and nobody else.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// Compares a mount of waxseal with the plain directory, a passthrough and gocryptfs, and prints a report in Markdown.
#[derive(Debug, Parser)]
struct Options {
    /// A directory on the disk to measure.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,
    /// A directory on a file system in memory, where no disk decides.
    #[arg(long, default_value = "/dev/shm")]
    tmpfs: PathBuf,
    /// The size of the large file, in MiB; random reads and writes use the first half of it.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(2..))]
    size: u32,
    /// How many random reads or writes of 4 KiB there are.
    #[arg(long, default_value_t = 32_768)]
    random: u32,
    /// How many files of 4 KiB are made.
    #[arg(long, default_value_t = 5000)]
    files: u32,
    /// How often the workspace's sources are in the source tree.
    #[arg(long, default_value_t = 12)]
    copies: u32,
    /// How often each contender runs.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Only these workloads.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Only on this medium.
    #[arg(long, value_enum)]
    medium: Option<Medium>,
    /// Lists a million files, too, and shows what that takes of memory.
    #[arg(long)]
    million: bool,
    /// Set by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --all-targets` runs this program too, and timings have no place in tests.
        eprintln!("mount: run by `cargo bench` only");
        return ExitCode::SUCCESS;
    }
    match cleanup::watch().and_then(|()| run(&options)) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("mount: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome<String> {
    let tools = Tools::find()?;
    let mut report = Report::new(options, &tools)?;
    for medium in [Medium::Memory, Medium::Disk] {
        if options.medium.is_none_or(|only| only == medium) {
            measure(options, &tools, medium, &mut report)?;
        }
    }
    Ok(report.finish())
}

/// Runs all workloads on one medium.
fn measure(options: &Options, tools: &Tools, medium: Medium, report: &mut Report) -> Outcome<()> {
    let scratch = Scratch::new(medium, options)?;
    report.place(&scratch)?;
    let work = Work::new(options, &scratch)?;
    let mounts = tools.present().map(|contender| Mounted::new(contender, &scratch)).collect::<Outcome<Vec<_>>>()?;
    for workload in Workload::ALL {
        if options.only.is_empty() || options.only.contains(&workload) {
            let all = in_turns(options, &work, workload, &mounts)?;
            report.compare(workload, &scratch, work.amount(workload), &all);
        }
    }
    for mounted in &mounts {
        report.memory(mounted.contender(), &scratch, mounted.peak()?);
    }
    drop(mounts);
    if options.million {
        million::run(tools, &scratch, report)?;
    }
    Ok(())
}

/// Runs one workload in turns (A B C A B C).
fn in_turns(options: &Options, work: &Work<'_>, workload: Workload, mounts: &[Mounted]) -> Outcome<Vec<Series>> {
    for mounted in mounts {
        eprintln!("{}: {}: preparing {}", work.place(), workload.name(), mounted.contender().name());
        work.prepare(workload, mounted)?;
    }
    let mut all: Vec<Series> = mounts.iter().map(|mounted| Series::new(mounted.contender())).collect();
    for run in 0..options.runs {
        for (mounted, series) in mounts.iter().zip(&mut all) {
            let name = mounted.contender().name();
            eprintln!("{}: {}: run {} of {}, {name}", work.place(), workload.name(), run + 1, options.runs);
            let failed = |error| format!("{name}, {}, {}: {error}", work.place(), workload.name());
            series.samples.push(work.run(workload, mounted, run).map_err(failed)?);
        }
    }
    for mounted in mounts {
        work.finish(workload, mounted)?;
    }
    Ok(all)
}

/// A contender, by its name in the report.
impl std::fmt::Display for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

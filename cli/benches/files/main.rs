//! Compares `waxseal` with `cp`, `cat`, `age`, `rage` and `rclone` on files, pipes, many small files, trees and ranges.
//!
//! `cargo bench -p waxseal --bench files -- --help` lists the options. The contenders of a comparison take turns, so that
//! a slow moment of the machine hits all of them. The report is Markdown on stdout, progress goes to stderr.
//! `docs/performance.md` says how to read it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's whole purpose is to print its report")]

mod bounds;
mod measure;
mod place;
mod report;
mod scenarios;
mod tools;
mod trees;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::place::{Medium, Place};
use crate::report::Report;
use crate::tools::Tools;

/// What can go wrong here is told to the person who runs the benchmark, and nobody else.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// Compares waxseal with cp, cat, age, rage and rclone, and prints a report in Markdown.
#[derive(Debug, Parser)]
struct Options {
    /// A directory on the disk to measure.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,
    /// A directory on a file system in memory, where no disk decides.
    #[arg(long, default_value = "/dev/shm")]
    memory_dir: PathBuf,
    /// The size of the large file, in MiB.
    #[arg(long, default_value_t = 1024)]
    size: u64,
    /// How many small files of 4 KiB there are.
    #[arg(long, default_value_t = 1000)]
    files: usize,
    /// How many files of 4 KiB there are in a tree.
    #[arg(long, default_value_t = 100_000)]
    tree_files: usize,
    /// The size of the file that a range is read from, in GiB.
    #[arg(long, default_value_t = 10)]
    range_size: u64,
    /// How often each contender runs.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Empties the page cache before each run (root only).
    #[arg(long)]
    cold: bool,
    /// Set by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A large file, file to file.
    Files,
    /// A large file, from stdin to stdout.
    Pipes,
    /// Many small files in one process.
    Small,
    /// A tree of very many small files: `-r` and `--update`.
    Trees,
    /// A range out of a very large file, and the start-up of `inspect`.
    Range,
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --all-targets` runs this program too, and timings have no place in tests.
        eprintln!("files: run by `cargo bench` only");
        return Ok(());
    }
    let memory = Place::new(Medium::Memory, &options.memory_dir, &options)?;
    let disk = Place::new(Medium::Disk, &options.dir, &options)?;
    let tools = Tools::find(&disk)?;
    let mut report = Report::new(&options, &tools, &memory, &disk)?;

    for part in [Part::Files, Part::Pipes, Part::Small, Part::Trees, Part::Range] {
        if !options.only.is_empty() && !options.only.contains(&part) {
            continue;
        }
        match part {
            Part::Files => {
                scenarios::files(&options, &tools, &memory, &mut report)?;
                scenarios::files(&options, &tools, &disk, &mut report)?;
            }
            Part::Pipes => scenarios::pipes(&options, &tools, &memory, &mut report)?,
            Part::Small => {
                scenarios::small(&options, &tools, &memory, &mut report)?;
                scenarios::small(&options, &tools, &disk, &mut report)?;
            }
            Part::Trees => {
                trees::compare(&options, &tools, &memory, &mut report)?;
                trees::compare(&options, &tools, &disk, &mut report)?;
            }
            Part::Range => scenarios::range(&options, &tools, &disk, &mut report)?,
        }
    }
    println!("{}", report.finish());
    Ok(())
}

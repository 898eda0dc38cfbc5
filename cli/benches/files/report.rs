//! The report: what was run where, a table for each comparison, and which bounds hold.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use crate::bounds::Bound;
use crate::measure::Sample;
use crate::place::Place;
use crate::tools::Tools;
use crate::{Options, Outcome, bounds};

/// Bytes in a MiB.
const MIB: f64 = 1_048_576.0;

/// All samples of one contender.
#[derive(Debug)]
pub(crate) struct Series {
    /// The contender's name.
    pub(crate) name: &'static str,
    samples: Vec<Sample>,
}

impl Series {
    /// Takes the samples of one contender.
    pub(crate) fn new(name: &'static str, samples: Vec<Sample>) -> Self {
        Self { name, samples }
    }

    /// The median wall time.
    pub(crate) fn wall(&self) -> Duration {
        self.median(|sample| sample.wall)
    }

    /// The shortest wall time.
    pub(crate) fn best(&self) -> Duration {
        self.samples.iter().map(|sample| sample.wall).min().unwrap_or_default()
    }

    /// The median CPU time in user mode.
    pub(crate) fn user(&self) -> Duration {
        self.median(|sample| sample.user)
    }

    /// The median CPU time in the kernel.
    pub(crate) fn system(&self) -> Duration {
        self.median(|sample| sample.system)
    }

    /// The median of the bytes taken in.
    pub(crate) fn read(&self) -> u64 {
        self.median(|sample| sample.read)
    }

    /// The largest resident memory of any run, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.samples.iter().map(|sample| sample.peak_kib).max().unwrap_or_default() as f64 / 1024.0
    }

    fn median<T: Ord + Default>(&self, of: impl Fn(&Sample) -> T) -> T {
        let mut values: Vec<T> = self.samples.iter().map(of).collect();
        values.sort();
        let middle = values.len() / 2;
        values.into_iter().nth(middle).unwrap_or_default()
    }
}

/// How long one contender takes, in times of another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    /// The ratio of the best runs.
    pub(crate) best: f64,
    /// The ratio of the median runs.
    pub(crate) median: f64,
}

impl Ratio {
    /// Compares `one` with `other`.
    pub(crate) fn of(one: &Series, other: &Series) -> Self {
        let ratio = |of: fn(&Series) -> Duration| of(one).as_secs_f64() / of(other).as_secs_f64();
        Self { best: ratio(Series::best), median: ratio(Series::wall) }
    }
}

/// What is printed at the end.
#[derive(Debug)]
pub(crate) struct Report {
    text: String,
    bounds: Vec<Bound>,
    peak_mib: f64,
}

impl Report {
    /// Begins a report with what is known about the machine.
    pub(crate) fn new(options: &Options, tools: &Tools, memory: &Place, disk: &Place) -> Outcome<Self> {
        let cpus = std::thread::available_parallelism()?;
        let cache = if options.cold { "emptied before each run" } else { "warm" };
        let mut text = String::new();
        writeln!(text, "- machine: {}, {cpus} CPUs available, Linux {}", processor()?, kernel()?)?;
        writeln!(text, "- memory is {}, disk is {}", memory.file_system()?, disk.file_system()?)?;
        writeln!(text, "- {} runs in turns, page cache {cache}", options.runs)?;
        writeln!(text, "- {}", tools.versions().collect::<Vec<_>>().join("; "))?;
        Ok(Self { text, bounds: Vec::new(), peak_mib: 0.0 })
    }

    /// Adds a table that compares wall times with those of `baseline`.
    pub(crate) fn compare(&mut self, title: &str, baseline: &str, bytes: Option<u64>, all: &[Series]) {
        let base = bounds::find(all, baseline);
        let speed = |wall: f64| bytes.map_or("-".to_owned(), |bytes| format!("{:.0}", bytes as f64 / wall / MIB));
        let head =
            format!("best s | median s | best MiB/s | user s | system s | peak MiB | to {baseline}, best (median)");
        self.table(title, &head, all, |series| {
            let ratio = Ratio::of(series, base);
            format!(
                "{:.3} | {:.3} | {} | {:.3} | {:.3} | {:.1} | {:.2} ({:.2})",
                series.best().as_secs_f64(),
                series.wall().as_secs_f64(),
                speed(series.best().as_secs_f64()),
                series.user().as_secs_f64(),
                series.system().as_secs_f64(),
                series.peak_mib(),
                ratio.best,
                ratio.median,
            )
        });
    }

    /// Adds a table of commands that read little and end at once.
    pub(crate) fn small_reads(&mut self, title: &str, all: &[Series]) {
        self.table(title, "median ms | best ms | KiB read | peak MiB", all, |series| {
            format!(
                "{:.2} | {:.2} | {:.1} | {:.1}",
                series.wall().as_secs_f64() * 1e3,
                series.best().as_secs_f64() * 1e3,
                series.read() as f64 / 1024.0,
                series.peak_mib(),
            )
        });
    }

    /// Adds a bound that the closing list shows.
    pub(crate) fn bound(&mut self, bound: Bound) {
        self.bounds.push(bound);
    }

    /// Returns the whole report.
    pub(crate) fn finish(mut self) -> String {
        self.bounds.push(bounds::memory(self.peak_mib));
        self.text.push_str("\n### Bounds\n\n| what | bound | measured | |\n|---|---|---|---|\n");
        for Bound { what, limit, measured, holds } in &self.bounds {
            let verdict = if *holds { "holds" } else { "does not hold" };
            self.text.push_str(&format!("| {what} | {limit} | {measured} | {verdict} |\n"));
        }
        self.text
    }

    fn table(&mut self, title: &str, head: &str, all: &[Series], row: impl Fn(&Series) -> String) {
        let rule = "---|".repeat(head.split('|').count() + 1);
        self.text.push_str(&format!("\n### {title}\n\n| | {head} |\n|{rule}\n"));
        for series in all {
            self.text.push_str(&format!("| {} | {} |\n", series.name, row(series)));
            if bounds::is_ours(series) {
                self.peak_mib = self.peak_mib.max(series.peak_mib());
            }
        }
    }
}

fn processor() -> Outcome<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let name = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    Ok(name.trim_start_matches(['\t', ' ', ':']).to_owned())
}

fn kernel() -> Outcome<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned())
}

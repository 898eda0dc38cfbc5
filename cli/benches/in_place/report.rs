//! The report: what was run where, a table for each comparison, and which bounds hold.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use crate::contenders::Sample;
use crate::scratch::Scratch;
use crate::{Options, Outcome};

/// Bytes in a MiB.
const MIB: f64 = 1_048_576.0;

/// All samples of one contender.
#[derive(Debug)]
pub(crate) struct Series {
    name: &'static str,
    pub(crate) samples: Vec<Sample>,
}

impl Series {
    /// A contender that has not run yet.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, samples: Vec::new() }
    }

    /// The shortest time of any run.
    fn best(&self, of: impl Fn(&Sample) -> Duration) -> f64 {
        self.samples.iter().map(of).min().unwrap_or_default().as_secs_f64()
    }

    /// The median time.
    fn median(&self, of: impl Fn(&Sample) -> Duration) -> f64 {
        let mut times: Vec<Duration> = self.samples.iter().map(of).collect();
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64()
    }

    /// MiB a second of the best run, to the last call and to the disk.
    fn speed(&self) -> (f64, f64) {
        let bytes = self.samples.first().map_or(0, |sample| sample.bytes) as f64 / MIB;
        (bytes / self.best(|sample| sample.called), bytes / self.best(|sample| sample.synced))
    }
}

/// A speed that has to be reached.
#[derive(Debug)]
pub(crate) struct Bound {
    what: &'static str,
    at_least: f64,
    /// The ratio of the best runs, and that of the medians.
    found: (f64, f64),
}

impl Bound {
    /// How fast `one` is to the disk, in speeds of `other`, and how fast it has to be.
    pub(crate) fn of(what: &'static str, at_least: f64, all: &[Series], one: &str, other: &str) -> Self {
        let found = |of: fn(&Series) -> f64| {
            let time = |name: &str| all.iter().find(|series| series.name == name).map_or(f64::NAN, of);
            time(other) / time(one)
        };
        let best = found(|series| series.best(|sample| sample.synced));
        Self { what, at_least, found: (best, found(|series| series.median(|sample| sample.synced))) }
    }
}

/// What is printed at the end.
#[derive(Debug)]
pub(crate) struct Report {
    text: String,
    bounds: Vec<Bound>,
}

impl Report {
    /// Begins a report with what is known about the machine.
    pub(crate) fn new(options: &Options, memory: &Scratch, disk: &Scratch) -> Outcome<Self> {
        let cpus = std::thread::available_parallelism()?;
        let information = fs::read_to_string("/proc/cpuinfo")?;
        let name =
            information.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let mut text = String::new();
        let name = name.trim_start_matches(['\t', ' ', ':']);
        writeln!(text, "- machine: {name}, {cpus} CPUs available, Linux {}", kernel.trim())?;
        writeln!(text, "- memory is {}, disk is {}", memory.file_system()?, disk.file_system()?)?;
        writeln!(text, "- {} runs in turns, a file of {} MiB", options.runs, options.size)?;
        Ok(Self { text, bounds: Vec::new() })
    }

    /// Adds a table that compares speeds with those of `baseline`.
    pub(crate) fn compare(&mut self, title: &str, baseline: &str, all: &[Series]) {
        let base = all.iter().find(|series| series.name == baseline).map_or((f64::NAN, f64::NAN), Series::speed);
        self.text.push_str(&format!(
            "\n#### {title}\n\n| | median s | best s | best MiB/s | to {baseline} | on disk: median s | best s | best MiB/s \
             | to {baseline} | user s | system s |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
        ));
        for series in all {
            let (called, synced) = series.speed();
            self.text.push_str(&format!(
                "| {} | {:.3} | {:.3} | {called:.0} | {:.2} | {:.3} | {:.3} | {synced:.0} | {:.2} | {:.2} | {:.2} |\n",
                series.name,
                series.median(|sample| sample.called),
                series.best(|sample| sample.called),
                called / base.0,
                series.median(|sample| sample.synced),
                series.best(|sample| sample.synced),
                synced / base.1,
                series.median(|sample| sample.cpu.0),
                series.median(|sample| sample.cpu.1),
            ));
        }
    }

    /// Adds a bound that the closing list shows.
    pub(crate) fn bound(&mut self, bound: Bound) {
        self.bounds.push(bound);
    }

    /// Returns the whole report.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("\n#### Bounds\n\n| what | at least | best (median) | |\n|---|---|---|---|\n");
        for Bound { what, at_least, found: (best, median) } in &self.bounds {
            let verdict = if best >= at_least { "holds" } else { "does not hold" };
            self.text.push_str(&format!("| {what} | {at_least} | {best:.2} ({median:.2}) | {verdict} |\n"));
        }
        self.text
    }
}

//! The report: what was run where, a table for each comparison, and which bounds hold.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use crate::bounds::{self, Bound};
use crate::contenders::{Contender, Tools};
use crate::scratch::{Scratch, can_drop_caches};
use crate::workloads::{Amount, Sample, Workload};
use crate::{Options, Outcome};

/// All samples of one contender.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) contender: Contender,
    pub(crate) samples: Vec<Sample>,
}

impl Series {
    /// A contender that has not run yet.
    pub(crate) fn new(contender: Contender) -> Self {
        Self { contender, samples: Vec::new() }
    }

    /// The shortest time until the last file was closed, in seconds.
    pub(crate) fn best(&self) -> f64 {
        self.samples.iter().map(|sample| sample.closed).min().unwrap_or_default().as_secs_f64()
    }

    /// The median time until the last file was closed, in seconds.
    pub(crate) fn median(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.closed))
    }

    /// The shortest and the median time until everything was on the disk, in seconds, where anything was written.
    fn synced(&self) -> Option<(f64, f64)> {
        let times: Option<Vec<Duration>> = self.samples.iter().map(|sample| sample.synced).collect();
        let times = times.filter(|times| !times.is_empty())?;
        let best = times.iter().min().copied().unwrap_or_default().as_secs_f64();
        Some((best, median(times.into_iter())))
    }
}

fn median(times: impl Iterator<Item = Duration>) -> f64 {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64()
}

/// What is printed at the end.
#[derive(Debug)]
pub(crate) struct Report {
    /// What is known about the machine.
    head: String,
    tables: String,
    memory: String,
    million: String,
    bounds: Vec<Bound>,
}

impl Report {
    /// Begins a report with what is known about the machine.
    pub(crate) fn new(options: &Options, tools: &Tools) -> Outcome<Self> {
        let cpus = std::thread::available_parallelism()?;
        let information = fs::read_to_string("/proc/cpuinfo")?;
        let name =
            information.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
        let name = name.trim_start_matches(['\t', ' ', ':']);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let load = fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or("unknown");
        let mut head = String::new();
        writeln!(head, "- machine: {name}, {cpus} CPUs available, Linux {}, load {load} at the start", kernel.trim())?;
        writeln!(head, "- {} runs in turns; {}", options.runs, tools.versions())?;
        if !can_drop_caches() {
            let missing = "NOT COLD: only root can empty the caches, so what is called cold was not";
            eprintln!("{missing}");
            writeln!(head, "- {missing}")?;
        }
        Ok(Self { head, tables: String::new(), memory: String::new(), million: String::new(), bounds: Vec::new() })
    }

    /// Notes which file system a medium has.
    pub(crate) fn place(&mut self, scratch: &Scratch) -> Outcome<()> {
        Ok(writeln!(self.head, "- {} is {}", scratch.name(), scratch.file_system()?)?)
    }

    /// Adds the table of one workload, and its bounds.
    pub(crate) fn compare(&mut self, workload: Workload, scratch: &Scratch, amount: Amount, all: &[Series]) {
        let (what, unit, count) = match amount {
            Amount::Mib(size) => (format!("{size} MiB"), "MiB/s", size),
            Amount::Count(count) => (count.to_string(), "a second", count),
        };
        let to = |name: &str, contender: Contender| {
            let found = all.iter().find(|series| series.contender == contender);
            found.map(|series| (format!("to {name}"), series.best()))
        };
        let others: Vec<(String, f64)> =
            [to("passthrough", Contender::Passthrough), to("gocryptfs", Contender::Gocryptfs)]
                .into_iter()
                .flatten()
                .collect();
        let columns: String = others.iter().map(|(name, _)| format!(" {name} |")).collect();
        let head = format!(
            "| | best s | median s | best {unit} |{columns} synced: best s | median s | CPU: user s | system s |"
        );
        let rule = "---|".repeat(head.matches('|').count() - 1);
        let title = format!("{}, {what}, {}", workload.name(), scratch.name());
        self.tables.push_str(&format!("\n#### {title}\n\n{head}\n|{rule}\n"));
        for series in all {
            let (best, median_closed) = (series.best(), series.median());
            let ratios: String = others.iter().map(|(_, other)| format!(" {:.2} |", other / best)).collect();
            let synced =
                series.synced().map_or("- | -".to_owned(), |(best, median)| format!("{best:.3} | {median:.3}"));
            let cpu = match series.contender {
                Contender::Plain => "- | -".to_owned(),
                _ => {
                    let user = median(series.samples.iter().map(|sample| sample.cpu.user));
                    let system = median(series.samples.iter().map(|sample| sample.cpu.system));
                    format!("{user:.2} | {system:.2}")
                }
            };
            self.tables.push_str(&format!(
                "| {} | {best:.3} | {median_closed:.3} | {:.0} |{ratios} {synced} | {cpu} |\n",
                series.contender,
                f64::from(count) / best,
            ));
        }
        self.bounds.extend(bounds::speeds(workload, scratch.medium(), scratch.name(), all));
    }

    /// Adds the largest resident memory of a daemon, in MiB.
    pub(crate) fn memory(&mut self, contender: Contender, scratch: &Scratch, peak: Option<f64>) {
        let Some(peak) = peak else { return };
        let place = scratch.name();
        self.memory.push_str(&format!("| {contender}, {place} | {peak:.1} |\n"));
        if contender == Contender::Waxseal {
            self.bounds.push(Bound::memory(format!("resident memory, {place}, all workloads"), peak));
        }
    }

    /// Adds what listing a million files took.
    pub(crate) fn million(&mut self, contender: Contender, scratch: &Scratch, time: Duration, peak: Option<f64>) {
        let (place, peak) = (scratch.name(), peak.unwrap_or_default());
        self.million.push_str(&format!("| {contender}, {place} | {:.1} | {peak:.1} |\n", time.as_secs_f64()));
        if contender == Contender::Waxseal {
            self.bounds.push(Bound::memory(format!("resident memory, {place}, a million files listed"), peak));
        }
    }

    /// Returns the whole report.
    pub(crate) fn finish(self) -> String {
        let Self { head, tables, memory, million, bounds } = self;
        let mut text = head + &tables;
        text.push_str(&format!("\n#### Memory of the daemon, all workloads\n\n| | peak MiB |\n|---|---|\n{memory}"));
        if !million.is_empty() {
            let head = "| | s | peak MiB |\n|---|---|---|";
            text.push_str(&format!("\n#### ls -lR of a million files, once\n\n{head}\n{million}"));
        }
        text.push_str("\n#### Bounds\n\n| what | bound | measured | |\n|---|---|---|---|\n");
        for Bound { what, limit, measured, holds } in &bounds {
            let verdict = if *holds { "holds" } else { "does not hold" };
            text.push_str(&format!("| {what} | {limit} | {measured} | {verdict} |\n"));
        }
        text
    }
}

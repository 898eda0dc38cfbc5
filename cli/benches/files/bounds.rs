//! The bounds that Waxseal sets itself, and whether a measurement keeps them.

use crate::report::{Ratio, Series};
use crate::tools::Direction;

/// A command that ends within this many milliseconds feels instant, and costs a script nothing.
const START_UP_MS: f64 = 10.0;
/// Resident memory at any file size, in MiB.
const RESIDENT_MIB: f64 = 48.0;
/// User CPU seconds for 1 GiB.
const USER_SECONDS_PER_GIB: f64 = 0.6;
/// Pages of 4 KiB that a small read may take out of a very large container, beyond those of a container of one chunk.
const RANGE_PAGES: f64 = 8.0;

/// A bound and what was measured for it.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What is bounded.
    pub(crate) what: String,
    /// The bound in words.
    pub(crate) limit: String,
    /// The measurement in the same unit.
    pub(crate) measured: String,
    /// Whether the measurement keeps the bound.
    pub(crate) holds: bool,
}

impl Bound {
    fn at_most(what: String, measured: f64, limit: f64, unit: &str) -> Self {
        let shown = |value: f64| format!("{} {unit}", (value * 100.0).round() / 100.0);
        Self { what, limit: format!("at most {}", shown(limit)), measured: shown(measured), holds: measured <= limit }
    }

    /// A bound on a ratio of times. What disturbs a run only ever adds to it, so the best runs decide.
    fn times(what: String, ratio: Ratio, limit: f64) -> Self {
        let measured = format!("{:.2} times (median {:.2})", ratio.best, ratio.median);
        Self { measured, ..Self::at_most(what, ratio.best, limit, "times") }
    }
}

/// The bounds of a large file, file to file.
pub(crate) fn large_file(direction: Direction, place: &str, mib: u64, all: &[Series]) -> Vec<Bound> {
    let what = |rest: &str| format!("{}, {place}: {rest}", direction.word());
    let ours = find(all, "waxseal");
    let user = ours.user().as_secs_f64();
    let mut bounds = vec![
        Bound::times(what("time to cp"), Ratio::of(ours, find(all, "cp")), 1.5),
        Bound::at_most(what("user CPU for 1 GiB"), user * 1024.0 / mib as f64, USER_SECONDS_PER_GIB, "s"),
    ];
    if let Some(age) = all.iter().find(|series| series.name == "age") {
        bounds.push(Bound::times(what("time to age"), Ratio::of(ours, age), 0.5));
    }
    bounds
}

/// The bound of a pipe.
pub(crate) fn pipe(direction: Direction, all: &[Series]) -> Bound {
    let what = format!("{}, stdin to stdout: time to cat", direction.word());
    Bound::times(what, Ratio::of(find(all, "waxseal"), find(all, "cat")), 1.3)
}

/// The bound of many small files.
pub(crate) fn small_files(direction: Direction, place: &str, count: usize, all: &[Series]) -> Bound {
    let what = format!("{}, {place}, {count} files of 4 KiB: time to cp", direction.word());
    Bound::times(what, Ratio::of(find(all, "waxseal"), find(all, "cp")), 1.5)
}

/// The bounds of a tree that is encrypted or decrypted.
pub(crate) fn tree(direction: Direction, place: &str, count: usize, all: &[Series]) -> Vec<Bound> {
    let what = |rest: &str| format!("{} -r, {place}, {count} files of 4 KiB: {rest}", direction.word());
    let ours = find(all, "waxseal");
    let mut bounds = vec![Bound::times(what("time to cp -r"), Ratio::of(ours, find(all, "cp -r")), 2.5)];
    if let Some(rclone) = all.iter().find(|series| series.name == "rclone") {
        bounds.push(Bound::times(what("time to rclone"), Ratio::of(ours, rclone), 1.0));
    }
    bounds
}

/// The bounds of looking at a tree again: one that has not changed, and one that is verified.
pub(crate) fn tree_again(place: &str, all: &[Series]) -> Vec<Bound> {
    let update = Ratio::of(find(all, "encrypt -r --update"), find(all, "find -ls"));
    let verify = Ratio::of(find(all, "verify -r"), find(all, "decrypt -r"));
    vec![
        Bound::times(format!("encrypt -r --update, {place}, nothing changed: time to find -ls"), update, 2.0),
        Bound::times(format!("verify -r, {place}: time to decrypt -r"), verify, 1.0),
    ]
}

/// The bounds of a range read and of start-up.
pub(crate) fn range(all: &[Series]) -> Vec<Bound> {
    let large = find(all, "cat, very large container").read() as f64;
    let little = find(all, "cat, one chunk in all").read() as f64;
    let start_up = find(all, "inspect").wall().as_secs_f64() * 1e3;
    vec![
        Bound::at_most(
            "range of 4 KiB: pages beyond those of a container of one chunk".to_owned(),
            (large - little) / 4096.0,
            RANGE_PAGES,
            "pages",
        ),
        Bound::at_most("inspect, start to end".to_owned(), start_up, START_UP_MS, "ms"),
    ]
}

/// The bound of resident memory, over everything that was run.
pub(crate) fn memory(peak_mib: f64) -> Bound {
    Bound::at_most("resident memory of waxseal, all runs".to_owned(), peak_mib, RESIDENT_MIB, "MiB")
}

/// Finds the series of a contender.
///
/// # Panics
///
/// If there is none of that name: each comparison is written with its contenders beside it.
pub(crate) fn find<'a>(all: &'a [Series], name: &str) -> &'a Series {
    all.iter().find(|series| series.name == name).expect("each comparison runs the contenders that it asks for")
}

/// Whether a series is of our own program, and so counts for the memory bound.
pub(crate) fn is_ours(series: &Series) -> bool {
    !["cp", "cp -r", "cat", "find -ls", "age", "rage", "rclone"].contains(&series.name)
}

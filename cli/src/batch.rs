//! Many inputs on several threads, and the moment at which their outputs appear.
//!
//! A single output is synced and renamed by itself. Outputs of a batch are collected as finished temporary files; a
//! group of them is synced by one `syncfs` per file system, then named, then their directories are synced. That is
//! what makes a thousand small files about as fast as copying them.

mod fed;
mod group;
mod late;
mod outcome;
mod queue;
mod sync;
mod tally;
mod turns;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use waxseal_envelope::{CacheCounts, DataKeyCache};

use self::group::Group;
pub(crate) use self::late::Late;
pub(crate) use self::outcome::{Outcome, Then};
pub(crate) use self::queue::Queue;
use self::tally::Tally;
use self::turns::Turns;
use crate::atomic::Temporary;
use crate::error::CliError;
use crate::input::InputName;
use crate::output::Console;
use crate::report::{FailureLog, FileReport};

/// From this many inputs on it takes long enough to show how far it is.
const DRAWN_FILES: usize = 64;

/// Whether outputs are waited for until they are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// They are.
    Synced,
    /// `--no-sync`.
    Unsynced,
}

/// Whether successes are what the command is asked for, or go without saying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Every success is printed to standard output.
    Always,
    /// Successes are printed when asked to be verbose.
    Verbose,
}

/// The work on the inputs of one command.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    console: &'a Console,
    durability: Durability,
    /// What the summary calls a success, for instance `encrypted`.
    verb: &'static str,
    telling: Telling,
    group: Mutex<Group>,
    group_files: usize,
    turns: Turns,
    tally: Tally,
    late: Arc<Late>,
    log: Option<&'a FailureLog>,
    keys: Option<&'a DataKeyCache>,
}

/// Syncs and names a single output.
pub(crate) fn publish_alone(temporary: Temporary, durability: Durability) -> Result<(), CliError> {
    let target = temporary.target().to_owned();
    if durability == Durability::Synced {
        sync::content(temporary.file()?, &target)?;
    }
    temporary.publish()?;
    match durability {
        Durability::Synced => sync::name(&target),
        Durability::Unsynced => Ok(()),
    }
}

impl<'a> Batch<'a> {
    /// Makes an empty batch.
    pub(crate) fn new(console: &'a Console, durability: Durability, verb: &'static str, telling: Telling) -> Self {
        let group_files = group::most_files();
        let group = Mutex::new(Group::with_room(0));
        let (turns, tally, late) = (Turns::default(), Tally::default(), Arc::default());
        Self { console, durability, verb, telling, group, group_files, turns, tally, late, log: None, keys: None }
    }

    /// The same, with a file to which each failure is written.
    pub(crate) fn with_log(self, log: Option<&'a FailureLog>) -> Self {
        Self { log, ..self }
    }

    /// Says at the end, when asked to be verbose, how often a key service decrypted a data key for these inputs.
    pub(crate) fn with_keys(self, keys: &'a DataKeyCache) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Works on all inputs, on up to `jobs` threads. A single input's error is returned as it is; of several, each is
    /// printed, the others go on, and the result says that some failed.
    pub(crate) fn run<W>(&self, inputs: &[InputName], jobs: NonZeroUsize, work: W) -> Result<(), CliError>
    where
        W: Fn(&InputName) -> Result<Outcome, CliError> + Sync,
    {
        if let [input] = inputs {
            return self.log_alone(self.finish_alone(work(input)));
        }
        if inputs.len() >= DRAWN_FILES {
            self.console.draw_files(inputs.len());
        }
        *self.group() = Group::with_room(self.group_files.min(inputs.len()));
        let next = AtomicUsize::new(0);
        let worker = || {
            while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.tally.ended() {
                    break;
                }
                self.take(work(input), input.label());
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..jobs.get().min(inputs.len()) {
                // Without a further thread the work is done by those that there are.
                std::thread::Builder::new().spawn_scoped(scope, worker).ok();
            }
            worker();
        });
        self.publish_rest();
        self.conclude()
    }

    /// Where those who finish their work in passing leave their failures; they are told with the next ones.
    pub(crate) fn late(&self) -> Arc<Late> {
        Arc::clone(&self.late)
    }

    /// Whether outputs are waited for.
    pub(crate) fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether the batch ends here, so that nothing more is to be found.
    pub(crate) fn ended(&self) -> bool {
        self.tally.ended()
    }

    /// Takes in what the work on the input `label` came to.
    pub(crate) fn take(&self, result: Result<Outcome, CliError>, label: &Path) {
        match result {
            Ok(outcome) => self.collect(outcome),
            Err(error) if error.ends_everything() => self.end(error),
            Err(error) => self.fail(&error.file(label)),
        }
        self.tell_late();
    }

    /// Counts a directory that was made, or was there.
    pub(crate) fn count_directory(&self) {
        self.tally.directories.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts something that was removed.
    pub(crate) fn count_deleted(&self) {
        self.tally.deleted.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts temporary files of killed runs that were removed.
    pub(crate) fn count_leftovers(&self, count: usize) {
        self.tally.leftovers.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts files that a sample leaves out.
    pub(crate) fn count_not_drawn(&self, count: u64) {
        self.tally.not_drawn.fetch_add(usize::try_from(count).unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Ends everything with this error.
    pub(crate) fn end(&self, error: CliError) {
        self.write_down(&error);
        self.tally.end(error);
    }

    /// Whether anything has failed so far.
    pub(crate) fn has_failed(&self) -> bool {
        self.tell_late();
        self.tally.failures() > 0
    }

    /// Says something that is no failure.
    pub(crate) fn warn(&self, text: &str, hint: Option<&str>) {
        self.console.warning(text, hint);
    }

    /// Says that something is left out, and counts it: it is no failure.
    pub(crate) fn leave_out(&self, path: &Path, why: &str) {
        self.tally.left_out.fetch_add(1, Ordering::Relaxed);
        let path = crate::shown::shown(&path.to_string_lossy());
        self.console.warning(&format!("{path}: left out: {why}"), None);
    }

    /// Counts something that an interrupted run has left; all of it is told at the end, at once.
    pub(crate) fn leave_temporary(&self, path: &Path) {
        self.tally.left_out.fetch_add(1, Ordering::Relaxed);
        self.tally.leave_temporary(path);
    }

    fn tell_temporaries(&self) {
        let Some((first, count)) = self.tally.temporaries() else { return };
        let first = crate::shown::shown(&first.to_string_lossy());
        let text = match count {
            1 => format!("{first}: left out: an interrupted run has left it, and nothing uses it any more"),
            _ => format!(
                "{first} and {} more: left out: interrupted runs have left them, and nothing uses them",
                count - 1
            ),
        };
        let hint = "when no run is at work there: find DIR -name '.waxseal-tmp-*' -delete";
        self.console.warning(&text, Some(hint));
    }

    fn tell_late(&self) {
        for error in self.late.take() {
            self.fail(&error);
        }
    }

    /// Syncs and names a single output.
    fn finish_alone(&self, outcome: Result<Outcome, CliError>) -> Result<(), CliError> {
        let report = match outcome? {
            Outcome::Complete(report) => report,
            Outcome::LeftAlone(report) => return self.tell_left_alone(&report),
            Outcome::Finished(temporary, report, then) => {
                publish_alone(temporary, self.durability)?;
                then.act()?;
                report
            }
            Outcome::Told(_) | Outcome::Linked | Outcome::Unchanged | Outcome::Deferred => return Ok(()),
        };
        self.tell(&report)
    }

    /// Writes down what became of a single input.
    fn log_alone(&self, result: Result<(), CliError>) -> Result<(), CliError> {
        let Some(log) = self.log else { return result };
        match &result {
            Ok(()) => self.tally.succeed(0),
            Err(error) => {
                self.tally.fail();
                log.write(&error.json())?;
            }
        }
        log.write(&self.tally.json(self.verb))?;
        result
    }

    fn tell(&self, report: &FileReport) -> Result<(), CliError> {
        match self.telling {
            Telling::Always => self.console.result(|| report.text(self.verb), || report.json(self.verb)),
            Telling::Verbose => self.console.done(|| report.text(self.verb), || report.json(self.verb)),
        }
    }

    /// That nothing had to be done goes without saying.
    fn tell_left_alone(&self, report: &FileReport) -> Result<(), CliError> {
        self.console.done(|| report.text("unchanged"), || report.json(self.verb))
    }

    /// Takes in one outcome; a full group is published by the thread that filled it.
    fn collect(&self, outcome: Outcome) {
        let full = match outcome {
            Outcome::Complete(report) => return self.succeed(&report),
            Outcome::LeftAlone(report) => {
                self.count(&self.tally.unchanged);
                return self.end_if(self.tell_left_alone(&report));
            }
            Outcome::Told(bytes) => {
                self.tally.succeed(bytes);
                return self.console.advance_files(bytes);
            }
            Outcome::Finished(mut temporary, report, then) => {
                temporary.rest();
                if self.durability == Durability::Unsynced {
                    return match temporary.publish().and_then(|()| then.act()) {
                        Ok(()) => self.succeed(&report),
                        Err(error) => self.fail(&error),
                    };
                }
                self.add((temporary, report, then))
            }
            Outcome::Linked => return self.count(&self.tally.links),
            Outcome::Unchanged => return self.count(&self.tally.unchanged),
            Outcome::Deferred => None,
        };
        if let Some((group, turn)) = full {
            self.publish(group, turn);
        }
    }

    fn succeed(&self, report: &FileReport) {
        self.tally.succeed(report.plaintext_bytes);
        self.console.advance_files(report.plaintext_bytes);
        self.end_if(self.tell(report));
    }

    /// Ends the batch if nobody can be told any more.
    fn end_if(&self, told: Result<(), CliError>) {
        if let Err(error) = told {
            self.tally.end(error);
        }
    }

    fn count(&self, what: &AtomicUsize) {
        what.fetch_add(1, Ordering::Relaxed);
        self.console.advance_files(0);
    }

    /// Counts and tells a failure.
    pub(crate) fn fail(&self, error: &CliError) {
        self.tally.fail();
        self.console.advance_files(0);
        self.console.error(error);
        self.write_down(error);
    }

    fn write_down(&self, error: &CliError) {
        if let Some(Err(error)) = self.log.map(|log| log.write(&error.json())) {
            self.tally.end(error);
        }
    }

    /// Prints the summary and gives the result of the whole.
    fn conclude(&self) -> Result<(), CliError> {
        self.console.stop_drawing();
        self.tell_temporaries();
        if let Some(error) = self.tally.failure_of_all() {
            return Err(error);
        }
        let mut summary = self.tally.json(self.verb);
        if let Some(CacheCounts { asked, recalled }) = self.keys.map(DataKeyCache::counts) {
            let text = format!("data keys: {asked} decrypted by the key service, {recalled} taken from memory");
            self.console.detail(&text);
            summary["data_keys"] = json!({ "decrypted": asked, "recalled": recalled });
        }
        if let Some(log) = self.log {
            log.write(&summary)?;
        }
        self.console.summary(&self.tally.text(self.verb), summary);
        self.tally.result()
    }
}

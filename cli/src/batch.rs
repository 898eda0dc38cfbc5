//! Many inputs on several threads, and the moment at which their outputs appear.
//!
//! A single output is synced and renamed by itself. Outputs of a batch are collected as finished temporary files; a
//! group of them is synced by one `syncfs` per file system, then named, then their directories are synced. That is
//! what makes a thousand small files about as fast as copying them.

mod sync;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::json;

use self::sync::GroupSync;
use crate::atomic::Temporary;
use crate::descriptors;
use crate::error::{Class, CliError};
use crate::input::InputName;
use crate::output::Console;
use crate::report::FileReport;

/// A group is synced and named when it has this many outputs, or as many as leave descriptors for their directories.
const GROUP_FILES: usize = 1024;
/// A group is synced and named when its outputs have this many bytes, so that an interrupt costs little work.
const GROUP_BYTES: u64 = 1 << 30;

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

/// What the work on one input came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing is left to do.
    Complete(FileReport),
    /// Nothing had to be done.
    LeftAlone(FileReport),
    /// The output is finished but for its name.
    Finished(Temporary, FileReport),
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
    tally: Tally,
}

#[derive(Debug)]
struct Group {
    outputs: Vec<(Temporary, FileReport)>,
    bytes: u64,
}

impl Group {
    /// Makes an empty group. It does not grow while threads share it: what one of them has allocated and another one
    /// reallocates makes both wait for each other in the allocator, long afterwards.
    fn with_room(outputs: usize) -> Self {
        Self { outputs: Vec::with_capacity(outputs), bytes: 0 }
    }
}

#[derive(Debug, Default)]
struct Tally {
    succeeded: AtomicUsize,
    /// How many of those had nothing to be done.
    left_alone: AtomicUsize,
    failed: AtomicUsize,
    bytes: AtomicU64,
    /// What ends the whole batch.
    end: OnceLock<CliError>,
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
        let group_files = GROUP_FILES.min(descriptors::limit() / 4).max(1);
        let group = Mutex::new(Group::with_room(0));
        Self { console, durability, verb, telling, group, group_files, tally: Tally::default() }
    }

    /// Works on all inputs, on up to `jobs` threads. A single input's error is returned as it is; of several, each is
    /// printed, the others go on, and the result says that some failed.
    pub(crate) fn run<W>(&self, inputs: &[InputName], jobs: NonZeroUsize, work: W) -> Result<(), CliError>
    where
        W: Fn(&InputName) -> Result<Outcome, CliError> + Sync,
    {
        if let [input] = inputs {
            return self.finish_alone(work(input)?);
        }
        if inputs.len() >= DRAWN_FILES {
            self.console.draw_files(inputs.len());
        }
        *self.group() = Group::with_room(self.group_files.min(inputs.len()));
        let next = AtomicUsize::new(0);
        let worker = || {
            while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.tally.end.get().is_some() {
                    break;
                }
                match work(input) {
                    Ok(outcome) => self.collect(outcome),
                    Err(error) if error.ends_everything() => self.end(error),
                    Err(error) => self.fail(&error.file(input.label())),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..jobs.get().min(inputs.len()) {
                // Without a further thread the work is done by those that there are.
                std::thread::Builder::new().spawn_scoped(scope, worker).ok();
            }
            worker();
        });
        let rest = std::mem::replace(&mut *self.group(), Group::with_room(0));
        self.publish(rest);
        self.conclude()
    }

    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs and names a single output.
    fn finish_alone(&self, outcome: Outcome) -> Result<(), CliError> {
        let report = match outcome {
            Outcome::Complete(report) => report,
            Outcome::LeftAlone(report) => return self.tell_left_alone(&report),
            Outcome::Finished(temporary, report) => {
                publish_alone(temporary, self.durability)?;
                report
            }
        };
        self.tell(&report)
    }

    fn tell(&self, report: &FileReport) -> Result<(), CliError> {
        match self.telling {
            Telling::Always => self.console.result(|| report.text(self.verb), || report.json(self.verb)),
            Telling::Verbose => self.console.done(|| report.text(self.verb), || report.json(self.verb)),
        }
    }

    /// That nothing had to be done goes without saying.
    fn tell_left_alone(&self, report: &FileReport) -> Result<(), CliError> {
        self.console.done(|| report.text("left alone"), || report.json(self.verb))
    }

    /// Takes in one outcome; a full group is published by the thread that filled it.
    fn collect(&self, outcome: Outcome) {
        let full = match outcome {
            Outcome::Complete(report) => return self.succeed(&report),
            Outcome::LeftAlone(report) => {
                self.tally.left_alone.fetch_add(1, Ordering::Relaxed);
                return self.count(0, self.tell_left_alone(&report));
            }
            Outcome::Finished(mut temporary, report) => {
                temporary.rest();
                if self.durability == Durability::Unsynced {
                    return match temporary.publish() {
                        Ok(()) => self.succeed(&report),
                        Err(error) => self.fail(&error),
                    };
                }
                let mut group = self.group();
                group.bytes = group.bytes.saturating_add(report.plaintext_bytes);
                group.outputs.push((temporary, report));
                let full = group.outputs.len() >= self.group_files || group.bytes >= GROUP_BYTES;
                full.then(|| std::mem::replace(&mut *group, Group::with_room(self.group_files)))
            }
        };
        if let Some(group) = full {
            self.publish(group);
        }
    }

    /// Makes a group durable: contents, names, directories, in this order.
    fn publish(&self, group: Group) {
        let temporaries: Vec<&Temporary> = group.outputs.iter().map(|(temporary, _)| temporary).collect();
        let mut sync = GroupSync::contents(&temporaries);
        let mut named = Vec::with_capacity(group.outputs.len());
        for (temporary, report) in group.outputs {
            let target = temporary.target().to_owned();
            match sync.failure(&target).map_or_else(|| temporary.publish(), Err) {
                Ok(()) => named.push((target, report)),
                Err(error) => self.fail(&error),
            }
        }
        sync.names();
        for (target, report) in named {
            match sync.failure(&target) {
                Some(error) => self.fail(&error),
                None => self.succeed(&report),
            }
        }
    }

    fn succeed(&self, report: &FileReport) {
        self.count(report.plaintext_bytes, self.tell(report));
    }

    /// Counts a success, which was told.
    fn count(&self, bytes: u64, told: Result<(), CliError>) {
        self.tally.succeeded.fetch_add(1, Ordering::Relaxed);
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.console.advance_files();
        if let Err(error) = told {
            self.end(error);
        }
    }

    fn fail(&self, error: &CliError) {
        self.tally.failed.fetch_add(1, Ordering::Relaxed);
        self.console.advance_files();
        self.console.error(error);
    }

    /// Ends the batch; the first error that does so is the result.
    fn end(&self, error: CliError) {
        self.tally.end.set(error).ok();
    }

    /// Prints the summary and gives the result of the whole.
    fn conclude(&self) -> Result<(), CliError> {
        self.console.stop_drawing();
        let (succeeded, failed) =
            (self.tally.succeeded.load(Ordering::Relaxed), self.tally.failed.load(Ordering::Relaxed));
        let bytes = self.tally.bytes.load(Ordering::Relaxed);
        if let Some(error) = self.tally.end.get() {
            return Err(error.clone());
        }
        let left_alone = self.tally.left_alone.load(Ordering::Relaxed);
        let done = succeeded - left_alone;
        let files = if done == 1 { "file" } else { "files" };
        let mut text = format!("{done} {files} {}, {bytes} bytes", self.verb);
        if left_alone > 0 {
            text.push_str(&format!("; {left_alone} left alone"));
        }
        if failed > 0 {
            text.push_str(&format!("; {failed} failed"));
        }
        let mut summary = json!({
            "v": 1, "status": "summary", "operation": self.verb,
            "succeeded": succeeded, "failed": failed, "plaintext_bytes": bytes,
        });
        if left_alone > 0 {
            summary["left_alone"] = json!(left_alone);
        }
        self.console.summary(&text, summary);
        if failed > 0 {
            return Err(CliError::new(Class::Partial, "some files failed"));
        }
        Ok(())
    }
}

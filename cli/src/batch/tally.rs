//! How many inputs came to what, and the summary of that.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::error::{Class, CliError};

/// The counts of a batch.
#[derive(Debug, Default)]
pub(super) struct Tally {
    succeeded: AtomicUsize,
    failed: AtomicUsize,
    bytes: AtomicU64,
    /// Directories, in a tree.
    pub(super) directories: AtomicUsize,
    /// Symbolic links, and further names of a file.
    pub(super) links: AtomicUsize,
    /// Outputs that were as they are to be.
    pub(super) unchanged: AtomicUsize,
    /// What was named and left out.
    pub(super) left_out: AtomicUsize,
    /// What was there to be checked, and not in the sample.
    pub(super) not_drawn: AtomicUsize,
    /// What was removed because its source is gone.
    pub(super) deleted: AtomicUsize,
    /// Temporary files of killed runs that were removed.
    pub(super) leftovers: AtomicUsize,
    /// What interrupted runs have left: the first of it, and how much there is.
    temporaries: Mutex<Option<(PathBuf, usize)>>,
    /// What ends the whole batch.
    end: OnceLock<CliError>,
}

impl Tally {
    /// Counts a success.
    pub(super) fn succeed(&self, bytes: u64) {
        self.succeeded.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a failure.
    pub(super) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many have failed so far.
    pub(super) fn failures(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    /// Counts what an interrupted run has left.
    pub(super) fn leave_temporary(&self, path: &Path) {
        let mut temporaries = self.temporaries.lock().unwrap_or_else(PoisonError::into_inner);
        temporaries.get_or_insert_with(|| (path.to_owned(), 0)).1 += 1;
    }

    /// What interrupted runs have left: the first of it, and how much there is.
    pub(super) fn temporaries(&self) -> Option<(PathBuf, usize)> {
        self.temporaries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the batch; the first error that does so is the result.
    pub(super) fn end(&self, error: CliError) {
        self.end.set(error).ok();
    }

    /// Whether the batch ends here.
    pub(super) fn ended(&self) -> bool {
        self.end.get().is_some()
    }

    /// What ended the whole batch, if anything did.
    pub(super) fn failure_of_all(&self) -> Option<CliError> {
        self.end.get().cloned()
    }

    /// Whether all succeeded.
    pub(super) fn result(&self) -> Result<(), CliError> {
        if self.failures() > 0 { Err(CliError::new(Class::Partial, "some files failed")) } else { Ok(()) }
    }

    /// The counts that there are in trees only, with their names.
    fn of_trees(&self) -> [(&'static str, &'static str, usize); 7] {
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        [
            ("directories", "directories", read(&self.directories)),
            ("links", "links", read(&self.links)),
            ("unchanged", "unchanged", read(&self.unchanged)),
            ("deleted", "deleted", read(&self.deleted)),
            ("left_out", "left out", read(&self.left_out)),
            ("not_drawn", "not in the sample", read(&self.not_drawn)),
            ("leftovers", "leftovers removed", read(&self.leftovers)),
        ]
    }

    /// The line a person reads. What there is none of goes without saying.
    pub(super) fn text(&self, verb: &str) -> String {
        let (succeeded, failed) = (self.succeeded.load(Ordering::Relaxed), self.failures());
        let bytes = self.bytes.load(Ordering::Relaxed);
        let files = if succeeded == 1 { "file" } else { "files" };
        let mut text = format!("{succeeded} {files} {verb}, {bytes} bytes");
        for (_, name, count) in self.of_trees().into_iter().filter(|(.., count)| *count > 0) {
            let name = match (count, name) {
                (1, "directories") => "directory",
                (1, "links") => "link",
                (1, "leftovers removed") => "leftover removed",
                (_, name) => name,
            };
            text.push_str(&format!(", {count} {name}"));
        }
        if failed > 0 {
            text.push_str(&format!("; {failed} failed"));
        }
        text
    }

    /// The object a script reads.
    pub(super) fn json(&self, verb: &str) -> Value {
        let mut summary = json!({
            "v": 1, "status": "summary", "operation": verb,
            "succeeded": self.succeeded.load(Ordering::Relaxed), "failed": self.failures(),
            "plaintext_bytes": self.bytes.load(Ordering::Relaxed),
        });
        if let Some(members) = summary.as_object_mut() {
            members.extend(self.of_trees().into_iter().map(|(member, _, count)| (member.to_owned(), json!(count))));
        }
        summary
    }
}

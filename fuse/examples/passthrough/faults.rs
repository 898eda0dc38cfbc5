//! Faults on demand: what stands on this file system is to be seen on a failing one.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// What fails, as a file says that may change at any time: one `CALL FAULT EVERY` a line, where every so many calls of that
/// name meet the fault.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    file: Option<PathBuf>,
    calls: AtomicU64,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails (EIO).
    Error,
    /// It does half of what it was asked for, and says so.
    Half,
}

impl Faults {
    /// Looks into this file at every call; nothing fails while it is not there.
    pub(crate) fn told_by(file: Option<PathBuf>) -> Self {
        Self { file, calls: AtomicU64::new(0) }
    }

    /// What becomes of this call.
    pub(crate) fn of(&self, call: &str) -> Option<Fault> {
        let told = fs::read_to_string(self.file.as_ref()?).ok()?;
        told.lines().find_map(|line| {
            let (name, rest) = line.split_once(' ')?;
            let (fault, every) = rest.split_once(' ')?;
            let every = every.parse().ok()?;
            let is_met = name == call && self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(every);
            match fault {
                "error" if is_met => Some(Fault::Error),
                "half" if is_met => Some(Fault::Half),
                _ => None,
            }
        })
    }
}

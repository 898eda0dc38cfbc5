//! Files that threads of one command work on: several names may be of one file.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The device and the inode of a file.
type File = (u64, u64);

/// Lets one thread at a time work on a file.
#[derive(Debug, Default)]
pub(super) struct AtWork {
    files: Mutex<HashSet<File>>,
    ended: Condvar,
    /// Files of several names that have been counted.
    counted: Mutex<HashSet<File>>,
}

/// A file that nobody else in this command works on.
#[derive(Debug)]
pub(super) struct Alone<'a> {
    at_work: &'a AtWork,
    file: File,
}

impl AtWork {
    /// Waits until nobody works on a file.
    pub(super) fn begin(&self, file: File) -> Alone<'_> {
        let mut files = self.files();
        while !files.insert(file) {
            files = self.ended.wait(files).unwrap_or_else(PoisonError::into_inner);
        }
        Alone { at_work: self, file }
    }

    /// Whether this is the first time that a file is counted.
    pub(super) fn count(&self, file: File) -> bool {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(file)
    }

    fn files(&self) -> MutexGuard<'_, HashSet<File>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.at_work.files().remove(&self.file);
        self.at_work.ended.notify_all();
    }
}

//! The open files of a mount, and the descriptors on them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use rustix::io::Errno;
use waxseal_envelope::unlock;

use crate::attributes::Below;
use crate::backing;
use crate::open_file::OpenFile;

/// What a descriptor may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Every write waits for the disk (`O_SYNC`, `O_DSYNC`).
    pub(crate) sync: bool,
}

/// A descriptor of a program.
#[derive(Debug)]
pub(crate) struct Handle {
    /// The file's number.
    pub(crate) node: u64,
    /// The file.
    pub(crate) file: Arc<OpenFile>,
    /// What may be done through it.
    pub(crate) access: Access,
}

/// Open files by their number, and descriptors by theirs.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles {
    files: Mutex<HashMap<u64, Entry>>,
    handles: RwLock<HashMap<u64, Arc<Handle>>>,
    last_handle: AtomicU64,
    /// Files that have been closed.
    closed: AtomicU64,
    /// One thread at a time opens one file.
    opening: Mutex<HashMap<u64, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Debug)]
struct Entry {
    file: Arc<OpenFile>,
    handles: usize,
}

impl OpenFiles {
    /// An open file.
    pub(crate) fn get(&self, node: u64) -> Option<Arc<OpenFile>> {
        self.files().get(&node).map(|entry| Arc::clone(&entry.file))
    }

    /// Keeps a file that was opened just now.
    pub(crate) fn insert(&self, node: u64, file: &Arc<OpenFile>) {
        self.files().insert(node, Entry { file: Arc::clone(file), handles: 0 });
    }

    /// What keeps others from opening a file while it is held and locked.
    pub(crate) fn opening(&self, node: u64) -> Arc<tokio::sync::Mutex<()>> {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if opening.len() > 256 {
            opening.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        Arc::clone(opening.entry(node).or_default())
    }

    /// Gives out a descriptor on a file.
    pub(crate) fn add_handle(&self, node: u64, file: Arc<OpenFile>, access: Access) -> u64 {
        if let Some(entry) = self.files().get_mut(&node) {
            entry.handles += 1;
        }
        let number = self.last_handle.fetch_add(1, Ordering::Relaxed) + 1;
        let handle = Arc::new(Handle { node, file, access });
        self.handles.write().unwrap_or_else(PoisonError::into_inner).insert(number, handle);
        number
    }

    /// A descriptor.
    ///
    /// # Errors
    /// `EBADF` if there is none of this number.
    pub(crate) fn handle(&self, number: u64) -> Result<Arc<Handle>, Errno> {
        self.handles.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned().ok_or(Errno::BADF)
    }

    /// Takes a descriptor back. Returns its file's number, and whether it was the last one on it.
    pub(crate) fn remove_handle(&self, number: u64) -> Option<(Arc<Handle>, bool)> {
        let handle = self.handles.write().unwrap_or_else(PoisonError::into_inner).remove(&number)?;
        let mut files = self.files();
        let is_last = match files.get_mut(&handle.node) {
            Some(entry) => {
                entry.handles = entry.handles.saturating_sub(1);
                entry.handles == 0
            }
            None => true,
        };
        drop(files);
        Some((handle, is_last))
    }

    /// All open files, with whether programs have descriptors on them.
    pub(crate) fn all(&self) -> Vec<(u64, Arc<OpenFile>, bool)> {
        self.files().iter().map(|(node, entry)| (*node, Arc::clone(&entry.file), entry.handles > 0)).collect()
    }

    /// How many files have been closed so far: while it stays the same, what was open is open.
    pub(crate) fn closed(&self) -> u64 {
        self.closed.load(Ordering::Acquire)
    }

    /// How many files are open.
    pub(crate) fn len(&self) -> usize {
        self.files().len()
    }

    /// Closes a file that nobody uses, if nothing is left to be done for it or it has no name any more. Returns what it is
    /// like then, unless somebody else has changed it meanwhile, and the time of the last change of attributes that programs
    /// are told.
    pub(crate) fn close_if_done(&self, node: u64) -> Option<(Below, SystemTime)> {
        let mut files = self.files();
        let entry = files.get(&node)?;
        // Whoever uses a file without a descriptor holds it too.
        let unused = entry.handles == 0 && Arc::strong_count(&entry.file) == 1;
        if !unused || !(entry.file.is_unlinked() || entry.file.is_finished() == Some(true)) {
            return None;
        }
        let entry = files.remove(&node)?;
        entry.file.restore_time();
        let below = backing::status(entry.file.file()).ok();
        let below = below.filter(|below| entry.file.is_as_opened(below.stamp()));
        // Its lock is gone before another thread can open it, though somebody may be using the descriptor still.
        unlock(&entry.file.file()).ok();
        self.closed.fetch_add(1, Ordering::AcqRel);
        below.map(|below| (below, entry.file.shown_changed(below.attributes(node).changed)))
    }

    fn files(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Directories in which temporary files are made.
//!
//! Whoever makes some holds the directory meanwhile, by a shared flock(2) of it. So temporary files in a directory that
//! nobody holds have been left by runs that were killed.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::open_directory;
use crate::place::Spot;

/// How often, and how long apart, it is tried to hold a directory that somebody has for himself: clearing it takes no time.
const TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// When there are this many, it is looked for directories that nobody needs any more.
const MANY: usize = 1024;

/// Directories that are held and were not given open.
static HELD: LazyLock<Mutex<HashMap<PathBuf, Weak<OwnedFd>>>> = LazyLock::new(Mutex::default);

/// Holds an open directory, as long as it is open. Where directories cannot be held nothing is ever cleared.
pub(crate) fn hold(directory: impl AsFd) {
    for _ in 0..TRIES {
        match flock(&directory, FlockOperation::NonBlockingLockShared) {
            Err(Errno::WOULDBLOCK) => sleep(BETWEEN_TRIES),
            Err(Errno::INTR) => {}
            Ok(()) | Err(_) => return,
        }
    }
}

/// Has an open directory for oneself, so that nothing in it is in use; false if somebody holds it, or that cannot be told.
/// Then [`hold`] gives it back to all.
pub(crate) fn have_alone(directory: impl AsFd) -> bool {
    flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Holds the directory of `spot` as long as what is returned is there; none if it is given open, and held by whoever opened
/// it, or cannot be read.
pub(super) fn hold_directory_of(spot: &Spot) -> Option<Arc<OwnedFd>> {
    if spot.directory.is_some() {
        return None;
    }
    let path: &Path = spot.folder();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(directory) = held.get(path).and_then(Weak::upgrade) {
        return Some(directory);
    }
    let directory = Arc::new(open_directory(path).ok()?);
    hold(&*directory);
    if held.len() >= MANY {
        held.retain(|_, directory| directory.strong_count() > 0);
    }
    held.insert(path.to_owned(), Arc::downgrade(&directory));
    Some(directory)
}

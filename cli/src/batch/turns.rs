//! How many groups are made durable at the same time.

use std::sync::{Condvar, Mutex, PoisonError};

/// Groups at most. Each may need two descriptors for the directory of each of its outputs, and with the one that is filled
/// [together](super::group::most_files) they leave some for everything else. As many share the work of the disk.
const AT_ONCE: usize = 4;

/// The turns of those who make groups durable.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<usize>,
    free: Condvar,
}

/// A turn, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for a turn.
    pub(super) fn take(&self) -> Turn<'_> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self.free.wait_while(taken, |taken| *taken >= AT_ONCE).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.free.notify_one();
    }
}

//! Long writes that are worked on after whoever wrote them has gone on: few at a time, since each has a thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Threads that are left to others by those who have a write in hand, and by whoever waits for them.
const SPARED_THREADS: usize = 3;

/// Writes in hand at a time, of all files: one that is written below, one that waits for it, one that is encrypted.
const MAX_IN_HAND: usize = 3;

/// How many more may be taken in hand.
#[derive(Debug)]
pub(crate) struct Hands {
    free: Mutex<usize>,
    returned: Condvar,
}

/// A write in hand.
#[derive(Debug)]
pub(crate) struct InHand<'a> {
    hands: &'a Hands,
    of_file: &'a AtomicUsize,
}

impl Hands {
    /// Those of a mount with so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        let free = threads.saturating_sub(SPARED_THREADS).clamp(1, MAX_IN_HAND);
        Self { free: Mutex::new(free), returned: Condvar::new() }
    }

    /// Takes a write in hand. `of_file` counts those of its file: if there are any it is waited for, since they come to an end;
    /// if all are of other files, nothing is returned.
    pub(crate) fn take<'a>(&'a self, of_file: &'a AtomicUsize) -> Option<InHand<'a>> {
        let is_to_wait = |free: &mut usize| *free == 0 && of_file.load(Ordering::Relaxed) > 0;
        let mut free = self.returned.wait_while(self.free(), is_to_wait).unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        of_file.fetch_add(1, Ordering::Relaxed);
        Some(InHand { hands: self, of_file })
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut free = self.hands.free();
        *free += 1;
        self.of_file.fetch_sub(1, Ordering::Relaxed);
        drop(free);
        self.hands.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_waits_for_its_own_writes_and_not_for_those_of_others() {
        let (hands, one, other) = (Hands::new(usize::MAX), AtomicUsize::new(0), AtomicUsize::new(0));
        let held: Vec<_> = (0..MAX_IN_HAND).map(|_| hands.take(&one).unwrap()).collect();
        assert!(hands.take(&other).is_none());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| hands.take(&one).is_some());
            thread::sleep(Duration::from_millis(5));
            assert!(!waiting.is_finished(), "all are in hand");
            drop(held);
            assert!(waiting.join().unwrap());
        });
        assert_eq!(one.load(Ordering::Relaxed), 0);
        assert!(hands.take(&other).is_some());
    }

    #[test]
    fn few_threads_take_few_writes_in_hand() {
        for (threads, expected) in [(1, 1), (2, 1), (4, 1), (5, 2), (6, 3), (100, 3)] {
            let (hands, file) = (Hands::new(threads), AtomicUsize::new(0));
            assert_eq!(*hands.free(), expected, "{threads} threads");
            drop(hands.take(&file));
            assert_eq!(*hands.free(), expected);
        }
    }
}

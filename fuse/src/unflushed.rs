//! What is in memory only, over all files, and the room that is left for it below.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Threads that are left to others by those who work on what programs believe to be taken, and by whoever waits for them.
const SPARED_THREADS: usize = 3;

/// Large writes that are in hand at a time: one that is written below, one that waits for it, one that is encrypted.
const MAX_IN_HAND: usize = 3;

/// Bytes that were taken from programs and not given to the files below.
#[derive(Debug)]
pub(crate) struct Unflushed {
    total: AtomicU64,
    /// How much may still be taken before the room below has to be looked at again.
    credit: AtomicI64,
    /// Whether something was lost, in a file that was closed before anybody was told.
    lost: AtomicBool,
    /// Large writes that more threads may take in hand.
    hands: Mutex<usize>,
    returned: Condvar,
}

/// A large write in hand: whoever wrote it may go on before it is worked on.
#[derive(Debug)]
pub(crate) struct InHand<'a> {
    account: &'a Unflushed,
    of_file: &'a AtomicUsize,
}

impl Unflushed {
    /// Nothing yet, in a mount with so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        let hands = threads.saturating_sub(SPARED_THREADS).clamp(1, MAX_IN_HAND);
        Self {
            total: AtomicU64::new(0),
            credit: AtomicI64::new(0),
            lost: AtomicBool::new(false),
            hands: Mutex::new(hands),
            returned: Condvar::new(),
        }
    }

    /// Takes a large write in hand. `of_file` counts those of its file: if there are any it is waited for, since they come to an
    /// end; if all are of other files, nothing is returned.
    pub(crate) fn take_in_hand<'a>(&'a self, of_file: &'a AtomicUsize) -> Option<InHand<'a>> {
        let is_for_nothing = |hands: &mut usize| *hands == 0 && of_file.load(Ordering::Relaxed) > 0;
        let mut hands = self.returned.wait_while(self.hands(), is_for_nothing).unwrap_or_else(PoisonError::into_inner);
        *hands = hands.checked_sub(1)?;
        of_file.fetch_add(1, Ordering::Relaxed);
        Some(InHand { account: self, of_file })
    }

    fn hands(&self) -> MutexGuard<'_, usize> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes in all files together.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Notes how much one file has in memory now, and had.
    pub(crate) fn change(&self, before: u64, after: u64) {
        if after >= before {
            self.total.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.total.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Notes that something was lost that nobody was told of.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Whether something was lost that nobody was told of.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether there is room for more, where `left` tells the bytes that are free below. It is asked rarely: half of what
    /// was free may be taken until then.
    pub(crate) fn has_room(&self, length: u64, left: impl FnOnce() -> u64) -> bool {
        // Chunks are whole, and tables come on top.
        let needed = length + length / 32 + 3 * 4096;
        let cost = i64::try_from(needed).unwrap_or(i64::MAX);
        if self.credit.fetch_sub(cost, Ordering::Relaxed) >= cost {
            return true;
        }
        let free = left().saturating_sub(self.total() + self.total() / 32);
        self.credit.store(i64::try_from(free / 2).unwrap_or(i64::MAX), Ordering::Relaxed);
        free >= needed
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut hands = self.account.hands();
        *hands += 1;
        self.of_file.fetch_sub(1, Ordering::Relaxed);
        drop(hands);
        self.account.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_waits_for_its_own_writes_and_not_for_those_of_others() {
        let (account, one, other) = (Unflushed::new(usize::MAX), AtomicUsize::new(0), AtomicUsize::new(0));
        let held: Vec<_> = (0..MAX_IN_HAND).map(|_| account.take_in_hand(&one).unwrap()).collect();
        assert!(account.take_in_hand(&other).is_none());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| account.take_in_hand(&one).is_some());
            thread::sleep(Duration::from_millis(5));
            assert!(!waiting.is_finished(), "all are in hand");
            drop(held);
            assert!(waiting.join().unwrap());
        });
        assert_eq!(one.load(Ordering::Relaxed), 0);
        assert!(account.take_in_hand(&other).is_some());
    }

    #[test]
    fn few_threads_take_few_writes_in_hand() {
        for (threads, expected) in [(1, 1), (2, 1), (4, 1), (5, 2), (6, 3), (100, 3)] {
            let (account, file) = (Unflushed::new(threads), AtomicUsize::new(0));
            assert_eq!(*account.hands(), expected, "{threads} threads");
            drop(account.take_in_hand(&file));
            assert_eq!(*account.hands(), expected);
        }
    }
}

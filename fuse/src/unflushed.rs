//! What is in memory only, over all files, and the room that is left for it below.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::in_hand::Hands;

/// Bytes that were taken from programs and not given to the files below.
#[derive(Debug)]
pub(crate) struct Unflushed {
    total: AtomicU64,
    /// How much may still be taken before the room below has to be looked at again.
    credit: AtomicI64,
    /// Whether something was lost, in a file that was closed before anybody was told.
    lost: AtomicBool,
    /// Who may take long writes in hand.
    pub(crate) hands: Hands,
}

impl Unflushed {
    /// Nothing yet, in a mount with so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            total: AtomicU64::new(0),
            credit: AtomicI64::new(0),
            lost: AtomicBool::new(false),
            hands: Hands::new(threads),
        }
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

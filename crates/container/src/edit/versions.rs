//! The versions of a group's chunks that may be on disk, from one barrier to the next.

use crate::table::{Entry, Table, UndoItem};

/// Of each chunk that was changed since the last barrier: every stored version that may be on disk.
///
/// A chunk that is known here has no other version on disk than those listed; one that had no place before has none.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// A bit for each chunk that is known.
    known: u64,
    /// All versions of all chunks, the oldest first.
    items: Vec<UndoItem>,
}

impl Versions {
    /// Whether there is nothing to know.
    pub(super) fn is_empty(&self) -> bool {
        self.known == 0
    }

    /// Whether a chunk was changed since the last barrier.
    pub(super) fn knows(&self, index: usize) -> bool {
        self.known & bit(index) != 0
    }

    /// The versions of a chunk, the oldest first.
    pub(super) fn of(&self, index: usize) -> impl Iterator<Item = &UndoItem> {
        self.items.iter().filter(move |item| usize::from(item.chunk) == index)
    }

    /// How many versions there are of all chunks together.
    pub(super) fn count(&self) -> usize {
        self.items.len()
    }

    /// A chunk is about to change: what is on disk of it until now, unless that is known already.
    pub(super) fn begin(&mut self, index: usize, on_disk: Option<(Entry, usize)>) {
        if !self.knows(index) {
            self.known |= bit(index);
            on_disk.into_iter().for_each(|(entry, length)| self.push(index, entry, length));
        }
    }

    /// A version of a chunk has been written.
    pub(super) fn push(&mut self, index: usize, entry: Entry, length: usize) {
        self.known |= bit(index);
        self.items.push(UndoItem {
            chunk: u8::try_from(index).expect("a group has at most 64 chunks"),
            length: u16::try_from(length).expect("a chunk has at most 4096 bytes"),
            entry,
        });
    }

    /// Forgets a chunk: what is on disk of it does not matter any more.
    pub(super) fn forget(&mut self, index: usize) {
        self.known &= !bit(index);
        self.items.retain(|item| usize::from(item.chunk) != index);
    }

    /// Forgets every chunk from `first` on.
    pub(super) fn forget_from(&mut self, first: usize) {
        self.known &= bit(first).wrapping_sub(1);
        self.items.retain(|item| usize::from(item.chunk) < first);
    }

    /// The versions that are not `current`'s: what undo has to offer, the newest first. A hole needs no undo.
    pub(super) fn undo(&self, current: &Table) -> Vec<UndoItem> {
        let counts = |item: &&UndoItem| {
            let entry = &current.entries[usize::from(item.chunk)];
            !entry.is_hole() && item.entry != *entry
        };
        self.items.iter().rev().filter(counts).copied().collect()
    }

    /// Everything written is on disk: of each chunk only the last version is left, and where that is the current one,
    /// there is nothing to know.
    pub(super) fn at_barrier(&mut self, current: &Table) {
        let mut seen = 0;
        let mut kept: Vec<UndoItem> = Vec::new();
        for item in self.items.iter().rev() {
            let index = usize::from(item.chunk);
            if seen & bit(index) == 0 {
                seen |= bit(index);
                if item.entry == current.entries[index] {
                    self.known &= !bit(index);
                } else {
                    kept.push(*item);
                }
            }
        }
        kept.reverse();
        self.items = kept;
    }
}

/// The bit of a chunk; 0 behind the last one.
fn bit(index: usize) -> u64 {
    u32::try_from(index).ok().and_then(|index| 1u64.checked_shl(index)).unwrap_or(0)
}

//! After an interruption: a container that reads as its rules say is made to say so plainly. And settling (rule W10).

use std::sync::Arc;

use super::batch::Chunks;
use super::{Editor, MAX_CHANGED_TABLES, Page};
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, file_size};
use crate::group::{Version, open_chunk};
use crate::io::{Backing, read_full_at};
use crate::keys::FreshnessHash;
use crate::table::{Entry, Kind, Table};

/// Tables without undo items that are written together.
const CLEANED_AT_ONCE: usize = 64;

/// A chunk whose version on disk has another length than its table gives it: an append over a short tail was cut off, or the
/// cutting of a tail.
struct Misfit {
    group: GroupIndex,
    index: usize,
    entry: Entry,
    stored: usize,
    page: Page,
}

impl<B: Backing> Editor<B> {
    /// Repairs a container whose last writer was interrupted; the reader has found out which groups count and where the
    /// container ends.
    ///
    /// Until its last step every table on disk resolves to the same content as before, so that a second interruption finds
    /// what the first one left.
    pub(super) fn repair(&mut self, root_table: Table) -> Result<(), ContainerError> {
        // What was read may not have reached the disk yet.
        self.container.backing.sync_all().map_err(ContainerError::Write)?;
        let runs = self.container.runs.take().expect("the reader has followed the chain of an interrupted container");
        let end = GroupIndex::of_plaintext(self.root.len.saturating_sub(1));
        let groups: Vec<u64> = runs.iter().flat_map(|(first, last)| *first..=(*last).min(end.0)).collect();
        self.root.floor = self.root.len;
        self.see_root();
        let mut misfits = Vec::new();
        for (at, group) in groups.iter().map(|group| GroupIndex(*group)).enumerate() {
            let loaded = if group == GroupIndex::ROOT { None } else { self.container.load_table(group)? };
            let Some(table) = loaded.as_ref().or((group == GroupIndex::ROOT).then_some(&root_table)) else { continue };
            if let Kind::Group(freshness) = table.kind
                && freshness.generation > self.root.generation
            {
                self.pending.insert(group.0, freshness);
            }
            let next = groups.get(at + 1).copied().unwrap_or(0);
            let first_misfit = misfits.len();
            let repaired = self.resolve(group, table, next, &mut misfits)?;
            if repaired != *table || group == GroupIndex::ROOT {
                self.write_repaired(group, repaired, &misfits[first_misfit..])?;
            }
        }
        self.barrier()?;
        self.clear_the_rest(&groups)?;
        self.rewrite(&misfits)?;
        self.cut_tail(end)
    }

    /// The table as it is to be: every chunk the version that is on disk, the next group that counts, no chunk beyond the
    /// length. What has another length on disk keeps its entry and its undo item, and is added to the misfits.
    fn resolve(
        &self,
        group: GroupIndex,
        table: &Table,
        next: u64,
        misfits: &mut Vec<Misfit>,
    ) -> Result<Table, ContainerError> {
        let mut repaired = table.clone();
        (repaired.next, repaired.undo_next) = (next, None);
        let reach = usize::try_from(self.root.len - group.plaintext_start()).unwrap_or(usize::MAX);
        if reach < table.end as usize {
            repaired.end = u32::try_from(reach).expect("it is below the old end");
            let kept = repaired.chunks();
            repaired.entries[kept..].fill(Entry::HOLE);
        }
        repaired.undo.clear();
        let mut indexes: Vec<usize> = table.undo.iter().map(|item| usize::from(item.chunk)).collect();
        indexes.extend(repaired.chunks().checked_sub(1));
        indexes.sort_unstable();
        indexes.dedup();
        let covered = repaired.chunks();
        for index in indexes.into_iter().filter(|index| *index < covered) {
            let mut page: Page = Box::new([0; CHUNK_LEN]);
            let read = read_full_at(&self.container.backing, page.as_mut_slice(), group.chunk_offset(index));
            let data = &mut page[..read.map_err(ContainerError::Read)?];
            let (entry, stored) = match open_chunk(&self.container.unlocked.keys, group, table, index, data, false)? {
                Version::Current => (table.entries[index], table.stored_len(index)),
                Version::Earlier(entry, stored) => (entry, stored),
                // Damage below the floor stays as it is, and is reported by whoever reads it.
                Version::None => continue,
            };
            let is_last = index + 1 == covered;
            if entry.is_hole() || (stored == CHUNK_LEN && !is_last) {
                repaired.entries[index] = entry;
            } else if is_last && stored <= table.stored_len(index) {
                // Its stored length is what `end` says; where that lies beyond the length, it is cut below.
                repaired.entries[index] = entry;
                repaired.end = u32::try_from(index * CHUNK_LEN + stored).expect("it lies within the group");
            } else {
                misfits.push(Misfit { group, index, entry, stored, page });
            }
        }
        Ok(repaired)
    }

    /// Writes a repaired table. The root comes first and is waited for: it holds the length that was found.
    fn write_repaired(&mut self, group: GroupIndex, table: Table, misfits: &[Misfit]) -> Result<(), ContainerError> {
        self.container.tables.pin(group.0, Arc::new(table));
        self.table_mut(group)?;
        for misfit in misfits {
            self.changed_mut(group).versions.begin(misfit.index, Some((misfit.entry, misfit.stored)));
        }
        self.write_table(group)?;
        if group == GroupIndex::ROOT || self.changed.len() >= MAX_CHANGED_TABLES { self.barrier() } else { Ok(()) }
    }

    /// R9 and R10: clears what belongs to no chunk. Tables that nothing refers to go with it.
    fn clear_the_rest(&mut self, groups: &[u64]) -> Result<(), ContainerError> {
        let size = file_size(self.root.len);
        for (at, group) in groups.iter().map(|group| GroupIndex(*group)).enumerate() {
            let Some(table) = self.container.table(group)? else { continue };
            let holes = (0..table.chunks()).filter(|index| table.entries[*index].is_hole());
            for index in holes {
                let place = group.chunk_offset(index);
                self.zero(place, (CHUNK_LEN as u64).min(size.saturating_sub(place)))?;
            }
            let covered = group.chunk_offset(0) + u64::from(table.end);
            let next = groups.get(at + 1).map_or(size, |next| GroupIndex(*next).table_offset());
            if covered < next.min(size) {
                self.zero(covered, next.min(size) - covered)?;
            }
        }
        self.barrier()
    }

    /// Stores chunks of the wrong length anew, as any overwrite.
    fn rewrite(&mut self, misfits: &[Misfit]) -> Result<(), ContainerError> {
        let chunks: Chunks<'_> =
            misfits.iter().map(|misfit| (misfit.group.chunk_number(misfit.index), &*misfit.page)).collect();
        if chunks.is_empty() { Ok(()) } else { self.write_batch(chunks, self.root.len, None) }
    }

    /// W10, first step to settle: tables without undo items, now that all data is on disk. Returns whether there were any.
    pub(super) fn write_clean_tables(&mut self) -> Result<bool, ContainerError> {
        let groups: Vec<GroupIndex> =
            self.unclean.iter().filter(|group| **group != 0).copied().map(GroupIndex).collect();
        // A few at a time: what is asked for is pinned.
        for groups in groups.chunks(CLEANED_AT_ONCE) {
            groups.iter().try_for_each(|group| self.table_mut(*group).map(|_| ()))?;
            self.write_tables(groups.iter().copied())?;
        }
        Ok(!groups.is_empty())
    }

    /// W10, last step to settle: a root that commits to all tables.
    pub(super) fn write_settled_root(&mut self) -> Result<(), ContainerError> {
        (self.root.floor, self.root.high) = (self.root.len, self.root.len);
        let mut hash = self.root.hash;
        for (group, freshness) in std::mem::take(&mut self.pending) {
            let keys = &self.container.unlocked.keys;
            keys.toggle_table(&mut hash, group, freshness.base);
            keys.toggle_table(&mut hash, group, freshness.id);
        }
        (self.root.hash, self.root.settled) = (hash, true);
        self.root.generation += 1;
        self.write_root()
    }

    /// Takes a table out of a commitment, or puts it in.
    pub(super) fn toggle_counted(&self, hash: &mut FreshnessHash, group: u64, table: &Table) {
        if let Kind::Group(freshness) = table.kind {
            let counts = freshness.generation <= self.root.generation;
            let id = if counts { freshness.id } else { freshness.base };
            self.container.unlocked.keys.toggle_table(hash, group, id);
        }
    }
}

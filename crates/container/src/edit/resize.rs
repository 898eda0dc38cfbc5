//! Changing the length: rules W7 and W8.

use super::rules::Rule;
use super::tables::durable_version;
use super::{Editor, Page};
use crate::chain::missing;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, chunk_of, place_of};
use crate::io::Backing;
use crate::table::Entry;

/// The chunk in which a container is cut.
struct Tail {
    index: usize,
    page: Page,
    length: usize,
}

impl<B: Backing> Editor<B> {
    /// Sets the length of what has been flushed.
    pub(super) fn resize(&mut self, len: u64) -> Result<(), ContainerError> {
        if len == self.root.len {
            return Ok(());
        }
        // What is in flight has to arrive before the floor may pass it.
        if self.root.floor != self.root.len || self.durable_floor != self.root.len {
            self.barrier_for(Rule::FlightBeforeFloor)?;
            self.root.floor = self.root.len;
        }
        if len > self.root.len { self.grow(len) } else { self.shrink(len) }
    }

    /// W7.
    fn grow(&mut self, len: u64) -> Result<(), ContainerError> {
        if self.shrunk {
            self.barrier_for(Rule::CutBeforeGrowth)?;
        }
        self.unsettle()?;
        // The size first: where the storage refuses it, the root does not promise it.
        let before = self.root;
        (self.root.len, self.root.floor, self.root.high) = (len, len, self.root.high.max(len));
        if let Err(error) = self.set_file_size() {
            self.root = before;
            return Err(error);
        }
        self.write_root()
    }

    /// W8.
    fn shrink(&mut self, len: u64) -> Result<(), ContainerError> {
        let last = GroupIndex::of_plaintext(len.saturating_sub(1));
        let tail = self.tail(last, len)?;
        self.root.hash = if len == 0 { [0; 16] } else { self.hash_up_to(last)? };
        self.root.settled = false;
        (self.root.high, self.root.len, self.root.floor) = (self.root.high.max(self.root.len), len, len);
        if len == 0 {
            let table = self.table_mut(GroupIndex::ROOT)?;
            (table.end, table.next) = (0, 0);
            table.entries.fill(Entry::HOLE);
            self.changed_mut(GroupIndex::ROOT).versions.forget_from(0);
        }
        self.write_root()?;
        self.barrier_for(Rule::RootBeforeTableCut)?;

        self.forget_behind(last);
        if len > 0 {
            self.cut_last_table(last, len, tail)?;
        }
        self.set_file_size()?;
        self.shrunk = true;
        Ok(())
    }

    /// The chunk that the new end cuts, read before anything changes.
    fn tail(&self, last: GroupIndex, len: u64) -> Result<Option<Tail>, ContainerError> {
        let (number, length) = chunk_of(len);
        let (group, index) = place_of(number);
        if length == 0 || group != last {
            return Ok(None);
        }
        let Some(table) = self.container.table(last)? else { return Ok(None) };
        if index >= table.chunks() || table.entries[index].is_hole() || table.stored_len(index) <= length {
            return Ok(None);
        }
        let mut page: Page = Box::new([0; CHUNK_LEN]);
        self.read_clean(page.as_mut_slice(), number * CHUNK_LEN as u64)?;
        Ok(Some(Tail { index, page, length }))
    }

    /// The commitment to the tables without those behind `last`.
    fn hash_up_to(&self, last: GroupIndex) -> Result<[u8; 16], ContainerError> {
        let mut hash = self.root.hash;
        let (_, mut link) = self.last_link(last)?;
        while link != 0 {
            let table = self.container.table(GroupIndex(link))?.ok_or_else(|| missing(GroupIndex(link)))?;
            self.toggle_counted(&mut hash, link, &table);
            link = table.next;
        }
        Ok(hash)
    }

    /// The nearest group up to `last` that has a table, and the group behind it.
    fn last_link(&self, last: GroupIndex) -> Result<(GroupIndex, u64), ContainerError> {
        let group = if self.container.table(last)?.is_some() { last } else { self.predecessor(last)? };
        let next = self.container.table(group)?.map_or(0, |table| table.next);
        Ok((group, next))
    }

    fn forget_behind(&mut self, last: GroupIndex) {
        let first_gone = last.0 + 1;
        self.container.tables.forget_from(first_gone);
        self.changed.retain(|group, _| *group < first_gone);
        self.pending.retain(|group, _| *group < first_gone);
        self.unclean.retain(|group| *group < first_gone);
    }

    /// After an interruption: cuts what the last table still has beyond the length.
    pub(super) fn cut_tail(&mut self, last: GroupIndex) -> Result<(), ContainerError> {
        let len = self.root.len;
        if len > 0 {
            let tail = self.tail(last, len)?;
            self.cut_last_table(last, len, tail)?;
        }
        self.set_file_size()
    }

    /// Cuts the last table to the new length, and its last chunk with it.
    fn cut_last_table(&mut self, last: GroupIndex, len: u64, tail: Option<Tail>) -> Result<(), ContainerError> {
        let (linking, _) = self.last_link(last)?;
        let table = self.table_mut(linking)?;
        let mut changes = std::mem::replace(&mut table.next, 0) != 0;
        let local = usize::try_from(len - linking.plaintext_start()).unwrap_or(usize::MAX);
        if local < table.end as usize {
            changes = true;
            let kept = local.div_ceil(CHUNK_LEN);
            let before = tail.as_ref().map(|tail| durable_version(table, tail.index, true));
            table.end = u32::try_from(local).expect("it is below the old end");
            table.entries[kept..].fill(Entry::HOLE);
            let versions = &mut self.changed_mut(linking).versions;
            versions.forget_from(kept);
            if let (Some(tail), Some(before)) = (&tail, before) {
                versions.begin(tail.index, before);
            }
        }
        let Some(Tail { index, mut page, length }) = tail else {
            if changes {
                self.write_table(linking)?;
            }
            return self.barrier();
        };
        let entry = self.seal_chunk(linking, index, &mut page, length)?;
        self.table_mut(linking)?.entries[index] = entry;
        self.write_table(linking)?;
        self.barrier_for(Rule::TableBeforeTail)?;
        self.write(&page[..length], linking.chunk_offset(index))?;
        self.changed_mut(linking).versions.push(index, entry, length);
        self.barrier_for(Rule::TailBeforeCut)
    }
}

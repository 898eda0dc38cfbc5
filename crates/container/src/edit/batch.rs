//! Writing a batch of chunks: rules W1 to W3, W5, W6 and W10.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::Rule;
use super::tables::durable_versions;
use super::{Editor, MAX_CHANGED_TABLES, Page, place_of};
use crate::chain::missing;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex};
use crate::io::{Backing, read_full_at};
use crate::table::{Entry, undo_room};

/// Bytes of chunks that go to the backing in one call.
const MAX_RUN_LEN: usize = 1 << 20;

/// A chunk on its way to the backing, encrypted.
struct Outgoing {
    group: GroupIndex,
    index: usize,
    entry: Entry,
    page: Page,
    length: usize,
}

impl<B: Backing> Editor<B> {
    /// Writes chunks, and extends the container to `new_len` if it is shorter.
    pub(super) fn write_batch(&mut self, dirty: &BTreeMap<u64, Page>, new_len: u64) -> Result<(), ContainerError> {
        let new_len = new_len.max(self.root.len);
        // W8: what was cut off must be gone before something else grows there.
        if new_len > self.root.len && self.shrunk {
            self.barrier_for(Rule::CutBeforeGrowth)?;
        }
        if self.changed.len() >= MAX_CHANGED_TABLES {
            self.barrier()?;
        }
        let mut chunks: BTreeMap<u64, Page> = dirty.iter().map(|(number, page)| (*number, page.clone())).collect();
        self.complete_tails(&mut chunks)?;
        self.settle_before_gaps(&chunks)?;
        self.unsettle_for(&chunks, new_len)?;
        self.prepare_links(&chunks)?;
        self.make_room_for_undo(&chunks)?;

        let (outgoing, touched) = self.enter(chunks, new_len)?;
        let at_stake = outgoing.iter().any(|chunk| {
            let versions = &self.changed[&chunk.group.0].versions[&chunk.index];
            versions.iter().any(|(entry, _)| !entry.is_hole())
        });
        let grows = new_len > self.root.len;
        (self.root.len, self.root.high) = (new_len, self.root.high.max(new_len));
        for group in touched {
            self.write_table(group)?;
        }
        self.see_root();
        if grows {
            self.set_file_size()?;
        }
        if at_stake {
            self.barrier_for(Rule::TableBeforeOverwrite)?;
        }
        self.write_chunks(&outgoing)
    }

    /// W2: a short tail is stored in full when its group gets later chunks.
    fn complete_tails(&self, chunks: &mut BTreeMap<u64, Page>) -> Result<(), ContainerError> {
        let highest: BTreeMap<u64, u64> = chunks.keys().map(|number| (place_of(*number).0.0, *number)).collect();
        for (group, highest) in highest {
            let Some(table) = self.container.table(GroupIndex(group))? else { continue };
            if (table.end as usize).is_multiple_of(CHUNK_LEN) {
                continue;
            }
            let tail = GroupIndex(group).chunk_number(table.chunks() - 1);
            if tail < highest && !chunks.contains_key(&tail) {
                let mut page: Page = Box::new([0; CHUNK_LEN]);
                self.read_clean(page.as_mut_slice(), tail * CHUNK_LEN as u64)?;
                chunks.insert(tail, page);
            }
        }
        Ok(())
    }

    /// W6: what fills a gap below the length must not be taken for an append that is in flight.
    fn settle_before_gaps(&mut self, chunks: &BTreeMap<u64, Page>) -> Result<(), ContainerError> {
        let len = self.root.len;
        if self.root.floor == len && self.durable_floor == len {
            return Ok(());
        }
        let page = CHUNK_LEN as u64;
        for number in chunks.keys().copied().take_while(|number| number * page < len) {
            let (group, index) = place_of(number);
            let is_gap = self.container.table(group)?.is_none_or(|table| {
                let covered = group.plaintext_start() + u64::from(table.end);
                index >= table.chunks() || table.entries[index].is_hole() || covered < len.min((number + 1) * page)
            });
            if is_gap {
                self.barrier_for(Rule::FlightBeforeGap)?;
                (self.root.floor, self.root.high) = (len, len);
                self.write_root()?;
                return self.barrier_for(Rule::FlightBeforeGap);
            }
        }
        Ok(())
    }

    /// W10, where the batch does not come to it by itself: an overwrite within group 0 waits for the root, which is group
    /// 0's table, before it writes data.
    fn unsettle_for(&mut self, chunks: &BTreeMap<u64, Page>, new_len: u64) -> Result<(), ContainerError> {
        let root = self.container.table(GroupIndex::ROOT)?.ok_or_else(|| missing(GroupIndex::ROOT))?;
        let overwrites = chunks.keys().any(|number| {
            let (group, index) = place_of(*number);
            group == GroupIndex::ROOT && !root.entries[index].is_hole()
        });
        let within_root = chunks.keys().all(|number| place_of(*number).0 == GroupIndex::ROOT);
        if self.root.settled && within_root && overwrites && new_len == self.root.len {
            self.root.settled = false;
        }
        self.unsettle()
    }

    /// W5: a link changes once between barriers, and a new table's page is zero before.
    fn prepare_links(&mut self, chunks: &BTreeMap<u64, Page>) -> Result<(), ContainerError> {
        let groups: BTreeSet<GroupIndex> = chunks.keys().map(|number| place_of(*number).0).collect();
        let mut must_wait = false;
        for group in groups {
            if self.container.table(group)?.is_some() {
                continue;
            }
            let before = self.predecessor(group)?;
            let next = self.container.table(before)?.map(|table| table.next);
            must_wait |= self.changed.get(&before.0).is_some_and(|changed| Some(changed.durable_next) != next);
            let mut page = vec![0; group.table_len()];
            let read = read_full_at(&self.container.backing, &mut page, group.table_offset());
            if page[..read.map_err(ContainerError::Read)?].iter().any(|byte| *byte != 0) {
                self.zero(group.table_offset(), group.table_len() as u64)?;
                must_wait = true;
            }
        }
        if must_wait { self.barrier_for(Rule::LinkBeforeLink) } else { Ok(()) }
    }

    /// W3: where a table would have more undo items than it has room for, a barrier leaves one of each chunk at most.
    fn make_room_for_undo(&mut self, chunks: &BTreeMap<u64, Page>) -> Result<(), ContainerError> {
        let mut items: BTreeMap<GroupIndex, usize> = BTreeMap::new();
        for number in chunks.keys() {
            let (group, index) = place_of(*number);
            let changed = self.changed.get(&group.0);
            // A chunk that is not known to have changed has one version on disk.
            let count = changed.and_then(|changed| changed.versions.get(&index)).map_or(1, Vec::len);
            *items.entry(group).or_default() += count;
        }
        for (group, count) in &mut items {
            let Some(changed) = self.changed.get(&group.0) else { continue };
            let others =
                changed.versions.iter().filter(|(index, _)| !chunks.contains_key(&group.chunk_number(**index)));
            *count += others.map(|(_, versions)| versions.len()).sum::<usize>();
        }
        let crowded = items.iter().any(|(group, count)| *count > undo_room(*group));
        if crowded { self.barrier() } else { Ok(()) }
    }

    /// Enters new versions into their tables, in memory. Returns the encrypted chunks, and the tables to write.
    fn enter(
        &mut self,
        chunks: BTreeMap<u64, Page>,
        new_len: u64,
    ) -> Result<(Vec<Outgoing>, BTreeSet<GroupIndex>), ContainerError> {
        let old_len = self.root.len;
        // The root's lengths and its flag stand in table 0.
        let mut touched = BTreeSet::from([GroupIndex::ROOT]);
        self.table_mut(GroupIndex::ROOT)?;
        let mut outgoing = Vec::with_capacity(chunks.len());
        for (number, mut page) in chunks {
            let (group, index) = place_of(number);
            if self.container.tables.pinned(group.0).is_none() && self.container.table(group)?.is_none() {
                touched.insert(self.create_table(group)?);
            }
            touched.insert(group);
            let table = self.table_mut(group)?;
            let before = durable_versions(table, index, number * (CHUNK_LEN as u64) < old_len);
            let reach = new_len - group.plaintext_start();
            let end = usize::try_from(reach).unwrap_or(usize::MAX).min((index + 1) * CHUNK_LEN);
            table.end = table.end.max(u32::try_from(end).expect("a group holds at most 262144 bytes"));
            let length = table.stored_len(index);
            let entry = self.seal_chunk(group, index, &mut page, length)?;
            self.table_mut(group)?.entries[index] = entry;
            self.changed_mut(group).versions.entry(index).or_insert(before);
            outgoing.push(Outgoing { group, index, entry, page, length });
        }
        Ok((outgoing, touched))
    }

    /// Writes encrypted chunks to their places, neighbours in one call.
    fn write_chunks(&mut self, outgoing: &[Outgoing]) -> Result<(), ContainerError> {
        let place = |chunk: &Outgoing| chunk.group.chunk_offset(chunk.index);
        for run in outgoing.chunk_by(|one, next| place(one) + CHUNK_LEN as u64 == place(next)) {
            for run in run.chunks(MAX_RUN_LEN / CHUNK_LEN) {
                let bytes: Vec<u8> = run.iter().flat_map(|chunk| &chunk.page[..chunk.length]).copied().collect();
                self.write(&bytes, place(&run[0]))?;
                for chunk in run {
                    let versions = self.changed_mut(chunk.group).versions.entry(chunk.index).or_default();
                    versions.push((chunk.entry, chunk.length));
                }
            }
        }
        Ok(())
    }
}

//! What a batch has to wait for before its tables go out: rules W3, W5, W6, W8 and W10.

use super::batch::by_group;
use super::rules::Rule;
use super::{Editor, MAX_CHANGED_TABLES};
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, place_of};
use crate::io::{Backing, read_full_at};
use crate::table::undo_room;

/// What making tables for new groups takes.
struct NewTables {
    /// Groups whose page is not zero yet.
    not_zero: Vec<GroupIndex>,
    /// Whether a link would change twice between barriers.
    links_twice: bool,
}

impl<B: Backing> Editor<B> {
    /// Whether [`Editor::flush`], called now, would wait for the storage: because it overwrites data, or because
    /// something before it has to reach the disk first. New chunks of a container that is not settled need no barrier.
    ///
    /// # Errors
    /// A table on the way is damaged; reading fails.
    pub fn needs_barrier(&self) -> Result<bool, ContainerError> {
        if self.broken {
            return Ok(true);
        }
        if self.dirty.is_empty() {
            return Ok(self.len != self.root.len && self.resizing_waits(self.root.len));
        }
        let len = self.batch_len();
        Ok((self.len > len && self.resizing_waits(len))
            || self.batch_waits(self.dirty.keys().copied().collect(), len)?)
    }

    /// Whether writing chunks of these numbers, which ascend, waits for the storage.
    pub(super) fn batch_waits(&self, numbers: Vec<u64>, new_len: u64) -> Result<bool, ContainerError> {
        if self.root.settled || (new_len > self.root.len && self.shrunk) || self.has_too_many_changes() {
            return Ok(true);
        }
        let numbers = self.with_short_tails(numbers)?;
        Ok(self.overwrites(&numbers)?
            || self.fills_gap(&numbers)?
            || self.is_crowded(&numbers)
            || self.new_tables(&numbers)?.must_wait())
    }

    /// Adds the short tails that are written together with chunks of these numbers.
    pub(super) fn with_short_tails(&self, mut numbers: Vec<u64>) -> Result<Vec<u64>, ContainerError> {
        self.will_read_tables(&numbers);
        let tails = self.short_tails(&numbers)?;
        numbers.extend(tails);
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The length that the container has after a flush's batch of chunks.
    pub(super) fn batch_len(&self) -> u64 {
        let reach = self.dirty.last_key_value().map_or(0, |(last, _)| (last + 1) * CHUNK_LEN as u64);
        self.root.len.max(self.len.min(reach))
    }

    /// Waits for whatever chunks of these numbers have to wait for before their tables are written.
    pub(super) fn make_way(&mut self, numbers: &[u64], new_len: u64) -> Result<(), ContainerError> {
        // W8: what was cut off must be gone before something else grows there.
        if new_len > self.root.len && self.shrunk {
            self.barrier_for(Rule::CutBeforeGrowth)?;
        }
        if self.has_too_many_changes() {
            self.barrier()?;
        }
        // W6: what fills a gap below the length must not be taken for an append that is in flight.
        if self.fills_gap(numbers)? {
            self.barrier_for(Rule::FlightBeforeGap)?;
            (self.root.floor, self.root.high) = (self.root.len, self.root.len);
            self.write_root()?;
            self.barrier_for(Rule::FlightBeforeGap)?;
        }
        if self.unsettle_for(numbers, new_len)? {
            self.barrier_for(Rule::UnsettledBeforeChange)?;
        }
        // W5: a link changes once between barriers, and a new table's page is zero before.
        let new_tables = self.new_tables(numbers)?;
        for group in &new_tables.not_zero {
            self.zero(group.table_offset(), group.table_len() as u64)?;
        }
        if new_tables.must_wait() {
            self.barrier_for(Rule::LinkBeforeLink)?;
        }
        // W3: a barrier leaves one undo item of each chunk at most.
        if self.is_crowded(numbers) { self.barrier() } else { Ok(()) }
    }

    /// Whether changing the length from `len` waits for a barrier first.
    fn resizing_waits(&self, len: u64) -> bool {
        self.root.settled || self.shrunk || self.root.floor != len || self.durable_floor != len
    }

    fn has_too_many_changes(&self) -> bool {
        self.changed.len() >= MAX_CHANGED_TABLES
    }

    /// Whether a chunk lies in a gap below a length that is not durable: W6.
    fn fills_gap(&self, numbers: &[u64]) -> Result<bool, ContainerError> {
        let len = self.root.len;
        if self.root.floor == len && self.durable_floor == len {
            return Ok(false);
        }
        let page = CHUNK_LEN as u64;
        for (group, numbers) in by_group(numbers) {
            if group.plaintext_start() >= len {
                break;
            }
            let table = self.container.table(group)?;
            let is_gap = |number: &u64| {
                let index = place_of(*number).1;
                table.as_ref().is_none_or(|table| {
                    let covered = group.plaintext_start() + u64::from(table.end);
                    index >= table.chunks() || table.entries[index].is_hole() || covered < len.min((number + 1) * page)
                })
            };
            if numbers.iter().take_while(|number| **number * page < len).any(is_gap) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the groups that have no table yet ask for.
    fn new_tables(&self, numbers: &[u64]) -> Result<NewTables, ContainerError> {
        let mut found = NewTables { not_zero: Vec::new(), links_twice: false };
        for (group, _) in by_group(numbers) {
            if self.container.table(group)?.is_some() {
                continue;
            }
            let before = self.predecessor(group)?;
            let next = self.container.table(before)?.map(|table| table.next);
            found.links_twice |= self.changed.get(&before.0).is_some_and(|changed| Some(changed.durable_next) != next);
            let mut page = vec![0; group.table_len()];
            let read = read_full_at(&self.container.backing, &mut page, group.table_offset());
            if page[..read.map_err(ContainerError::Read)?].iter().any(|byte| *byte != 0) {
                found.not_zero.push(group);
            }
        }
        Ok(found)
    }

    /// Whether a table would have more undo items than it has room for: W3.
    fn is_crowded(&self, numbers: &[u64]) -> bool {
        by_group(numbers).any(|(group, numbers)| {
            let versions = self.changed.get(&group.0).map(|changed| &changed.versions);
            let known = versions.map_or(0, |versions| versions.count());
            // A chunk that is not known to have changed has one version on disk.
            let is_new = |number: &&u64| versions.is_none_or(|versions| !versions.knows(place_of(**number).1));
            known + numbers.iter().filter(is_new).count() > undo_room(group)
        })
    }
}

impl NewTables {
    fn must_wait(&self) -> bool {
        self.links_twice || !self.not_zero.is_empty()
    }
}

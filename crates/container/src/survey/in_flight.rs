//! What an interrupted writer had begun, and how far it came (SPEC.md, "Reading", R2 to R4).

use std::ops::Range;

use super::MAX_PARTS;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex};
use crate::group::{Version, bad_chunk, open_chunk};
use crate::io::{ReadAt, read_full_at};
use crate::random::Container;
use crate::table::Table;

/// The traces of an interrupted writer. None of it is damage: every chunk is whole, in its old version or its new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// Length of the plaintext that the writer had noted last, in bytes.
    pub recorded_len: u64,
    /// What lies below had certainly reached the disk, in bytes.
    pub durable_len: u64,
    /// Length of the plaintext as it can be read, in bytes; a repair leaves it so.
    pub plaintext_len: u64,
    /// Bytes in flight that are as they were before.
    pub old: u64,
    /// Bytes in flight that are as the writer wanted them.
    pub new: u64,
    /// What was in flight, in order, the first 10000 parts; those that lie side by side and hold the same are one.
    pub parts: Vec<InFlight>,
}

/// A part of the plaintext that was being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// Its bytes.
    pub plaintext: Range<u64>,
    /// What they hold now.
    pub holds: Holds,
}

/// Which content a part has that was being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// That from before.
    Old,
    /// What was being written.
    New,
}

impl<B: ReadAt> Container<B> {
    /// What its interrupted writer had begun; `None` if there was none. Where each chunk went is looked up, once, for
    /// those that were in flight only.
    ///
    /// # Errors
    /// A table or chunk on the way is damaged; reading fails.
    pub fn interruption(&self) -> Result<Option<Interruption>, ContainerError> {
        let Some(runs) = &self.runs else { return Ok(None) };
        let mut found = Interruption {
            recorded_len: self.bounds.len,
            durable_len: self.bounds.floor,
            plaintext_len: self.len,
            old: 0,
            new: 0,
            parts: Vec::new(),
        };
        for group in runs.iter().flat_map(|(first, last)| *first..=*last).map(GroupIndex) {
            if group.plaintext_start() >= self.len {
                break;
            }
            if let Some(table) = self.load_table(group)? {
                self.add_in_flight(group, &table, &mut found)?;
            }
        }
        Ok(Some(found))
    }

    /// Adds what was in flight in one group: chunks with undo items, and what lies above the floor.
    fn add_in_flight(&self, group: GroupIndex, table: &Table, found: &mut Interruption) -> Result<(), ContainerError> {
        for index in 0..table.chunks() {
            let start = group.plaintext_start() + (index * CHUNK_LEN) as u64;
            let end = self.len.min(start + CHUNK_LEN as u64);
            if start >= end {
                break;
            }
            if table.undo.iter().any(|item| usize::from(item.chunk) == index) {
                found.add(start..end, self.holds(group, table, index)?);
            } else if end > self.bounds.floor && !table.entries[index].is_hole() {
                found.add(start.max(self.bounds.floor)..end, Holds::New);
            }
        }
        Ok(())
    }

    /// Finds out which version of a chunk is on disk.
    fn holds(&self, group: GroupIndex, table: &Table, index: usize) -> Result<Holds, ContainerError> {
        let mut page = [0; CHUNK_LEN];
        let read = read_full_at(&self.backing, &mut page, group.chunk_offset(index)).map_err(ContainerError::Read)?;
        match open_chunk(&self.unlocked.keys, group, table, index, &mut page[..read], false)? {
            Version::Current => Ok(Holds::New),
            Version::Earlier(..) => Ok(Holds::Old),
            Version::None => Err(bad_chunk(group, table, index, index * CHUNK_LEN + read)),
        }
    }
}

impl Interruption {
    fn add(&mut self, plaintext: Range<u64>, holds: Holds) {
        let bytes = plaintext.end - plaintext.start;
        match holds {
            Holds::Old => self.old += bytes,
            Holds::New => self.new += bytes,
        }
        let room = self.parts.len() < MAX_PARTS;
        match self.parts.last_mut() {
            Some(last) if last.plaintext.end == plaintext.start && last.holds == holds => {
                last.plaintext.end = plaintext.end;
            }
            _ if room => self.parts.push(InFlight { plaintext, holds }),
            _ => {}
        }
    }
}

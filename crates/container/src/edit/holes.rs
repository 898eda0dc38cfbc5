//! Holes: making them (rule W9) and finding them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Editor;
use super::rules::Rule;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, chunk_of, place_of};
use crate::io::Backing;
use crate::table::Entry;

impl<B: Backing> Editor<B> {
    /// Makes `length` bytes from `offset` on read as zeros, and gives back the space of whole chunks. The length stays.
    ///
    /// # Errors
    /// A chunk that is zeroed in part is damaged; the storage fails.
    pub fn punch_hole(&mut self, offset: u64, length: u64) -> Result<(), ContainerError> {
        let end = offset.saturating_add(length).min(self.len());
        if offset >= end {
            return Ok(());
        }
        let page = CHUNK_LEN as u64;
        let first = offset.div_ceil(page);
        // The last chunk is whole if nothing of the file lies behind it.
        let last = if end == self.len() { end.div_ceil(page) } else { end / page };
        if first >= last {
            return self.write_zeros(offset..end);
        }
        self.write_zeros(offset..(first * page).min(end))?;
        self.write_zeros((last * page).min(end)..end)?;
        // What is in memory of the range goes down too: if the hole cannot be made, it is still there.
        self.flush()?;
        let result = self.protected(|editor| editor.punch(first..last.min(editor.root.len.div_ceil(page))));
        self.mend_after(result)
    }

    /// Makes `length` bytes from `offset` on read as zeros, and extends the file to their end if it is shorter.
    ///
    /// # Errors
    /// As [`Editor::punch_hole`] and [`Editor::set_len`].
    pub fn zero_range(&mut self, offset: u64, length: u64) -> Result<(), ContainerError> {
        let end = offset.checked_add(length).ok_or(ContainerError::TooLong)?;
        if end > self.len() {
            self.set_len(end)?;
        }
        self.punch_hole(offset, length)
    }

    /// The first offset from `offset` on that holds data (lseek(2), SEEK_DATA); `None` if there is none.
    ///
    /// # Errors
    /// A table on the way is damaged; reading fails.
    pub fn seek_data(&self, offset: u64) -> Result<Option<u64>, ContainerError> {
        self.container.seek_data_in(offset, self.len(), &self.dirty)
    }

    /// The first offset from `offset` on that lies in a hole (lseek(2), SEEK_HOLE); the end counts as one. `None` beyond it.
    ///
    /// # Errors
    /// A table on the way is damaged; reading fails.
    pub fn seek_hole(&self, offset: u64) -> Result<Option<u64>, ContainerError> {
        self.container.seek_hole_in(offset, self.len(), &self.dirty)
    }

    fn write_zeros(&mut self, range: Range<u64>) -> Result<(), ContainerError> {
        static ZEROS: [u8; CHUNK_LEN] = [0; CHUNK_LEN];
        let mut offset = range.start;
        while offset < range.end {
            let (_, within) = chunk_of(offset);
            let piece = usize::try_from(range.end - offset).unwrap_or(usize::MAX).min(CHUNK_LEN - within);
            self.write_at(&ZEROS[..piece], offset)?;
            offset += piece as u64;
        }
        Ok(())
    }

    /// W9: the tables say so first, then the bytes go.
    fn punch(&mut self, chunks: Range<u64>) -> Result<(), ContainerError> {
        let (touched, places) = self.enter_holes(chunks)?;
        if touched.is_empty() {
            return Ok(());
        }
        self.unsettle()?;
        for group in touched {
            self.table_mut(group)?;
            self.write_table(group)?;
        }
        self.see_root();
        self.barrier_for(Rule::TableBeforePunch)?;
        for place in places {
            self.zero(place.start, place.end - place.start)?;
        }
        Ok(())
    }

    /// Enters holes into the tables, in memory. Returns the tables to write, and the places in the file to clear.
    fn enter_holes(&mut self, chunks: Range<u64>) -> Result<(BTreeSet<GroupIndex>, Vec<Range<u64>>), ContainerError> {
        let (mut touched, mut places) = (BTreeSet::new(), Vec::<Range<u64>>::new());
        let mut number = chunks.start;
        while number < chunks.end {
            let (group, index) = place_of(number);
            let Some(table) = self.container.table(group)? else {
                number = self.container.behind_hole(group)?;
                continue;
            };
            number += 1;
            if index >= table.chunks() || table.entries[index].is_hole() {
                continue;
            }
            let place = group.chunk_offset(index);
            let stored = place..place + table.stored_len(index) as u64;
            match places.last_mut() {
                Some(last) if last.end == stored.start => last.end = stored.end,
                _ => places.push(stored),
            }
            self.table_mut(group)?.entries[index] = Entry::HOLE;
            self.changed_mut(group).versions.forget(index);
            touched.insert(group);
        }
        Ok((touched, places))
    }
}

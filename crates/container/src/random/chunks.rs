//! Reading plaintext: whole chunks in the caller's buffer, parts of chunks beside it.

use std::ops::Range;

use super::Container;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, file_size};
use crate::group::{Version, bad_chunk, check_zero, open_chunk};
use crate::io::{ReadAt, read_full_at};
use crate::table::Table;

/// Bytes after a large read that the system is to begin with, for whoever reads on from there.
const READ_AHEAD: u64 = 4 << 20;

impl<B: ReadAt> Container<B> {
    /// Reads plaintext at `offset` and returns how many bytes there were: fewer than asked for only at the end.
    ///
    /// # Errors
    /// A table or chunk on the way is damaged; reading fails. The buffer then holds nothing that was not verified.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, ContainerError> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let buffer = &mut buffer[..wanted];
        let result = self.read_groups(buffer, offset);
        if result.is_err() {
            // What was not verified yet stands in it.
            buffer.fill(0);
        }
        result.map(|()| wanted)
    }

    fn read_groups(&self, mut buffer: &mut [u8], mut offset: u64) -> Result<(), ContainerError> {
        self.will_read_groups(offset, buffer.len() as u64);
        while !buffer.is_empty() {
            let group = GroupIndex::of_plaintext(offset);
            let group_end = group.plaintext_start() + group.capacity() as u64;
            let in_group = usize::try_from(group_end - offset).unwrap_or(usize::MAX).min(buffer.len());
            let (piece, rest) = buffer.split_at_mut(in_group);
            self.read_in_group(group, offset, piece)?;
            (buffer, offset) = (rest, offset + in_group as u64);
        }
        Ok(())
    }

    /// Has the system begin with all of a read of several groups, if it seems to be the first one, and with what comes after it, if
    /// whoever reads comes from before it: asked for group by group, by several threads, a disk would be kept waiting between them.
    fn will_read_groups(&self, offset: u64, length: u64) {
        let end = offset + length;
        let (first, last) = (GroupIndex::of_plaintext(offset), GroupIndex::of_plaintext(end.saturating_sub(1)));
        if first >= last || self.tables.get(last).is_some() {
            return;
        }
        self.will_read(offset, end);
        // Who read that asked for what comes here. What lies between is perhaps being read beside this, and not known yet.
        let before = offset.checked_sub(READ_AHEAD).map(GroupIndex::of_plaintext);
        if before.is_none_or(|group| self.tables.get(group).is_some()) {
            let start = if offset == 0 { end } else { end.max(offset + READ_AHEAD) };
            self.will_read(start, end + READ_AHEAD);
        }
    }

    /// Has the system begin to read what a range of the plaintext is stored in.
    fn will_read(&self, start: u64, end: u64) {
        let end = end.min(self.len);
        if start < end {
            let stored = GroupIndex::of_plaintext(start).table_offset();
            self.backing.will_read(stored, file_size(end) - stored);
        }
    }

    /// Reads a part of a group.
    fn read_in_group(&self, group: GroupIndex, offset: u64, buffer: &mut [u8]) -> Result<(), ContainerError> {
        let table = self.table(group)?;
        let table = table.as_deref();
        let start = usize::try_from(offset - group.plaintext_start()).expect("a group fits memory");
        let whole = self.whole_chunks(group, table, start..start + buffer.len());
        if whole.is_empty() {
            return self.read_parts(group, table, start, buffer);
        }
        let (head, rest) = buffer.split_at_mut(whole.start * CHUNK_LEN - start);
        let (middle, tail) = rest.split_at_mut((whole.len() * CHUNK_LEN).min(rest.len()));
        self.open_stored(group, table, whole.start, middle)?;
        self.read_parts(group, table, start, head)?;
        self.read_parts(group, table, whole.end * CHUNK_LEN, tail)
    }

    /// The chunks of which nothing stands outside of a part of their group: all of each, or all there is of the last one.
    fn whole_chunks(&self, group: GroupIndex, table: Option<&Table>, part: Range<usize>) -> Range<usize> {
        let (first, last) = (part.start.div_ceil(CHUNK_LEN), part.end / CHUNK_LEN);
        let is_end = group.plaintext_start() + part.end as u64 == self.len;
        // An earlier version may be longer than what is left of it.
        let fits =
            table.is_none_or(|table| table.undo.is_empty() && table.stored_len(last) <= part.end - last * CHUNK_LEN);
        if is_end && fits { first..part.end.div_ceil(CHUNK_LEN) } else { first..last.max(first) }
    }

    /// Reads parts of one chunk, or of two side by side.
    fn read_parts(
        &self,
        group: GroupIndex,
        table: Option<&Table>,
        start: usize,
        buffer: &mut [u8],
    ) -> Result<(), ContainerError> {
        if buffer.is_empty() {
            return Ok(());
        }
        let (first, last) = (start / CHUNK_LEN, (start + buffer.len() - 1) / CHUNK_LEN);
        let mut scratch = [0; 2 * CHUNK_LEN];
        let scratch = &mut scratch[..(last + 1 - first) * CHUNK_LEN];
        self.open_stored(group, table, first, scratch)?;
        let skipped = start - first * CHUNK_LEN;
        buffer.copy_from_slice(&scratch[skipped..skipped + buffer.len()]);
        Ok(())
    }

    /// Reads stored chunks from the one at index `first` on, and opens them in place.
    fn open_stored(
        &self,
        group: GroupIndex,
        table: Option<&Table>,
        first: usize,
        buffer: &mut [u8],
    ) -> Result<(), ContainerError> {
        let read = read_full_at(&self.backing, buffer, group.chunk_offset(first)).map_err(ContainerError::Read)?;
        buffer[read..].fill(0);
        for (at, data) in buffer[..read].chunks_mut(CHUNK_LEN).enumerate() {
            self.open_chunk(group, table, first + at, data)?;
        }
        // What lies beyond the end of the file is a hole, or missing.
        for at in read.div_ceil(CHUNK_LEN)..buffer.len().div_ceil(CHUNK_LEN) {
            self.open_chunk(group, table, first + at, &mut [])?;
        }
        Ok(())
    }

    /// Opens one chunk in place; where no table covers it, it is zeros.
    fn open_chunk(
        &self,
        group: GroupIndex,
        table: Option<&Table>,
        index: usize,
        data: &mut [u8],
    ) -> Result<(), ContainerError> {
        let stored = index * CHUNK_LEN + data.len();
        match table {
            Some(table) if index < table.chunks() => {
                match open_chunk(&self.unlocked.keys, group, table, index, data, self.bounds.settled)? {
                    Version::Current | Version::Earlier(..) => Ok(()),
                    Version::None => Err(bad_chunk(group, table, index, stored)),
                }
            }
            _ if self.bounds.settled => check_zero(group.chunk_offset(index), data),
            _ => {
                data.fill(0);
                Ok(())
            }
        }
    }
}

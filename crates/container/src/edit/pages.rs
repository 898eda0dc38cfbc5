//! Chunks in memory: reading and writing through them.

use std::collections::BTreeMap;

use super::batch::Chunks;
use super::buffers::{blank_page, keep_pages};
use super::ready::{ReadyWrite, whole_groups};
use super::seal::Ready;
use super::{Editor, Page};
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GROUP_CHUNKS, MAX_PLAINTEXT_LEN, chunk_of, place_of};
use crate::io::Backing;

/// Chunks that are collected before they are written: 16 MiB of them.
pub(super) const MAX_DIRTY_CHUNKS: usize = 4096;

/// Chunks side by side that are written early, if that has to wait for nothing.
const MIN_EARLY: usize = 512;

impl<B: Backing> Editor<B> {
    /// Reads plaintext at `offset` and returns how many bytes there were: fewer than asked for only at the end.
    ///
    /// # Errors
    /// A table or chunk on the way is damaged; reading fails.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, ContainerError> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let buffer = &mut buffer[..wanted];
        let mut done = 0;
        while done < wanted {
            let at = offset + done as u64;
            let (number, within) = chunk_of(at);
            let piece = match self.dirty.get(&number) {
                Some(page) => {
                    let piece = (CHUNK_LEN - within).min(wanted - done);
                    buffer[done..done + piece].copy_from_slice(&page[within..within + piece]);
                    piece
                }
                None => {
                    let next_dirty = self.dirty.range(number..).next().map_or(u64::MAX, |(next, _)| *next);
                    let clean = next_dirty.saturating_mul(CHUNK_LEN as u64) - at;
                    let piece = usize::try_from(clean).unwrap_or(usize::MAX).min(wanted - done);
                    self.read_clean(&mut buffer[done..done + piece], at)?;
                    piece
                }
            };
            done += piece;
        }
        Ok(wanted)
    }

    /// Writes bytes at `offset`; what lies between the old end and there becomes a hole.
    ///
    /// # Errors
    /// The container would grow beyond 2^62 bytes; a chunk that is overwritten in part is damaged; the storage fails.
    pub fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<(), ContainerError> {
        self.write_ready(&ReadyWrite::new(bytes, offset))
    }

    /// As [`Editor::write_at`], of bytes that may have been encrypted before.
    ///
    /// # Errors
    /// As [`Editor::write_at`].
    pub fn write_ready(&mut self, write: &ReadyWrite<'_>) -> Result<(), ContainerError> {
        let (bytes, offset) = (write.bytes(), write.offset());
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= MAX_PLAINTEXT_LEN);
        end.ok_or(ContainerError::TooLong)?;
        self.mend()?;
        let within = chunk_of(offset).1;
        let head = if within == 0 { 0 } else { (CHUNK_LEN - within).min(bytes.len()) };
        let (head, rest) = bytes.split_at(head);
        self.write_to_memory(head, offset)?;
        let offset = offset + head.len() as u64;
        let through = self.write_through(rest, offset, write.ready())?;
        self.write_to_memory(&rest[through..], offset + through as u64)
    }

    /// Takes whole chunks into memory and flushes nothing, so that it cannot fail: for bytes that must not get lost although
    /// [`Editor::write_at`] failed. `offset` is that of a chunk, below the largest length; what is left of `bytes` after the
    /// last whole chunk is not taken.
    pub fn keep(&mut self, bytes: &[u8], offset: u64) {
        let (pages, _) = bytes.as_chunks::<CHUNK_LEN>();
        self.dirty.extend((chunk_of(offset).0..).zip(pages).map(|(number, page)| (number, Box::new(*page))));
        self.len = self.len.max(offset + (pages.len() * CHUNK_LEN) as u64);
    }

    /// Writes whole groups from the caller's bytes straight to the backing, together with all chunks in memory, if there are
    /// any and nothing has to be waited for. Returns how many bytes that was; `offset` is that of a chunk.
    fn write_through(&mut self, bytes: &[u8], offset: u64, ready: Option<&Ready>) -> Result<usize, ContainerError> {
        let (pages, _) = bytes.as_chunks::<CHUNK_LEN>();
        let through = whole_groups(chunk_of(offset).0, pages.len());
        // Most that has to be waited for is an overwrite.
        if through.is_empty() || self.root.settled || self.overwrites(&through.clone().collect::<Vec<u64>>())? {
            return Ok(0);
        }
        let ready = ready.filter(|ready| ready.is_under(&self.container.unlocked.keys) && ready.numbers() == through);
        let is_ours = |number: &u64| through.contains(number);
        let mut numbers: Vec<u64> =
            self.dirty.keys().copied().filter(|number| !is_ours(number)).chain(through.clone()).collect();
        numbers.sort_unstable();
        let len = self.len.max(through.end * CHUNK_LEN as u64);
        let reach = numbers.last().map_or(0, |last| (last + 1) * CHUNK_LEN as u64);
        let batch_len = self.root.len.max(len.min(reach));
        if self.batch_waits(numbers, batch_len)? {
            return Ok(0);
        }
        let dirty = std::mem::take(&mut self.dirty);
        let in_memory = dirty.iter().filter(|(number, _)| !is_ours(number)).map(|(number, page)| (*number, &**page));
        let mut chunks: Chunks<'_> = in_memory.chain(through.clone().zip(pages)).collect();
        chunks.sort_unstable_by_key(|(number, _)| *number);
        let result = self.protected(|editor| editor.write_batch(chunks, batch_len, ready));
        match result {
            Ok(()) => {
                self.len = len;
                keep_pages(dirty);
                Ok(through.count() * CHUNK_LEN)
            }
            Err(error) => {
                self.dirty = dirty;
                self.mend_after(Err(error))
            }
        }
    }

    /// Collects bytes in memory.
    fn write_to_memory(&mut self, bytes: &[u8], offset: u64) -> Result<(), ContainerError> {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (number, within) = chunk_of(at);
            let piece = (CHUNK_LEN - within).min(bytes.len() - done);
            let piece_end = at + piece as u64;
            let covers = within == 0 && (piece == CHUNK_LEN || piece_end >= self.len);
            let is_new = !self.dirty.contains_key(&number);
            if is_new {
                let page = if covers { blank_page(piece) } else { self.page(number)? };
                self.dirty.insert(number, page);
            }
            let page = self.dirty.get_mut(&number).expect("it was put there");
            page[within..within + piece].copy_from_slice(&bytes[done..done + piece]);
            done += piece;
            self.len = self.len.max(piece_end);
            if is_new {
                self.flush_under_pressure(number, within + piece == CHUNK_LEN)?;
            }
        }
        Ok(())
    }

    /// Flushes what is in memory when it is too much, or when it is a long piece of a file and need not wait: all but the
    /// group that is being written, unless that is complete with this chunk.
    fn flush_under_pressure(&mut self, number: u64, is_complete: bool) -> Result<(), ContainerError> {
        let count = self.dirty.len();
        if count < MAX_DIRTY_CHUNKS
            && !(count >= MIN_EARLY && count.is_multiple_of(GROUP_CHUNKS) && self.may_go_early()?)
        {
            return Ok(());
        }
        let group = place_of(number).0;
        let (first, next) = (group.chunk_number(0), group.successor().chunk_number(0));
        let mut kept = BTreeMap::new();
        if !is_complete || number + 1 < next {
            kept = self.dirty.split_off(&first);
            self.dirty.append(&mut kept.split_off(&next));
        }
        let len = self.len;
        // The rest of the length comes with the chunks that vouch for it.
        self.len = self.batch_len();
        let result = self.flush_now();
        self.dirty.append(&mut kept);
        self.len = self.len.max(len);
        result
    }

    /// Whether the chunks in memory lie side by side, and nothing has to be waited for to write them.
    fn may_go_early(&self) -> Result<bool, ContainerError> {
        let (Some((first, _)), Some((last, _))) = (self.dirty.first_key_value(), self.dirty.last_key_value()) else {
            return Ok(false);
        };
        let is_one_piece = last - first + 1 == self.dirty.len() as u64;
        // Most that has to be waited for is an overwrite, and one is found soon.
        if !is_one_piece || self.root.settled || self.overwrites(&[*first, *last])? {
            return Ok(false);
        }
        Ok(!self.batch_waits(self.dirty.keys().copied().collect(), self.batch_len())?)
    }

    /// Reads bytes that are not in memory; beyond the backing's length they are zeros.
    pub(super) fn read_clean(&self, buffer: &mut [u8], offset: u64) -> Result<(), ContainerError> {
        let read = self.container.read_at(buffer, offset)?;
        buffer[read..].fill(0);
        Ok(())
    }

    /// A chunk's plaintext, wherever it is, with zeros behind the end.
    fn page(&self, number: u64) -> Result<Page, ContainerError> {
        let mut page = Box::new([0; CHUNK_LEN]);
        self.read_at(page.as_mut_slice(), number * CHUNK_LEN as u64)?;
        Ok(page)
    }
}

//! Bytes that are encrypted before whoever writes them has the container to itself, so that it can be used meanwhile.

use std::fmt;
use std::ops::Range;

use super::seal::Ready;
use crate::geometry::{CHUNK_LEN, GROUP_CHUNKS, MAX_PLAINTEXT_LEN, chunk_of, place_of};
use crate::header::Unlocked;

/// Chunks of one call that do not go through memory.
const MIN_THROUGH: u64 = GROUP_CHUNKS as u64;

/// Bytes for [`Editor::write_ready`](super::Editor::write_ready), with the offset at which they are to be written.
pub struct ReadyWrite<'a> {
    bytes: &'a [u8],
    offset: u64,
    ready: Option<Ready>,
}

impl<'a> ReadyWrite<'a> {
    /// Bytes of which nothing has been encrypted yet.
    #[must_use]
    pub fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self { bytes, offset, ready: None }
    }

    /// Bytes for the container with this header. Where they are long and begin with a chunk, those that will not stay in memory
    /// are encrypted here: if they turn out to overwrite others, in vain.
    #[must_use]
    pub fn sealed(unlocked: &Unlocked, bytes: &'a [u8], offset: u64) -> Self {
        let is_too_long = offset.checked_add(bytes.len() as u64).is_none_or(|end| end > MAX_PLAINTEXT_LEN);
        let (first, within) = chunk_of(offset);
        if is_too_long || within != 0 {
            return Self::new(bytes, offset);
        }
        let (pages, _) = bytes.as_chunks::<CHUNK_LEN>();
        let count = whole_groups(first, pages.len()).count();
        // Without random bytes there are none when they are written, either, which tells the error.
        let ready = if count > 0 { Ready::seal(&unlocked.keys, first, &pages[..count]).ok() } else { None };
        Self { bytes, offset, ready }
    }

    /// The bytes as they are to be read again.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where they are to be written.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What of them is encrypted.
    pub(crate) fn ready(&self) -> Option<&Ready> {
        self.ready.as_ref()
    }
}

impl fmt::Debug for ReadyWrite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes are plaintext.
        f.debug_struct("ReadyWrite")
            .field("offset", &self.offset)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Which of `count` chunks from the chunk `first` on need not go through memory, if there are enough: those up to the end of the
/// last group that is whole. What is left comes together with what follows it.
pub(super) fn whole_groups(first: u64, count: usize) -> Range<u64> {
    let end = place_of(first + count as u64).0.chunk_number(0);
    if end.saturating_sub(first) < MIN_THROUGH { first..first } else { first..end }
}

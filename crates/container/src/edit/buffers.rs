//! Memory for chunks on their way to the backing, used again and again: fresh memory costs a page fault for every chunk.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Page;
use crate::geometry::CHUNK_LEN;

/// Bytes of a buffer that is kept; any run of chunks fits.
const BUFFER_LEN: usize = 1 << 20;

/// A batch below this gets memory of its own, just as much as it needs.
const SMALL_LEN: usize = 1 << 16;

/// Buffers that are kept while somebody writes: a full batch.
const MAX_SPARE: usize = 16;

/// Buffers that are kept for whoever writes next.
const LASTING_SPARE: usize = 4;

/// Buffers that nobody uses at the moment, for all containers together. What they hold is encrypted.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Frees most of the buffers that nobody uses.
pub(super) fn free_spare() {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = spare.len().min(LASTING_SPARE);
    let freed = spare.split_off(kept);
    drop(spare);
    drop(freed);
}

/// Chunks whose memory is kept, 16 MiB of them: as many as one container has in memory at most.
const MAX_SPARE_PAGES: usize = 4096;

/// Memory for chunks that nobody uses at the moment, for all containers together. Given back one by one it would stay with the
/// thread that asked for it, and grow with every other thread.
static SPARE_PAGES: Mutex<Vec<Page>> = Mutex::new(Vec::new());

/// A chunk that is zero from `from` on, and anything before.
pub(super) fn blank_page(from: usize) -> Page {
    let spare = SPARE_PAGES.lock().unwrap_or_else(PoisonError::into_inner).pop();
    match spare {
        Some(mut page) => {
            page[from..].fill(0);
            page
        }
        None => Box::new([0; CHUNK_LEN]),
    }
}

/// Keeps the memory of chunks that have been flushed for those that come.
pub(super) fn keep_pages(flushed: BTreeMap<u64, Page>) {
    let mut spare = SPARE_PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let room = MAX_SPARE_PAGES.saturating_sub(spare.len());
    spare.extend(flushed.into_values().take(room));
}

/// Room for pieces of bytes, each of which lies in one buffer.
#[derive(Debug)]
pub(super) struct Buffers {
    buffers: Vec<Vec<u8>>,
    /// The lengths of the pieces in each buffer.
    lens: Vec<Vec<usize>>,
}

impl Buffers {
    /// Takes room for pieces of these lengths, none of them longer than a buffer. What stands there before is not said.
    pub(super) fn take(pieces: impl Iterator<Item = usize>) -> Self {
        let mut lens: Vec<Vec<usize>> = Vec::new();
        let mut left = 0;
        for len in pieces {
            debug_assert!(len <= BUFFER_LEN, "a run lies within a group");
            if len > left || lens.is_empty() {
                lens.push(Vec::new());
                left = BUFFER_LEN;
            }
            left -= len;
            lens.last_mut().expect("there is one by now").push(len);
        }
        let buffers = match &lens[..] {
            [one] if one.iter().sum::<usize>() < SMALL_LEN => vec![vec![0; one.iter().sum()]],
            all => {
                let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
                let kept = spare.len().saturating_sub(all.len());
                let mut buffers = spare.split_off(kept);
                drop(spare);
                buffers.resize_with(all.len(), || vec![0; BUFFER_LEN]);
                buffers
            }
        };
        Self { buffers, lens }
    }

    /// Every piece, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.buffers.iter().zip(&self.lens).flat_map(|(buffer, lens)| {
            let mut rest = &buffer[..];
            lens.iter().map_while(move |len| rest.split_off(..*len))
        })
    }

    /// Every piece, in order.
    pub(super) fn pieces_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.buffers.iter_mut().zip(&self.lens).flat_map(|(buffer, lens)| {
            let mut rest = &mut buffer[..];
            lens.iter().map_while(move |len| rest.split_off_mut(..*len))
        })
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_SPARE.saturating_sub(spare.len());
        spare.extend(self.buffers.drain(..).filter(|buffer| buffer.len() == BUFFER_LEN).take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_their_lengths_and_do_not_overlap() {
        for lens in [vec![], vec![0], vec![5, 4096, 1], vec![400_000; 7], vec![BUFFER_LEN, 1, BUFFER_LEN]] {
            let mut buffers = Buffers::take(lens.iter().copied());
            for (piece, number) in buffers.pieces_mut().zip(1..) {
                piece.fill(number);
            }
            assert!(buffers.pieces().map(<[u8]>::len).eq(lens.iter().copied()));
            for (piece, number) in buffers.pieces().zip(1..) {
                assert!(piece.iter().all(|byte| *byte == number));
            }
        }
    }
}

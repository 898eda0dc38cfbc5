//! Encrypting a batch of chunks, in runs that lie side by side in the file, on several cores where it is large.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use super::ChunkBytes;
use super::buffers::Buffers;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex};
use crate::keys::ContentKeys;
use crate::suite::NONCE_LEN;
use crate::table::Entry;

/// Chunks of a batch for which another thread pays: sealing one takes some microseconds, starting a thread some dozen.
const CHUNKS_A_THREAD: usize = 64;

/// Threads that seal one batch at most.
const MAX_THREADS: usize = 4;

/// Chunks that lie side by side in one group. All of them are stored whole, but for the last one.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) group: GroupIndex,
    /// The first chunk's index in its group.
    pub(super) first: usize,
    /// Bytes that are stored of all chunks.
    pub(super) len: usize,
    /// Which of the batch's chunks they are.
    pub(super) chunks: Range<usize>,
}

impl Run {
    /// Where the run lies in the file.
    pub(super) fn offset(&self) -> u64 {
        self.group.chunk_offset(self.first)
    }

    /// Whether the chunk at `index` in `group` lies behind the last one of the run.
    pub(super) fn reaches(&self, group: GroupIndex, index: usize) -> bool {
        self.group == group && self.first * CHUNK_LEN + self.len == index * CHUNK_LEN
    }

    /// Index in the group, number in the batch and stored length of each chunk.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (first, chunks, len) = (self.first, self.chunks.clone(), self.len);
        chunks.enumerate().map(move |(at, number)| (first + at, number, (len - at * CHUNK_LEN).min(CHUNK_LEN)))
    }
}

/// The encrypted chunks of a batch.
pub(super) struct Sealed {
    /// The entry of each chunk.
    pub(super) entries: Vec<Entry>,
    /// The bytes of all runs, one behind the other.
    bytes: Buffers,
}

impl Sealed {
    /// The bytes of each run.
    pub(super) fn runs(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.pieces()
    }
}

/// Encrypts every chunk of every run, under nonces straight from the operating system, and leaves so many cores to others.
pub(super) fn seal_runs(
    keys: &ContentKeys,
    runs: &[Run],
    plaintext: &[&ChunkBytes],
    spared_cores: usize,
) -> Result<Sealed, ContainerError> {
    let mut nonces = vec![0; plaintext.len() * NONCE_LEN];
    getrandom::fill(&mut nonces).map_err(ContainerError::Random)?;
    let nonces = nonces.as_chunks::<NONCE_LEN>().0;
    let mut bytes = Buffers::take(runs.iter().map(|run| run.len));
    let mut entries = vec![Entry::HOLE; plaintext.len()];

    let mut rest = &mut entries[..];
    let mut work: Vec<_> = runs
        .iter()
        .zip(bytes.pieces_mut())
        .map(|(run, bytes)| (run, bytes, rest.split_off_mut(..run.chunks.len()).expect("each chunk is in one run")))
        .collect();
    let seal = |(run, bytes, entries): &mut (&Run, &mut [u8], &mut [Entry])| {
        for (((index, number, _), data), entry) in run.each().zip(bytes.chunks_mut(CHUNK_LEN)).zip(&mut **entries) {
            let plaintext = &plaintext[number][..data.len()];
            let tag = keys.chunk.seal_chunk_to(&nonces[number], run.group.chunk_number(index), plaintext, data);
            *entry = Entry { nonce: nonces[number], tag };
        }
    };

    let cores = cores().saturating_sub(spared_cores).clamp(1, MAX_THREADS);
    let threads = (plaintext.len() / CHUNKS_A_THREAD).clamp(1, cores);
    let piece_len = work.len().div_ceil(8 * threads).max(1);
    // Small pieces, so that no thread has much left when the others are done.
    let pieces = Mutex::new(work.chunks_mut(piece_len));
    let seal_pieces = || {
        loop {
            let piece = pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(piece) = piece else { return };
            piece.iter_mut().for_each(seal);
        }
    };
    if threads == 1 {
        seal_pieces();
    } else {
        thread::scope(|scope| {
            for _ in 1..threads {
                // Where the system gives no more threads, those that there are do the work.
                if thread::Builder::new().spawn_scoped(scope, seal_pieces).is_err() {
                    break;
                }
            }
            seal_pieces();
        });
    }
    drop(work);
    Ok(Sealed { entries, bytes })
}

/// How many cores there are; asking takes a while.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

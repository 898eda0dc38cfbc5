//! Encrypting a batch of chunks, in runs that lie side by side in the file, on several cores where it is large.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use super::ChunkBytes;
use super::batch::by_group;
use super::buffers::Buffers;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, place_of};
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
    /// Whether they are encrypted already.
    pub(super) is_ready: bool,
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
pub(super) struct Sealed<'a> {
    /// The entry of each chunk.
    pub(super) entries: Vec<Entry>,
    /// The bytes of all runs that were encrypted for this batch, one behind the other.
    bytes: Buffers,
    /// The runs that were ready before.
    ready: Option<&'a Ready>,
}

impl Sealed<'_> {
    /// Every run, of which these are all, with its bytes.
    pub(super) fn runs<'a>(&'a self, runs: &'a [Run]) -> impl Iterator<Item = (&'a Run, &'a [u8])> {
        let mut sealed = self.bytes.pieces();
        runs.iter().map(move |run| match self.ready.filter(|_| run.is_ready) {
            Some(ready) => (run, ready.run(run).1),
            None => (run, sealed.next().expect("each run has bytes")),
        })
    }
}

/// Whole chunks that were encrypted before it was known whether they can be written: up to the end of a group, each group's in one
/// run.
pub(crate) struct Ready {
    keys: Arc<ContentKeys>,
    first: u64,
    entries: Vec<Entry>,
    bytes: Buffers,
}

impl Ready {
    /// Encrypts chunks, of which the first has the number `first` and the last is its group's.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn seal(keys: &Arc<ContentKeys>, first: u64, chunks: &[ChunkBytes]) -> Result<Self, ContainerError> {
        let numbers: Vec<u64> = (first..).take(chunks.len()).collect();
        let mut at = 0;
        let runs = by_group(&numbers).map(|(group, numbers)| {
            let chunks = at..at + numbers.len();
            at = chunks.end;
            Run { group, first: place_of(numbers[0]).1, len: chunks.len() * CHUNK_LEN, chunks, is_ready: false }
        });
        let sealed = seal_runs(keys, &runs.collect::<Vec<_>>(), &chunks.iter().collect::<Vec<_>>(), 1, None)?;
        Ok(Self { keys: Arc::clone(keys), first, entries: sealed.entries, bytes: sealed.bytes })
    }

    /// The numbers of the chunks.
    pub(super) fn numbers(&self) -> Range<u64> {
        self.first..self.first + self.entries.len() as u64
    }

    /// The bytes of each group.
    #[cfg(test)]
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.pieces()
    }

    /// Whether they are encrypted under these keys.
    pub(super) fn is_under(&self, keys: &Arc<ContentKeys>) -> bool {
        Arc::ptr_eq(&self.keys, keys)
    }

    /// The entries and the bytes of a run of ready chunks.
    fn run(&self, run: &Run) -> (&[Entry], &[u8]) {
        let at =
            usize::try_from(run.group.chunk_number(run.first) - self.first).expect("it is one of the chunks in memory");
        let piece = run.group.0 - place_of(self.first).0.0;
        let bytes = self.bytes.pieces().nth(usize::try_from(piece).expect("there are no more groups than chunks"));
        (&self.entries[at..][..run.chunks.len()], bytes.expect("every group has a run"))
    }
}

/// Encrypts every chunk of every run that is not ready, under nonces straight from the operating system, and leaves so many
/// cores to others.
pub(super) fn seal_runs<'a>(
    keys: &ContentKeys,
    runs: &[Run],
    plaintext: &[&ChunkBytes],
    spared_cores: usize,
    ready: Option<&'a Ready>,
) -> Result<Sealed<'a>, ContainerError> {
    let count: usize = runs.iter().filter(|run| !run.is_ready).map(|run| run.chunks.len()).sum();
    let mut nonces = vec![0; count * NONCE_LEN];
    getrandom::fill(&mut nonces).map_err(ContainerError::Random)?;
    let mut nonces = nonces.as_chunks::<NONCE_LEN>().0;
    let mut bytes = Buffers::take(runs.iter().filter(|run| !run.is_ready).map(|run| run.len));
    let mut entries = vec![Entry::HOLE; plaintext.len()];

    let (mut rest, mut pieces) = (&mut entries[..], bytes.pieces_mut());
    let mut work = Vec::new();
    for run in runs {
        let entries = rest.split_off_mut(..run.chunks.len()).expect("each chunk is in one run");
        match ready.filter(|_| run.is_ready) {
            Some(ready) => entries.copy_from_slice(ready.run(run).0),
            None => {
                let nonces = nonces.split_off(..entries.len()).expect("each chunk has one");
                work.push((run, pieces.next().expect("each run has room"), entries, nonces));
            }
        }
    }
    drop(pieces);
    let seal = |(run, bytes, entries, nonces): &mut (&Run, &mut [u8], &mut [Entry], &[[u8; NONCE_LEN]])| {
        let chunks = run.each().zip(bytes.chunks_mut(CHUNK_LEN));
        for (((index, number, _), data), (entry, nonce)) in chunks.zip(entries.iter_mut().zip(*nonces)) {
            let plaintext = &plaintext[number][..data.len()];
            let tag = keys.chunk.seal_chunk_to(nonce, run.group.chunk_number(index), plaintext, data);
            *entry = Entry { nonce: *nonce, tag };
        }
    };

    let cores = cores().saturating_sub(spared_cores).clamp(1, MAX_THREADS);
    let threads = (count / CHUNKS_A_THREAD).clamp(1, cores);
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
    Ok(Sealed { entries, bytes, ready })
}

/// How many cores there are; asking takes a while.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

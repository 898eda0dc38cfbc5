//! Chunks that were taken while the content was in use.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use waxseal_container::CHUNK_LEN;

/// Chunks that are taken while the content is in use: as many as it keeps in memory itself, so that whoever writes goes on until
/// those are on the disk. There may be twice as many for a moment: those that are put where they belong, and those that come
/// meanwhile.
const MAX_AHEAD: usize = 4096;

/// Pieces of memory for so many chunks that nobody uses at the moment, for all files together. The allocator would keep one for
/// each thread.
static SPARE: Mutex<Vec<Vec<[u8; CHUNK_LEN]>>> = Mutex::new(Vec::new());

/// Pieces that are kept: a file has two at most.
const MAX_SPARE: usize = 2;

/// Chunks that were taken while the content was in use: they are newer than it. Whoever uses it next puts them there first,
/// unless somebody waits for it with older bytes.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chunks: Chunks,
    /// Writes that were taken before any of the chunks, and wait for the content.
    awaited: usize,
}

/// Chunks in one piece of memory, which comes and goes as a whole.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Where each of them stands, by its number in the file.
    places: BTreeMap<u64, usize>,
    pages: Vec<[u8; CHUNK_LEN]>,
}

impl Chunks {
    /// Each chunk, with its offset in the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.places.iter().map(|(number, at)| (number * CHUNK_LEN as u64, self.pages[*at].as_slice()))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Bytes of all chunks.
    pub(super) fn len(&self) -> u64 {
        (self.pages.len() * CHUNK_LEN) as u64
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        let mut pages = std::mem::take(&mut self.pages);
        pages.clear();
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.capacity() > 0 && spare.len() < MAX_SPARE {
            spare.push(pages);
        }
    }
}

impl Ahead {
    /// Whether nothing was taken that is not in the content: neither chunks nor what waits for it.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.chunks.is_empty() && state.awaited == 0
    }

    /// Whether there are chunks that whoever has the content is to put there.
    pub(super) fn is_due(&self) -> bool {
        let state = self.lock();
        !state.chunks.is_empty() && state.awaited == 0
    }

    /// Notes a write that is taken and waits for the content, unless there are chunks: they are older then, and it has to put
    /// them there first. Returns whether there were none.
    pub(super) fn begin_waiting(&self) -> bool {
        let mut state = self.lock();
        let is_first = state.chunks.is_empty();
        state.awaited += usize::from(is_first);
        is_first
    }

    /// Notes that such a write has the content, or is lost.
    pub(super) fn end_waiting(&self) {
        self.lock().awaited -= 1;
    }

    /// Takes whole chunks, if there is room, and has them counted before anybody can take them over: `count` is told how many
    /// bytes more there are now. Returns whether there was room.
    pub(super) fn add(&self, first: u64, pages: &[[u8; CHUNK_LEN]], count: impl FnOnce(u64)) -> bool {
        let mut state = self.lock();
        let ahead = &mut state.chunks;
        let before = ahead.len();
        if ahead.pages.len() + pages.len() > MAX_AHEAD {
            return false;
        }
        let Chunks { places, pages: all } = &mut *ahead;
        if all.capacity() == 0 {
            let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
            *all = spare.unwrap_or_else(|| Vec::with_capacity(MAX_AHEAD));
        }
        for (number, page) in (first..).zip(pages) {
            let at = *places.entry(number).or_insert(all.len());
            match all.get_mut(at) {
                Some(known) => *known = *page,
                None => all.push(*page),
            }
        }
        count(ahead.len() - before);
        true
    }

    /// Gives all of them away, to whoever has the content. Those that are newer than what somebody waits with stay: whoever has
    /// it now came before both.
    pub(super) fn take(&self) -> Chunks {
        let mut state = self.lock();
        if state.awaited > 0 { Chunks::default() } else { std::mem::take(&mut state.chunks) }
    }

    /// Bytes of all of them, at the end.
    pub(super) fn len(&self) -> u64 {
        self.lock().chunks.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

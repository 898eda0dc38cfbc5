//! Taking what programs write: they need not wait until it is encrypted, and not for whoever uses the content at the moment.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLockWriteGuard};
use std::time::{Instant, SystemTime};

use rustix::io::Errno;
use waxseal_container::{CHUNK_LEN, ReadyWrite};

use super::turns::Turn;
use super::{Content, OpenFile};
use crate::unflushed::InHand;

/// Bytes in memory from which on nobody is told early that his were taken: the file below does not take them, or not as
/// fast.
const MAX_EARLY: u64 = 16 << 20;

/// Chunks that are taken while the content is in use. There may be twice as many for a moment: those that are put where they
/// belong, and those that come meanwhile.
const MAX_AHEAD: usize = 2048;

/// Bytes of one write up to which it does not wait for the content.
const MAX_SMALL: usize = 64 << 10;

/// Pieces of memory for so many chunks that nobody uses at the moment, for all files together. The allocator would keep one for
/// each thread.
static SPARE: Mutex<Vec<Vec<[u8; CHUNK_LEN]>>> = Mutex::new(Vec::new());

/// Pieces that are kept: a file has two at most.
const MAX_SPARE: usize = 2;

/// Chunks that were taken while the content was in use: they are newer than it. Whoever uses it next puts them there first.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<Chunks>);

/// Chunks in one piece of memory, which comes and goes as a whole.
#[derive(Debug, Default)]
struct Chunks {
    /// Where each of them stands, by its number in the file.
    places: BTreeMap<u64, usize>,
    pages: Vec<[u8; CHUNK_LEN]>,
}

impl Chunks {
    /// Each chunk, with its offset in the file.
    fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.places.iter().map(|(number, at)| (number * CHUNK_LEN as u64, self.pages[*at].as_slice()))
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Bytes of all chunks.
    fn len(&self) -> u64 {
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
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes whole chunks, if there is room, and has them counted before anybody can take them over: `count` is told how many
    /// bytes more there are now. Returns whether there was room.
    fn add(&self, first: u64, pages: &[[u8; CHUNK_LEN]], count: impl FnOnce(u64)) -> bool {
        let mut ahead = self.lock();
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

    /// Gives all of them away.
    fn take(&self) -> Chunks {
        std::mem::take(&mut self.lock())
    }

    /// Bytes of all of them, at the end.
    pub(super) fn len(&self) -> u64 {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Chunks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that a program believes to be taken, while whoever took them waits for the content.
#[derive(Debug)]
struct Awaited<'a> {
    file: &'a OpenFile,
    len: u64,
}

impl<'a> Awaited<'a> {
    /// From now on the file is as long as up to the end of these bytes, and not flushed without them.
    fn begin(file: &'a OpenFile, len: u64, end: u64) -> Self {
        file.account.change(0, len);
        file.see_change();
        let mut facts = file.facts();
        facts.awaited += 1;
        facts.reach = facts.reach.max(end);
        file.len.fetch_max(end, Ordering::AcqRel);
        drop(facts);
        Self { file, len }
    }

    /// Whoever took them has the content.
    fn end(self) {
        self.forget();
        std::mem::forget(self);
    }

    fn forget(&self) {
        let mut facts = self.file.facts();
        facts.awaited -= 1;
        if facts.awaited == 0 {
            facts.reach = 0;
        }
        drop(facts);
        self.file.account.change(self.len, 0);
    }
}

impl Drop for Awaited<'_> {
    /// A panic: they are lost.
    fn drop(&mut self) {
        self.forget();
        self.file.keep_loss();
    }
}

impl OpenFile {
    /// Whether a write of whole chunks may be acknowledged before it is worked on: what goes wrong then is told later.
    pub(crate) fn may_take(&self, bytes: &[u8], offset: u64) -> bool {
        let is_whole = offset.is_multiple_of(CHUNK_LEN as u64) && bytes.len().is_multiple_of(CHUNK_LEN);
        is_whole && !bytes.is_empty() && self.unflushed.load(Ordering::Relaxed) < MAX_EARLY
    }

    /// Takes whole chunks as the file's only writer. If there is more to do about them than to put them into memory, `taken`
    /// is called first, since whoever wrote them can go on: from then on they are seen, and nothing that asks for them to be
    /// flushed is answered before they are. If that fails they stay in memory, and the error is told to whoever asks next.
    ///
    /// # Errors
    /// The file is not open for writing. Nothing was taken then.
    pub(crate) fn take(&self, bytes: &[u8], offset: u64, taken: &dyn Fn()) -> Result<(), Errno> {
        if bytes.len() <= MAX_SMALL && offset + bytes.len() as u64 <= self.len() {
            match self.try_lock() {
                Some(content) => return self.take_now(content, bytes, offset, taken),
                None if self.take_ahead(bytes, offset) => {
                    taken();
                    return Ok(());
                }
                None => {}
            }
        }
        if bytes.len() <= MAX_SMALL {
            return self.take_now(self.lock(), bytes, offset, taken);
        }
        let in_hand = self.account.take_in_hand(&self.in_hand);
        let turn = self.turns.take();
        match in_hand {
            // What was taken ahead is older.
            Some(in_hand) if self.ahead.is_empty() => {
                self.take_in_turn((turn, in_hand), bytes, offset, taken);
                Ok(())
            }
            _ => self.take_now(self.lock_in(turn), bytes, offset, taken),
        }
    }

    /// Takes many bytes as soon as nobody else comes to the content before them, though somebody may be using it still: what
    /// makes the file longer is encrypted meanwhile.
    fn take_in_turn(&self, (turn, in_hand): (Turn<'_>, InHand<'_>), bytes: &[u8], offset: u64, taken: &dyn Fn()) {
        let end = offset + bytes.len() as u64;
        let is_new = end > self.len();
        let awaited = Awaited::begin(self, bytes.len() as u64, end);
        taken();
        // Whoever wrote them may have been woken where this thread runs, and would wait for it beside an idle core.
        std::thread::yield_now();
        let write =
            if is_new { ReadyWrite::sealed(&self.unlocked, bytes, offset) } else { ReadyWrite::new(bytes, offset) };
        let mut content = self.lock_in(turn);
        awaited.end();
        self.write_owed(&mut content, &Chunks::default(), Some(write));
        drop((content, in_hand));
    }

    /// Nobody waits for what was taken before, which may have to wait for the disk.
    fn take_now(
        &self,
        mut content: RwLockWriteGuard<'_, Content>,
        bytes: &[u8],
        offset: u64,
        taken: &dyn Fn(),
    ) -> Result<(), Errno> {
        if !matches!(*content, Content::Exclusive(_)) {
            return Err(Errno::BADF);
        }
        self.len.fetch_max(offset + bytes.len() as u64, Ordering::AcqRel);
        self.see_change();
        // What is taken from now on is newer than these bytes.
        let ahead = self.take_over();
        // To put a few bytes into memory takes less than to wake another thread for what is written meanwhile.
        let is_at_once = bytes.len() <= MAX_SMALL && ahead.is_empty() && content.has_room(bytes.len());
        if !is_at_once {
            taken();
        }
        self.write_owed(&mut content, &ahead, Some(ReadyWrite::new(bytes, offset)));
        Ok(())
    }

    /// Takes whole chunks below the length while the content is in use. Returns whether there was room.
    fn take_ahead(&self, bytes: &[u8], offset: u64) -> bool {
        let count = |more| self.account.change(0, more);
        let is_taken = self.ahead.add(offset / CHUNK_LEN as u64, bytes.as_chunks().0, count);
        if is_taken {
            self.see_change();
        }
        is_taken
    }

    /// Puts the chunks that were taken meanwhile where they belong.
    pub(super) fn catch_up(&self, content: &mut Content) {
        if !self.ahead.is_empty() {
            let ahead = self.take_over();
            self.write_owed(content, &ahead, None);
        }
    }

    /// Takes the chunks that were taken meanwhile, to put them where they belong.
    fn take_over(&self) -> Chunks {
        self.owed.store(true, Ordering::Relaxed);
        let ahead = self.ahead.take();
        self.account.change(ahead.len(), 0);
        ahead
    }

    /// Writes the chunks that were taken meanwhile, and then those at an offset: all of them believed to be taken by those who
    /// wrote them. Once that fails, the rest is kept like what failed.
    fn write_owed(&self, content: &mut Content, ahead: &Chunks, last: Option<ReadyWrite<'_>>) {
        self.owed.store(true, Ordering::Relaxed);
        let mut pieces = ahead.iter().map(|(offset, bytes)| ReadyWrite::new(bytes, offset)).chain(last);
        let Content::Exclusive(editor) = content else {
            // Whoever wrote them has it open for writing, and it stays as it is as long as that.
            self.owed.store(false, Ordering::Relaxed);
            return self.keep_loss();
        };
        editor.spare_a_core();
        while let Some(piece) = pieces.next() {
            if let Err(error) = editor.write_ready(&piece) {
                editor.keep(piece.bytes(), piece.offset());
                pieces.by_ref().for_each(|piece| editor.keep(piece.bytes(), piece.offset()));
                let errno = self.told(&error);
                self.keep_error(errno);
            }
        }
        self.owed.store(false, Ordering::Relaxed);
        self.note(editor);
        self.keep_told_time();
    }

    /// Gives the file below the time of the change that a program was told, or has set, before it was written there.
    fn keep_told_time(&self) {
        if self.facts().is_told {
            self.restore_time();
        }
    }

    /// Notes that a program has changed the content, and that the file below does not know it yet.
    fn see_change(&self) {
        let mut facts = self.facts();
        let now = Instant::now();
        facts.used = now;
        facts.unflushed_since.get_or_insert(now);
        (facts.modified, facts.is_told) = (Some(SystemTime::now()), false);
    }
}

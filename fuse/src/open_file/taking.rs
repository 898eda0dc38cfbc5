//! Taking what programs write: they need not wait until it is encrypted, and not for whoever uses the content at the moment.

use std::sync::RwLockWriteGuard;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

use rustix::io::Errno;
use waxseal_container::{CHUNK_LEN, ReadyWrite};

use super::ahead::Chunks;
use super::turns::Turn;
use super::{Content, OpenFile};

/// Bytes in memory from which on nobody is told early that his were taken: the file below does not take them, or not as
/// fast.
const MAX_EARLY: u64 = 16 << 20;

/// Bytes of one write up to which it does not wait for the content.
const MAX_SMALL: usize = 64 << 10;

/// Bytes that a program believes to be taken, while whoever took them waits for the content.
#[derive(Debug)]
struct Awaited<'a> {
    file: &'a OpenFile,
    bytes: &'a [u8],
    offset: u64,
    /// Whether they make the file longer.
    lengthens: bool,
    has_content: bool,
}

impl<'a> Awaited<'a> {
    /// From now on the file is as long as up to the end of these bytes, and not flushed without them. `None` if chunks were taken
    /// before, which have to go first.
    fn begin(file: &'a OpenFile, bytes: &'a [u8], offset: u64) -> Option<Self> {
        // First of all: whoever notes what the content is like from now on knows that something is missing there.
        if !file.ahead.begin_waiting() {
            return None;
        }
        file.account.change(0, bytes.len() as u64);
        file.see_change();
        let end = offset + bytes.len() as u64;
        let mut facts = file.facts();
        facts.reaches.push(end);
        let lengthens = file.len.fetch_max(end, Ordering::AcqRel) < end;
        drop(facts);
        Some(Self { file, bytes, offset, lengthens, has_content: false })
    }

    /// Whoever took them has the content.
    fn end(mut self) {
        self.has_content = true;
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let end = self.offset + self.bytes.len() as u64;
        let mut facts = self.file.facts();
        if let Some(at) = facts.reaches.iter().position(|reach| *reach == end) {
            facts.reaches.swap_remove(at);
        }
        drop(facts);
        self.file.ahead.end_waiting();
        self.file.account.change(self.bytes.len() as u64, 0);
        if !self.has_content {
            // A panic.
            self.file.keep_loss();
        }
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
        if bytes.len() <= MAX_SMALL {
            return self.take_small(bytes, offset, taken);
        }
        let in_hand = self.account.hands.take(&self.in_hand);
        let turn = self.turns.take();
        let Some(awaited) = in_hand.as_ref().and_then(|_| Awaited::begin(self, bytes, offset)) else {
            // Too many are in hand, or chunks were taken ahead that are older.
            return self.take_now(self.lock_in(turn), bytes, offset, taken);
        };
        self.take_in_turn(turn, awaited, taken);
        Ok(())
    }

    /// Takes few bytes: into memory, or beside the content while that is in use.
    fn take_small(&self, bytes: &[u8], offset: u64, taken: &dyn Fn()) -> Result<(), Errno> {
        if offset + bytes.len() as u64 <= self.len() {
            if let Some(content) = self.try_lock() {
                return self.take_now(content, bytes, offset, taken);
            }
            if self.take_ahead(bytes, offset) {
                taken();
                return Ok(());
            }
        }
        self.take_now(self.lock(), bytes, offset, taken)
    }

    /// Takes many bytes as soon as nobody else comes to the content before them, though somebody may be using it still: what
    /// makes the file longer is encrypted meanwhile.
    fn take_in_turn(&self, turn: Turn<'_>, awaited: Awaited<'_>, taken: &dyn Fn()) {
        taken();
        // Whoever wrote them may have been woken where this thread runs, and would wait for it beside an idle core.
        std::thread::yield_now();
        let (bytes, offset) = (awaited.bytes, awaited.offset);
        let write = if awaited.lengthens {
            ReadyWrite::sealed(&self.unlocked, bytes, offset)
        } else {
            ReadyWrite::new(bytes, offset)
        };
        let mut content = self.lock_in(turn);
        awaited.end();
        self.write_owed(&mut content, &Chunks::default(), Some(write));
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
        if self.ahead.is_due() {
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

//! Taking what programs write: they need not wait until it is encrypted, and not for whoever uses the content at the moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLockWriteGuard};
use std::time::{Instant, SystemTime};

use rustix::io::Errno;
use waxseal_container::{CHUNK_LEN, Editor};

use super::{Content, OpenFile};

/// Bytes in memory from which on nobody is told early that his were taken: the file below does not take them, or not as
/// fast.
const MAX_EARLY: u64 = 16 << 20;

/// Chunks that are taken while the content is in use.
const MAX_AHEAD: usize = 2048;

/// Bytes of one write up to which it does not wait for the content.
const MAX_SMALL: usize = 64 << 10;

/// Chunks that were taken while the content was in use: they are newer than it. Whoever uses it next puts them there first.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<BTreeMap<u64, Box<[u8; CHUNK_LEN]>>>);

impl Ahead {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes whole chunks, if there is room, and returns how many bytes more there are now.
    fn add(&self, first: u64, pages: &[[u8; CHUNK_LEN]]) -> Option<u64> {
        let mut ahead = self.lock();
        let before = ahead.len();
        if before + pages.len() > MAX_AHEAD {
            return None;
        }
        ahead.extend((first..).zip(pages).map(|(number, page)| (number, Box::new(*page))));
        Some(((ahead.len() - before) * CHUNK_LEN) as u64)
    }

    /// Gives all of them away.
    pub(super) fn take(&self) -> BTreeMap<u64, Box<[u8; CHUNK_LEN]>> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Box<[u8; CHUNK_LEN]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenFile {
    /// Whether a write of whole chunks may be acknowledged before it is worked on: what goes wrong then is told later.
    pub(crate) fn may_take(&self, bytes: &[u8], offset: u64) -> bool {
        let is_whole = offset.is_multiple_of(CHUNK_LEN as u64) && bytes.len().is_multiple_of(CHUNK_LEN);
        is_whole && !bytes.is_empty() && self.unflushed.load(Ordering::Relaxed) < MAX_EARLY
    }

    /// Takes whole chunks as the file's only writer, and calls `taken` when whoever wrote them can go on: from then on they
    /// are seen, and nothing that asks for them to be flushed is answered before they are. If that fails they stay in memory,
    /// and the error is told to whoever asks next.
    ///
    /// # Errors
    /// The file is not open for writing. Nothing was taken then.
    pub(crate) fn take(&self, bytes: &[u8], offset: u64, taken: &dyn Fn()) -> Result<(), Errno> {
        if bytes.len() <= MAX_SMALL && offset + bytes.len() as u64 <= self.len() {
            match self.try_write() {
                Some(content) => return self.take_now(content, bytes, offset, taken),
                None if self.take_ahead(bytes, offset) => {
                    taken();
                    return Ok(());
                }
                None => {}
            }
        }
        self.take_now(self.write(), bytes, offset, taken)
    }

    fn take_now(
        &self,
        mut content: RwLockWriteGuard<'_, Content>,
        bytes: &[u8],
        offset: u64,
        taken: &dyn Fn(),
    ) -> Result<(), Errno> {
        let Content::Exclusive(editor) = &mut *content else { return Err(Errno::BADF) };
        self.len.fetch_max(offset + bytes.len() as u64, Ordering::AcqRel);
        self.see_change();
        self.owed.store(true, Ordering::Relaxed);
        taken();
        self.write_or_keep(editor, bytes, offset);
        self.owed.store(false, Ordering::Relaxed);
        self.note(editor);
        self.keep_told_time();
        Ok(())
    }

    /// Takes whole chunks below the length while the content is in use. Returns whether there was room.
    fn take_ahead(&self, bytes: &[u8], offset: u64) -> bool {
        let Some(more) = self.ahead.add(offset / CHUNK_LEN as u64, bytes.as_chunks().0) else { return false };
        self.account.change(0, more);
        self.see_change();
        true
    }

    /// Puts the chunks that were taken meanwhile where they belong.
    pub(super) fn catch_up(&self, content: &mut Content) {
        let ahead = self.ahead.take();
        if ahead.is_empty() {
            return;
        }
        self.account.change((ahead.len() * CHUNK_LEN) as u64, 0);
        let Content::Exclusive(editor) = content else {
            // Whoever wrote them had it open for writing, and it stays so as long as it is open.
            return self.keep_error(Errno::IO);
        };
        for (number, page) in ahead {
            self.write_or_keep(editor, page.as_slice(), number * CHUNK_LEN as u64);
        }
        self.note(editor);
        self.keep_told_time();
    }

    /// Writes whole chunks that were acknowledged.
    fn write_or_keep(&self, editor: &mut Editor<Arc<File>>, bytes: &[u8], offset: u64) {
        if let Err(error) = editor.write_at(bytes, offset) {
            editor.keep(bytes, offset);
            let errno = self.told(&error);
            self.keep_error(errno);
        }
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

//! One open container: its content, and what has to be told about it. There is one for each file below, however many
//! descriptors and names it has.

mod ahead;
mod attributes;
mod content;
mod taking;
mod turns;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use rustix::io::Errno;
use waxseal_container::{ContainerError, Editor, Unlocked};

use self::ahead::Ahead;
pub(crate) use self::attributes::{AtStake, CLOCK_TICK, mode_at_stake};
pub(crate) use self::content::{Content, open_content};
use self::turns::Turns;
use crate::attributes::Stamp;
use crate::report::Reporter;
use crate::unflushed::Unflushed;

/// An open container.
#[derive(Debug)]
pub(crate) struct OpenFile {
    descriptor: RwLock<Descriptor>,
    unlocked: Unlocked,
    /// The name that errors call it.
    name: Mutex<OsString>,
    content: RwLock<Content>,
    /// In which order it is used.
    turns: Turns,
    /// What was taken while the content was in use.
    ahead: Ahead,
    /// Whether somebody is working on bytes that a program believes to be taken.
    owed: AtomicBool,
    /// Length of the plaintext in bytes, so that stat(2) waits for nobody.
    len: AtomicU64,
    /// Whether that became another one in a way that the kernel knows nothing of.
    len_moved: AtomicBool,
    /// Its large writes that are in hand.
    in_hand: AtomicUsize,
    /// Bytes that are in memory only, and the account of all files together.
    unflushed: AtomicU64,
    account: Arc<Unflushed>,
    facts: Mutex<Facts>,
    /// Whether it has no name any more: what is written into it serves its descriptors only.
    unlinked: AtomicBool,
    reporter: Reporter,
}

/// The file below.
#[derive(Clone, Debug)]
pub(crate) struct Descriptor {
    pub(crate) file: Arc<File>,
    /// Whether it is open for writing.
    pub(crate) writable: bool,
}

/// What there is to know about it besides its content.
#[derive(Debug)]
struct Facts {
    /// When the file was changed last, if below it says something else.
    modified: Option<SystemTime>,
    /// Whether a program knows that time, to the nanosecond.
    is_told: bool,
    /// The change of attributes below that was not a program's doing, and the time that programs are told instead.
    quiet: Option<(SystemTime, SystemTime)>,
    /// Since when something has been in memory only.
    unflushed_since: Option<Instant>,
    /// When it was used last.
    used: Instant,
    /// When the key service said yes last.
    allowed: Instant,
    /// An error that nobody has been told.
    error: Option<Errno>,
    /// Whether what it is about is lost: it is in memory no more, and cannot be tried again.
    is_lost: bool,
    /// What the file below was like when it was opened; it is not asked for where it was made then.
    opened_as: Option<Stamp>,
    /// Where the writes end that have been taken and wait for the content: it is as long then.
    reaches: Vec<u64>,
}

impl OpenFile {
    pub(crate) fn new(
        descriptor: Descriptor,
        (unlocked, allowed): (Unlocked, Instant),
        name: &OsStr,
        content: Content,
        account: &Arc<Unflushed>,
        reporter: &Reporter,
    ) -> Self {
        let facts = Facts {
            modified: None,
            is_told: false,
            quiet: None,
            unflushed_since: None,
            used: Instant::now(),
            allowed,
            error: None,
            is_lost: false,
            opened_as: None,
            reaches: Vec::new(),
        };
        Self {
            descriptor: RwLock::new(descriptor),
            unlocked,
            name: Mutex::new(name.to_owned()),
            len: AtomicU64::new(content.len()),
            len_moved: AtomicBool::new(false),
            in_hand: AtomicUsize::new(0),
            unflushed: AtomicU64::new(0),
            account: Arc::clone(account),
            content: RwLock::new(content),
            turns: Turns::default(),
            ahead: Ahead::default(),
            owed: AtomicBool::new(false),
            facts: Mutex::new(facts),
            unlinked: AtomicBool::new(false),
            reporter: reporter.clone(),
        }
    }

    /// Notes what the file below was like before it was read.
    pub(crate) fn set_opened_as(&self, stamp: Stamp) {
        self.facts().opened_as = Some(stamp);
    }

    /// The file below.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.descriptor.read().unwrap_or_else(PoisonError::into_inner).file)
    }

    /// The keys to what belongs to it.
    pub(crate) fn unlocked(&self) -> &Unlocked {
        &self.unlocked
    }

    /// Length of the plaintext in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Reads at an offset; fewer bytes than asked for only at the end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        let read = match &*self.read() {
            Content::Shared(container) => container.read_at(buffer, offset),
            Content::Exclusive(editor) => editor.read_at(buffer, offset),
            Content::Lost => return Err(Errno::IO),
        };
        read.map_err(|error| self.told(&error))
    }

    /// The next data or hole from an offset on (lseek(2)).
    pub(crate) fn seek(&self, offset: u64, data: bool) -> Result<Option<u64>, Errno> {
        let found = match &*self.read() {
            Content::Shared(container) if data => container.seek_data(offset),
            Content::Shared(container) => container.seek_hole(offset),
            Content::Exclusive(editor) if data => editor.seek_data(offset),
            Content::Exclusive(editor) => editor.seek_hole(offset),
            Content::Lost => return Err(Errno::IO),
        };
        found.map_err(|error| self.told(&error))
    }

    /// Changes the content, as the file's only writer. What programs see as the time of the change is now.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Editor<Arc<File>>) -> Result<T, ContainerError>,
    ) -> Result<T, Errno> {
        let mut content = self.write();
        let Content::Exclusive(editor) = &mut *content else { return Err(Errno::BADF) };
        let result = change(editor).map_err(|error| self.told(&error));
        if result.is_ok() {
            self.note(editor)
        } else {
            self.note_unseen(editor)
        }
        let mut facts = self.facts();
        facts.used = Instant::now();
        if result.is_ok() {
            (facts.modified, facts.is_told) = (Some(SystemTime::now()), false);
        }
        result
    }

    /// Notes what the content is like after something was done to it.
    pub(crate) fn note(&self, editor: &Editor<Arc<File>>) {
        let unflushed = editor.unflushed_len();
        self.account.change(self.unflushed.swap(unflushed, Ordering::Relaxed), unflushed);
        let mut facts = self.facts();
        let reach = facts.reaches.iter().copied().max().unwrap_or(0);
        self.len.store(editor.len().max(reach), Ordering::Release);
        let since = facts.unflushed_since.take();
        // Whoever takes more now says so after this.
        let is_behind = unflushed > 0 || !self.ahead.is_idle();
        facts.unflushed_since = is_behind.then(|| since.unwrap_or_else(Instant::now));
    }

    /// Gives what is in memory to the file below, unless that would have to wait for the disk and `may_wait` is not set.
    pub(crate) fn flush(&self, may_wait: bool) -> Result<(), Errno> {
        if self.unflushed_since().is_some() {
            self.exclusive(|editor| if may_wait || !editor.needs_barrier()? { editor.flush() } else { Ok(()) })?;
        }
        self.take_error()
    }

    /// Waits until everything is on the disk.
    pub(crate) fn sync(&self) -> Result<(), Errno> {
        // The time of the change goes to the disk together with the change.
        self.exclusive(Editor::flush)?;
        self.exclusive(Editor::sync)?;
        self.take_error()
    }

    /// Does something to the content that programs do not see, and gives the file below its attributes back.
    fn exclusive(&self, act: impl FnOnce(&mut Editor<Arc<File>>) -> Result<(), ContainerError>) -> Result<(), Errno> {
        let mut content = self.write();
        let Content::Exclusive(editor) = &mut *content else { return Ok(()) };
        let at_stake = self.at_stake();
        let result = act(editor).map_err(|error| self.told(&error));
        self.note_unseen(editor);
        self.restore(&at_stake);
        result
    }

    /// As [`OpenFile::note`], after something that programs do not see: if the length is another one, a change of it that failed
    /// has turned out to be made after all.
    pub(crate) fn note_unseen(&self, editor: &Editor<Arc<File>>) {
        let before = self.len();
        self.note(editor);
        if self.len() != before {
            self.len_moved.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the length became another one in a way that the kernel knows nothing of, since this was asked last.
    pub(crate) fn take_len_moved(&self) -> bool {
        self.len_moved.swap(false, Ordering::Relaxed)
    }

    /// The name that errors call it.
    pub(crate) fn name(&self) -> OsString {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that it is called something else.
    pub(crate) fn rename(&self, name: &OsStr) {
        name.clone_into(&mut self.name.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes that its last name is gone.
    pub(crate) fn set_unlinked(&self) {
        self.unlinked.store(true, Ordering::Relaxed);
    }

    /// Whether its last name is gone.
    pub(crate) fn is_unlinked(&self) -> bool {
        self.unlinked.load(Ordering::Relaxed)
    }

    /// Since when something has been in memory only.
    pub(crate) fn unflushed_since(&self) -> Option<Instant> {
        self.facts().unflushed_since
    }

    /// When it was used last.
    pub(crate) fn used(&self) -> Instant {
        self.facts().used
    }

    /// Notes that it is used.
    pub(crate) fn touch(&self) {
        self.facts().used = Instant::now();
    }

    /// When the key service said yes last.
    pub(crate) fn allowed(&self) -> Instant {
        self.facts().allowed
    }

    /// Notes when the key service said yes last.
    pub(crate) fn allow(&self, since: Instant) {
        self.facts().allowed = since;
    }

    /// Keeps an error for whoever asks next. What is in memory is tried again after a while.
    pub(crate) fn keep_error(&self, error: Errno) {
        let mut facts = self.facts();
        facts.error = Some(error);
        facts.used = Instant::now();
        if facts.unflushed_since.is_some() {
            facts.unflushed_since = Some(Instant::now());
        }
    }

    /// As [`OpenFile::keep_error`], where what was written may be lost.
    pub(crate) fn keep_loss(&self) {
        self.keep_error(Errno::IO);
        self.facts().is_lost = true;
    }

    /// Whether something may be lost that nobody has been told.
    pub(crate) fn has_lost(&self) -> bool {
        self.facts().is_lost && !self.is_unlinked()
    }

    /// The error that nobody has been told, once.
    pub(crate) fn take_error(&self) -> Result<(), Errno> {
        let mut facts = self.facts();
        facts.is_lost = false;
        facts.error.take().map_or(Ok(()), Err)
    }

    /// Whether nothing is left to do before it can be closed; `None` while it is in use.
    pub(crate) fn is_finished(&self) -> Option<bool> {
        self.try_write().map(|content| content.is_finished())
    }

    /// As [`OpenFile::is_finished`], once nobody uses it.
    pub(crate) fn is_finished_at_last(&self) -> bool {
        self.write().is_finished()
    }

    /// Logs what went wrong, and says what programs are told.
    pub(crate) fn told(&self, error: &ContainerError) -> Errno {
        self.reporter.container(&self.name(), error)
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // What is left in memory belongs to a file that has no name any more.
        self.account.change(*self.unflushed.get_mut() + self.ahead.len(), 0);
        if self.has_lost() {
            self.account.lose();
        }
    }
}

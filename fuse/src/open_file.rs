//! One open container: its content, and what has to be told about it. There is one for each file below, however many
//! descriptors and names it has.

mod attributes;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::{Instant, SystemTime};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use waxseal_container::{Container, ContainerError, Editor, Unlocked};
use waxseal_envelope::{lock_exclusive, lock_shared, unlock};

pub(crate) use self::attributes::{AtStake, CLOCK_TICK, mode_at_stake};
use crate::backing;
use crate::report::{Reporter, errno};
use crate::unflushed::Unflushed;

/// An open container.
#[derive(Debug)]
pub(crate) struct OpenFile {
    descriptor: RwLock<Descriptor>,
    unlocked: Unlocked,
    /// The name that errors call it.
    name: Mutex<OsString>,
    content: RwLock<Content>,
    /// Length of the plaintext in bytes, so that stat(2) waits for nobody.
    len: AtomicU64,
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

/// The content, in one of two ways.
#[derive(Debug)]
pub(crate) enum Content {
    /// Read only so far: other processes may read it too.
    Shared(Container<Arc<File>>),
    /// Written, and locked against everybody else.
    Exclusive(Editor<Arc<File>>),
    /// On its way from one to the other; left behind if that failed half way.
    Lost,
}

impl Content {
    fn len(&self) -> u64 {
        match self {
            Self::Shared(container) => container.len(),
            Self::Exclusive(editor) => editor.len(),
            Self::Lost => 0,
        }
    }
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
        };
        Self {
            descriptor: RwLock::new(descriptor),
            unlocked,
            name: Mutex::new(name.to_owned()),
            len: AtomicU64::new(content.len()),
            unflushed: AtomicU64::new(0),
            account: Arc::clone(account),
            content: RwLock::new(content),
            facts: Mutex::new(facts),
            unlinked: AtomicBool::new(false),
            reporter: reporter.clone(),
        }
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

    /// Makes sure that this process is the file's only writer.
    ///
    /// # Errors
    /// `EROFS` or `EACCES` if the file below cannot be written; `EBUSY` if another process uses it.
    pub(crate) fn claim(&self) -> Result<(), Errno> {
        let mut content = self.write();
        match &*content {
            Content::Exclusive(_) => return Ok(()),
            Content::Lost => return Err(Errno::IO),
            Content::Shared(_) => {}
        }
        if !self.descriptor.read().unwrap_or_else(PoisonError::into_inner).writable {
            self.reopen(&mut content)?;
        }
        let file = self.file();
        if !lock_exclusive(&file).map_err(|error| errno(&error))? {
            let name = crate::report::shown(&self.name());
            self.reporter.warning(&format!("{name}: another process uses this container, so it cannot be written"));
            return Err(Errno::BUSY);
        }
        let Content::Shared(container) = std::mem::replace(&mut *content, Content::Lost) else { return Err(Errno::IO) };
        match Editor::from_container(container) {
            Ok(editor) => {
                *content = Content::Exclusive(editor);
                Ok(())
            }
            Err(error) => {
                // Who reads goes on reading.
                if let Ok((shared, _)) = open_content(self.unlocked.clone(), &file, false) {
                    *content = shared;
                }
                Err(self.told(&error))
            }
        }
    }

    /// Opens the file below for writing, which was not allowed when it was opened first.
    fn reopen(&self, content: &mut Content) -> Result<(), Errno> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::open(backing::path_of(self.file()), flags, Mode::empty())?;
        let file = Arc::new(File::from(file));
        if !lock_shared(&file).map_err(|error| errno(&error))? {
            return Err(Errno::BUSY);
        }
        let (reopened, _) = open_content(self.unlocked.clone(), &file, false).map_err(|error| self.told(&error))?;
        *content = reopened;
        let descriptor = Descriptor { file, writable: true };
        let before =
            std::mem::replace(&mut *self.descriptor.write().unwrap_or_else(PoisonError::into_inner), descriptor);
        // Others may be using the old description still: its lock must not stand in the way of the new one's.
        unlock(&before.file).map_err(|error| errno(&error))
    }

    /// Changes the content, as the file's only writer. What programs see as the time of the change is now.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Editor<Arc<File>>) -> Result<T, ContainerError>,
    ) -> Result<T, Errno> {
        let mut content = self.write();
        let Content::Exclusive(editor) = &mut *content else { return Err(Errno::BADF) };
        let result = change(editor).map_err(|error| self.told(&error));
        self.note(editor);
        let mut facts = self.facts();
        facts.used = Instant::now();
        if result.is_ok() {
            (facts.modified, facts.is_told) = (Some(SystemTime::now()), false);
        }
        result
    }

    /// Notes what the content is like after something was done to it.
    pub(crate) fn note(&self, editor: &Editor<Arc<File>>) {
        self.len.store(editor.len(), Ordering::Release);
        let unflushed = editor.unflushed_len();
        self.account.change(self.unflushed.swap(unflushed, Ordering::Relaxed), unflushed);
        let mut facts = self.facts();
        let since = facts.unflushed_since.take();
        facts.unflushed_since = (unflushed > 0).then(|| since.unwrap_or_else(Instant::now));
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
        self.note(editor);
        self.restore(&at_stake);
        result
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

    /// The error that nobody has been told, once.
    pub(crate) fn take_error(&self) -> Result<(), Errno> {
        self.facts().error.take().map_or(Ok(()), Err)
    }

    /// The content, for whoever does not want to wait; `None` while it is in use.
    fn try_write(&self) -> Option<RwLockWriteGuard<'_, Content>> {
        match self.content.try_write() {
            Ok(content) => Some(content),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.heal(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether nothing is left to do before it can be closed; `None` while it is in use.
    pub(crate) fn is_finished(&self) -> Option<bool> {
        let content = self.try_write()?;
        Some(match &*content {
            Content::Exclusive(editor) => editor.unflushed_len() == 0 && editor.is_settled(),
            Content::Shared(_) | Content::Lost => true,
        })
    }

    /// Logs what went wrong, and says what programs are told.
    pub(crate) fn told(&self, error: &ContainerError) -> Errno {
        self.reporter.container(&self.name(), error)
    }

    /// The content, beside other readers.
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        match self.content.read() {
            Ok(content) => content,
            Err(poisoned) => {
                drop(poisoned);
                drop(self.write());
                self.content.read().unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    /// The content, alone.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(|poisoned| self.heal(poisoned.into_inner()))
    }

    /// After a panic in the middle of a change: the content is taken from the disk again.
    fn heal<'a>(&self, mut content: RwLockWriteGuard<'a, Content>) -> RwLockWriteGuard<'a, Content> {
        if let Content::Exclusive(editor) = &mut *content {
            editor.distrust();
        }
        self.content.clear_poison();
        content
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // What is left in memory belongs to a file that has no name any more.
        self.account.change(*self.unflushed.get_mut(), 0);
    }
}

/// Opens a container's content: shared if it is in order, exclusively if it has to be repaired or is to be written.
///
/// Returns whether it had been interrupted.
///
/// # Errors
/// It is damaged; it was interrupted and may not be repaired here because another process uses it (`EBUSY` as an error of
/// writing).
pub(crate) fn open_content(
    unlocked: Unlocked,
    file: &Arc<File>,
    may_repair: bool,
) -> Result<(Content, bool), ContainerError> {
    use waxseal_container::Interrupted;
    let refused = Container::open(unlocked.clone(), Arc::clone(file), Interrupted::Refuse);
    match refused {
        Ok(container) => Ok((Content::Shared(container), false)),
        Err(ContainerError::Interrupted) if may_repair => {
            if !lock_exclusive(file).map_err(ContainerError::Write)? {
                return Err(ContainerError::Write(io::Error::from(Errno::BUSY)));
            }
            Editor::open(unlocked, Arc::clone(file)).map(|editor| (Content::Exclusive(editor), true))
        }
        Err(ContainerError::Interrupted) => {
            let container = Container::open(unlocked, Arc::clone(file), Interrupted::Recover)?;
            Ok((Content::Shared(container), true))
        }
        Err(error) => Err(error),
    }
}

//! The content of an open container, and who uses it: many readers or one writer.

use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use waxseal_container::{Container, ContainerError, Editor, Interrupted, Unlocked};
use waxseal_envelope::{lock_exclusive, lock_shared, unlock};

use super::turns::Turn;
use super::{Descriptor, OpenFile};
use crate::attributes::Stamp;
use crate::backing;
use crate::report::errno;

/// The content, in one of two ways.
#[derive(Debug)]
pub(crate) enum Content {
    /// Read only so far: other processes may read it too.
    Shared(Box<Container<Arc<File>>>),
    /// Written, and locked against everybody else.
    Exclusive(Box<Editor<Arc<File>>>),
    /// On its way from one to the other; left behind if that failed half way.
    Lost,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Shared(container) => container.len(),
            Self::Exclusive(editor) => editor.len(),
            Self::Lost => 0,
        }
    }

    /// Whether nothing is left to be written.
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::Exclusive(editor) => editor.unflushed_len() == 0 && editor.is_settled(),
            Self::Shared(_) | Self::Lost => true,
        }
    }

    /// Whether so many bytes more stay in memory, with nothing written to the file below for them.
    pub(super) fn has_room(&self, len: usize) -> bool {
        matches!(self, Self::Exclusive(editor) if editor.has_room(len))
    }
}

impl OpenFile {
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
        match Editor::from_container(*container) {
            Ok(editor) => {
                *content = Content::Exclusive(Box::new(editor));
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

    /// The content, for whoever does not want to wait; `None` while it is in use.
    pub(super) fn try_write(&self) -> Option<RwLockWriteGuard<'_, Content>> {
        let mut content = self.try_lock()?;
        self.catch_up(&mut content);
        Some(content)
    }

    /// Whether nobody else has changed the file below since it was opened, as far as its stamp tells. What was remembered of a file
    /// that somebody changed may have been shown, and kept by the kernel, since then.
    pub(crate) fn is_as_opened(&self, stamp: Stamp) -> bool {
        // Whoever writes it changes it himself, and keeps all others away.
        matches!(*self.read(), Content::Exclusive(_)) || self.facts().opened_as.is_none_or(|opened| opened == stamp)
    }

    /// The content, beside other readers.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Content> {
        let turn = self.turns.take();
        turn.wait();
        if self.ahead.is_due() {
            self.catch_up(&mut self.alone());
        }
        match self.content.read() {
            Ok(content) => content,
            Err(poisoned) => {
                drop(poisoned);
                drop(self.alone());
                self.content.read().unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    /// The content, alone.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Content> {
        let mut content = self.lock();
        self.catch_up(&mut content);
        content
    }

    /// The content, alone, without what was taken meanwhile.
    pub(super) fn lock(&self) -> RwLockWriteGuard<'_, Content> {
        self.lock_in(self.turns.take())
    }

    /// As [`OpenFile::lock`], for whoever has a turn.
    pub(super) fn lock_in(&self, turn: Turn<'_>) -> RwLockWriteGuard<'_, Content> {
        turn.wait();
        let content = self.alone();
        drop(turn);
        content
    }

    /// The content, for whoever's turn it is.
    fn alone(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(|poisoned| self.heal(poisoned.into_inner()))
    }

    /// As [`OpenFile::lock`]; `None` while it is in use, or somebody waits for it.
    pub(super) fn try_lock(&self) -> Option<RwLockWriteGuard<'_, Content>> {
        let _turn = self.turns.try_take()?;
        match self.content.try_write() {
            Ok(content) => Some(content),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.heal(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// After a panic in the middle of a change: the content is taken from the disk again.
    fn heal<'a>(&self, mut content: RwLockWriteGuard<'a, Content>) -> RwLockWriteGuard<'a, Content> {
        // What was in memory may be lost, and whoever wrote it believes that it is there.
        if self.owed.swap(false, Ordering::Relaxed) || self.unflushed_since().is_some() {
            self.keep_loss();
        }
        if let Content::Exclusive(editor) = &mut *content {
            editor.distrust();
            self.note_unseen(editor);
        }
        self.content.clear_poison();
        content
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
    let refused = Container::open(unlocked.clone(), Arc::clone(file), Interrupted::Refuse);
    match refused {
        Ok(container) => Ok((Content::Shared(Box::new(container)), false)),
        Err(ContainerError::Interrupted) if may_repair => {
            if !lock_exclusive(file).map_err(ContainerError::Write)? {
                return Err(ContainerError::Write(io::Error::from(Errno::BUSY)));
            }
            Editor::open(unlocked, Arc::clone(file)).map(|editor| (Content::Exclusive(Box::new(editor)), true))
        }
        Err(ContainerError::Interrupted) => {
            let container = Container::open(unlocked, Arc::clone(file), Interrupted::Recover)?;
            Ok((Content::Shared(Box::new(container)), true))
        }
        Err(error) => Err(error),
    }
}

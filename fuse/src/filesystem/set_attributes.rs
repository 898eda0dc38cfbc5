//! Changing attributes: owner, mode, times and length.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{AtFlags, FileType, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use super::{Caller, Filesystem};
use crate::attributes::{Attributes, timespec};
use crate::backing::path_of;
use crate::open_file::OpenFile;

/// What is to be another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) size: Option<u64>,
    pub(crate) accessed: Option<SystemTime>,
    pub(crate) modified: Option<SystemTime>,
}

impl Filesystem {
    /// Changes attributes of a file, through one of its descriptors if the program used one.
    ///
    /// # Errors
    /// What the file system below says; for a length, what opening and changing a container says.
    pub(crate) async fn set_attributes(
        self: &Arc<Self>,
        node: u64,
        handle: Option<u64>,
        changes: Changes,
        caller: Caller,
    ) -> Result<Attributes, Errno> {
        self.writable()?;
        let by_handle = handle.and_then(|handle| self.open.handle(handle).ok()).map(|handle| Arc::clone(&handle.file));
        if let Some(size) = changes.size {
            let file = match &by_handle {
                Some(file) => Arc::clone(file),
                None => self.open_file(node).await?.0,
            };
            let result = self.set_len(&file, size, caller);
            drop(file);
            self.close_if_done(node);
            result?;
        }
        let open = by_handle.or_else(|| self.open.get(node));
        match &open {
            Some(file) => self.apply(file.file(), Some(file), &changes)?,
            None => self.apply(self.backing.pin(&self.nodes, node)?.as_fd(), None, &changes)?,
        }
        match &open {
            // It may have no name any more.
            Some(file) => Ok(self.shown_attributes(node, &crate::backing::status(file.file())?)),
            None => self.attributes(node),
        }
    }

    fn apply(&self, target: impl AsFd, open: Option<&Arc<OpenFile>>, changes: &Changes) -> Result<(), Errno> {
        let _held = open.and_then(|file| file.hold_mode());
        if changes.uid.is_some() || changes.gid.is_some() {
            let (uid, gid) = (changes.uid.map(Uid::from_raw), changes.gid.map(Gid::from_raw));
            rustix::fs::chownat(&target, c"", uid, gid, AtFlags::EMPTY_PATH)?;
        }
        if let Some(mode) = changes.mode {
            let kind = crate::backing::status(&target)?.kind;
            if kind == FileType::Symlink {
                return Err(Errno::OPNOTSUPP);
            }
            // Through /proc, since the descriptor may be one that only names the file.
            let mode = Mode::from_raw_mode(mode & 0o7777);
            rustix::fs::chmodat(rustix::fs::CWD, path_of(&target), mode, AtFlags::empty())?;
        }
        if changes.accessed.is_some() || changes.modified.is_some() {
            if let (Some(file), Some(modified)) = (open, changes.modified) {
                file.set_modified(modified);
            }
            let given = |time: Option<SystemTime>| time.map_or(Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, timespec);
            let times = Timestamps { last_access: given(changes.accessed), last_modification: given(changes.modified) };
            rustix::fs::utimensat(&target, c"", &times, AtFlags::EMPTY_PATH)?;
        }
        Ok(())
    }
}

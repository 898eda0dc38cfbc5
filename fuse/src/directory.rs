//! Listing a directory: what lies below, without what the mount hides.

use std::collections::{HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FileType, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;

use crate::backing::status_at;
use crate::names;

/// Bytes of entries that are asked for at once.
const BUFFER_LEN: usize = 16 << 10;

/// The listings of a mount.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    open: Mutex<HashMap<u64, Arc<Mutex<Listing>>>>,
    last: AtomicU64,
}

/// A directory that is being listed.
#[derive(Debug)]
pub(crate) struct Listing {
    node: u64,
    directory: OwnedFd,
    /// Entries that were read and not taken yet.
    ahead: VecDeque<Entry>,
    /// The offset of the next entry that is taken.
    at: u64,
    is_at_end: bool,
}

/// An entry, as the mount shows it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The name in the mount.
    pub(crate) name: OsString,
    /// The name below.
    pub(crate) stored: OsString,
    pub(crate) inode: u64,
    pub(crate) kind: FileType,
    /// Where the entry after it begins (telldir(3)).
    pub(crate) next: u64,
}

impl Directories {
    /// Begins a listing.
    pub(crate) fn begin(&self, node: u64, directory: &OwnedFd) -> Result<u64, Errno> {
        let listing = Listing::new(node, directory, OsStr::new("."))?;
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.open().insert(number, Arc::new(Mutex::new(listing)));
        Ok(number)
    }

    /// A listing.
    ///
    /// # Errors
    /// `EBADF` if there is none of this number.
    pub(crate) fn get(&self, number: u64) -> Result<Arc<Mutex<Listing>>, Errno> {
        self.open().get(&number).cloned().ok_or(Errno::BADF)
    }

    /// Ends a listing.
    pub(crate) fn close(&self, number: u64) {
        self.open().remove(&number);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Mutex<Listing>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there are entries in a directory, and none of them is shown.
pub(crate) fn has_only_hidden(directory: &OwnedFd, name: &OsStr) -> Result<bool, Errno> {
    let mut listing = Listing::new(0, directory, name)?;
    while let Some(entry) = listing.peek()? {
        if entry.name != "." && entry.name != ".." {
            return Ok(false);
        }
        listing.advance();
    }
    Ok(true)
}

impl Listing {
    fn new(node: u64, parent: &OwnedFd, name: &OsStr) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        Ok(Self { node, directory, ahead: VecDeque::new(), at: 0, is_at_end: false })
    }

    /// The directory's node.
    pub(crate) fn node(&self) -> u64 {
        self.node
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Goes to an offset that an entry named, or to the beginning.
    pub(crate) fn seek(&mut self, offset: u64) -> Result<(), Errno> {
        // At the beginning everything is read anew (rewinddir(3)).
        if offset == self.at && offset != 0 {
            return Ok(());
        }
        rustix::fs::seek(&self.directory, SeekFrom::Start(offset))?;
        self.ahead.clear();
        (self.at, self.is_at_end) = (offset, false);
        Ok(())
    }

    /// The next entry; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<Entry>, Errno> {
        while self.ahead.is_empty() && !self.is_at_end {
            self.read()?;
        }
        Ok(self.ahead.front().cloned())
    }

    /// Passes the next entry.
    pub(crate) fn advance(&mut self) {
        if let Some(entry) = self.ahead.pop_front() {
            self.at = entry.next;
        }
    }

    fn read(&mut self) -> Result<(), Errno> {
        let mut buffer = Vec::with_capacity(BUFFER_LEN);
        let mut entries = RawDir::new(&self.directory, buffer.spare_capacity_mut());
        let mut found = Vec::new();
        loop {
            match entries.next() {
                None => {
                    self.is_at_end = true;
                    break;
                }
                Some(entry) => {
                    let entry = entry?;
                    let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
                    found.push((name, entry.ino(), entry.file_type(), entry.next_entry_cookie()));
                }
            }
            if entries.is_buffer_empty() {
                break;
            }
        }
        for (stored, inode, kind, next) in found {
            if let Some(entry) = self.entry(stored, inode, kind, next) {
                self.ahead.push_back(entry);
            }
        }
        Ok(())
    }

    /// An entry, if it is shown.
    fn entry(&self, stored: OsString, inode: u64, kind: FileType, next: u64) -> Option<Entry> {
        let kind = if kind == FileType::Unknown { status_at(&self.directory, &stored).ok()?.kind } else { kind };
        let name = names::shown(&stored, kind)?.to_owned();
        let is_special = stored == "." || stored == "..";
        if kind != FileType::RegularFile && !is_special && name.len() <= names::MAX_NAME_LEN {
            // A container of the same name goes before it.
            let container = status_at(&self.directory, &names::of_container(&name));
            if container.is_ok_and(|below| below.kind == FileType::RegularFile) {
                return None;
            }
        }
        Some(Entry { name, stored, inode, kind, next })
    }
}

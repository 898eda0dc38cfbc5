//! What the requests work on: open files, listings, and the tree they are in.

use std::collections::{HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fuser::{Errno, FileAttr, FileHandle, Generation, INodeNo};
use rustix::fs::{Mode, OFlags, RawDir, SeekFrom};

use crate::faults::{Fault, Faults};
use crate::tree::{Tree, attributes, kind, lock, status, told};

/// Bytes of directory entries that are asked for at once.
const ENTRIES_LEN: usize = 16 << 10;

/// The file system.
#[derive(Debug)]
pub(crate) struct Passthrough {
    pub(crate) tree: Tree,
    faults: Faults,
    files: RwLock<HashMap<u64, Arc<File>>>,
    listings: Mutex<HashMap<u64, Arc<Mutex<Listing>>>>,
    last: AtomicU64,
}

/// A directory that is being listed.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) directory: OwnedFd,
    ahead: VecDeque<Entry>,
    /// The offset of the first of `ahead`, or of what is read next.
    at: u64,
}

/// An entry of a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) number: INodeNo,
    pub(crate) kind: fuser::FileType,
    /// Where the entry after it begins (telldir(3)).
    pub(crate) next: u64,
}

impl Passthrough {
    /// Serves a directory.
    pub(crate) fn new(directory: &Path, faults: Faults) -> io::Result<Self> {
        let tree = Tree::new(directory)?;
        Ok(Self { tree, faults, files: RwLock::default(), listings: Mutex::default(), last: AtomicU64::new(0) })
    }

    /// An open file.
    pub(crate) fn file(&self, handle: FileHandle) -> Result<Arc<File>, Errno> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).get(&handle.0).cloned().ok_or(Errno::EBADF)
    }

    /// Gives out a handle on a file.
    pub(crate) fn add(&self, file: OwnedFd) -> FileHandle {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        self.files.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(file.into()));
        FileHandle(number)
    }

    /// Takes a handle back.
    pub(crate) fn remove(&self, handle: FileHandle) -> Option<Arc<File>> {
        self.files.write().unwrap_or_else(PoisonError::into_inner).remove(&handle.0)
    }

    /// Begins to list a directory.
    pub(crate) fn begin_listing(&self, node: INodeNo) -> Result<FileHandle, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = self.tree.directory(node)?;
        let directory = rustix::fs::openat(&*directory, c".", flags, Mode::empty()).map_err(told)?;
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let listing = Listing { directory, ahead: VecDeque::new(), at: 0 };
        lock(&self.listings).insert(number, Arc::new(Mutex::new(listing)));
        Ok(FileHandle(number))
    }

    /// Ends a listing.
    pub(crate) fn end_listing(&self, handle: FileHandle) {
        lock(&self.listings).remove(&handle.0);
    }

    /// Makes something under a name, and tells what it is.
    pub(crate) fn named(
        &self,
        parent: INodeNo,
        name: &OsStr,
        make: impl FnOnce(&OwnedFd) -> rustix::io::Result<()>,
    ) -> Result<(FileAttr, Generation), Errno> {
        make(&*self.tree.directory(parent)?).map_err(told)?;
        self.tree.lookup(parent, name)
    }

    /// The attributes of an open file, or of what lies at its name.
    pub(crate) fn attributes(&self, node: INodeNo, handle: Option<FileHandle>) -> Result<FileAttr, Errno> {
        let found = match handle.and_then(|handle| self.file(handle).ok()) {
            Some(file) => status(&*file, OsStr::new(""))?,
            None => {
                let (directory, name) = self.tree.find(node)?;
                status(&*directory, &name)?
            }
        };
        Ok(attributes(node, &found))
    }

    /// Writes to an open file, and returns how many bytes that were.
    pub(crate) fn write(&self, handle: FileHandle, data: &[u8], offset: u64) -> Result<usize, Errno> {
        let data = match self.faults.of("write") {
            Some(Fault::Error) => return Err(Errno::EIO),
            Some(Fault::Half) => &data[..data.len().div_ceil(2)],
            None => data,
        };
        Ok(self.file(handle)?.write_at(data, offset)?)
    }

    /// Waits for the disk.
    pub(crate) fn sync(&self, handle: FileHandle, data_only: bool) -> Result<(), Errno> {
        if self.faults.of("sync").is_some() {
            return Err(Errno::EIO);
        }
        let file = self.file(handle)?;
        Ok(if data_only { file.sync_data() } else { file.sync_all() }?)
    }

    /// Sets the length of an open file, or of what lies at its name.
    pub(crate) fn truncate(&self, node: INodeNo, handle: Option<FileHandle>, size: u64) -> Result<(), Errno> {
        if self.faults.of("truncate").is_some() {
            return Err(Errno::EIO);
        }
        match handle.and_then(|handle| self.file(handle).ok()) {
            Some(file) => rustix::fs::ftruncate(&*file, size).map_err(told),
            None => {
                let (directory, name) = self.tree.find(node)?;
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&*directory, &name, flags, Mode::empty()).map_err(told)?;
                rustix::fs::ftruncate(file, size).map_err(told)
            }
        }
    }

    /// The path by which the system reaches a file: there is no call for attributes by directory and name.
    pub(crate) fn path(&self, node: INodeNo) -> Result<OsString, Errno> {
        let (directory, name) = self.tree.find(node)?;
        let mut path = OsString::from(format!("/proc/self/fd/{}/", directory.as_raw_fd()));
        path.push(name);
        Ok(path)
    }

    /// Lists a directory from `offset` on, until `add` says that there is no more room.
    pub(crate) fn list(
        &self,
        handle: FileHandle,
        offset: u64,
        mut add: impl FnMut(&Listing, &Entry) -> bool,
    ) -> Result<(), Errno> {
        let listing = lock(&self.listings).get(&handle.0).cloned().ok_or(Errno::EBADF)?;
        let mut listing = lock(&listing);
        if offset != listing.at || offset == 0 {
            rustix::fs::seek(&listing.directory, SeekFrom::Start(offset)).map_err(told)?;
            listing.ahead.clear();
            listing.at = offset;
        }
        loop {
            if listing.ahead.is_empty() && !listing.read().map_err(told)? {
                return Ok(());
            }
            while let Some(entry) = listing.ahead.pop_front() {
                if add(&listing, &entry) {
                    listing.ahead.push_front(entry);
                    return Ok(());
                }
                listing.at = entry.next;
            }
        }
    }
}

impl Listing {
    /// Reads entries; false at the end.
    fn read(&mut self) -> rustix::io::Result<bool> {
        let mut buffer = Vec::with_capacity(ENTRIES_LEN);
        let mut entries = RawDir::new(self.directory.as_fd(), buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
            let (number, next) = (INodeNo(entry.ino()), entry.next_entry_cookie());
            self.ahead.push_back(Entry { name, number, kind: kind(entry.file_type()), next });
            if entries.is_buffer_empty() {
                break;
            }
        }
        Ok(!self.ahead.is_empty())
    }
}

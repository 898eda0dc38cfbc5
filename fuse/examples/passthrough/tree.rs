//! Which number stands for which file: a directory and a name in it, and no descriptor but those of some directories.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::Hash;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileAttr, FileType, Generation, INodeNo};
use rustix::fs::{AtFlags, Mode, OFlags, Statx, StatxFlags, StatxTimestamp, makedev};

/// Closed files that are remembered.
const MAX_KEPT: usize = 16_384;
/// Directories that are kept open.
const MAX_DIRECTORIES: usize = 1024;

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// The directory that was mounted, and what the kernel knows of it.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Arc<OwnedFd>,
    known: Mutex<HashMap<INodeNo, Known>>,
    directories: Mutex<HashMap<INodeNo, Arc<OwnedFd>>>,
    /// What files were like when they were closed, so that the kernel may keep its pages.
    closed: Mutex<HashMap<INodeNo, Stamp>>,
}

#[derive(Debug)]
struct Known {
    parent: INodeNo,
    name: OsString,
    lookups: u64,
}

/// Size, and times of change: what tells a changed file from an unchanged one.
type Stamp = (u64, (i64, u32), (i64, u32));

impl Tree {
    /// Opens the directory.
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Arc::new(rustix::fs::open(directory, flags, Mode::empty())?);
        Ok(Self { root, known: Mutex::default(), directories: Mutex::default(), closed: Mutex::default() })
    }

    /// A directory, by its number.
    pub(crate) fn directory(&self, number: INodeNo) -> Result<Arc<OwnedFd>, Errno> {
        if number == INodeNo::ROOT {
            return Ok(Arc::clone(&self.root));
        }
        if let Some(directory) = lock(&self.directories).get(&number) {
            return Ok(Arc::clone(directory));
        }
        let (parent, name) = self.place(number)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(self.directory(parent)?, &name, flags, Mode::empty()).map_err(told)?;
        let opened = Arc::new(opened);
        keep(&self.directories, number, Arc::clone(&opened), MAX_DIRECTORIES);
        Ok(opened)
    }

    /// Where a file is: the directory that it lies in, and its name there.
    pub(crate) fn find(&self, number: INodeNo) -> Result<(Arc<OwnedFd>, OsString), Errno> {
        if number == INodeNo::ROOT {
            return Ok((Arc::clone(&self.root), ".".into()));
        }
        let (parent, name) = self.place(number)?;
        Ok((self.directory(parent)?, name))
    }

    /// Looks up a name, and notes that the kernel is told of it.
    pub(crate) fn lookup(&self, parent: INodeNo, name: &OsStr) -> Result<(FileAttr, Generation), Errno> {
        let found = status(self.directory(parent)?, name)?;
        Ok(self.know(parent, name, &found))
    }

    /// Notes that the kernel is told of a file.
    pub(crate) fn know(&self, parent: INodeNo, name: &OsStr, found: &Statx) -> (FileAttr, Generation) {
        let number = INodeNo(found.stx_ino);
        let mut known = lock(&self.known);
        let entry = known.entry(number).or_insert_with(|| Known { parent, name: name.to_owned(), lookups: 0 });
        entry.lookups += 1;
        if entry.parent != parent || entry.name != name {
            (entry.parent, entry.name) = (parent, name.to_owned());
        }
        // A number is used again, but not with the same time of birth.
        (attributes(number, found), Generation(u64::from(found.stx_btime.tv_nsec)))
    }

    /// Notes that a file that the kernel may know has another name now.
    pub(crate) fn moved(&self, parent: INodeNo, name: &OsStr) {
        let Ok(found) = self.directory(parent).and_then(|directory| status(directory, name)) else { return };
        if let Some(known) = lock(&self.known).get_mut(&INodeNo(found.stx_ino)) {
            (known.parent, known.name) = (parent, name.to_owned());
        }
    }

    /// Notes that the kernel has forgotten a file so many times.
    pub(crate) fn forget(&self, number: INodeNo, count: u64) {
        let mut known = lock(&self.known);
        let Some(entry) = known.get_mut(&number) else { return };
        entry.lookups = entry.lookups.saturating_sub(count);
        if entry.lookups == 0 {
            known.remove(&number);
            drop(known);
            lock(&self.directories).remove(&number);
        }
    }

    /// Notes what a file is like when it is closed.
    pub(crate) fn close(&self, number: INodeNo, file: &File) {
        if let Ok(found) = status(file, OsStr::new("")) {
            keep(&self.closed, number, stamp(&found), MAX_KEPT);
        }
    }

    /// Whether a file is what it was when it was closed last.
    pub(crate) fn is_unchanged(&self, number: INodeNo, file: &File) -> bool {
        let Ok(found) = status(file, OsStr::new("")) else { return false };
        lock(&self.closed).get(&number) == Some(&stamp(&found))
    }

    fn place(&self, number: INodeNo) -> Result<(INodeNo, OsString), Errno> {
        lock(&self.known).get(&number).map(|known| (known.parent, known.name.clone())).ok_or(Errno::ESTALE)
    }
}

/// What lies at a name, or behind a descriptor if the name is empty.
pub(crate) fn status(directory: impl AsFd, name: &OsStr) -> Result<Statx, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    rustix::fs::statx(directory, name, flags, WANTED).map_err(told)
}

/// What the kernel is told of a file.
pub(crate) fn attributes(number: INodeNo, found: &Statx) -> FileAttr {
    FileAttr {
        ino: number,
        size: found.stx_size,
        blocks: found.stx_blocks,
        atime: time(found.stx_atime),
        mtime: time(found.stx_mtime),
        ctime: time(found.stx_ctime),
        crtime: time(found.stx_ctime),
        kind: kind(rustix::fs::FileType::from_raw_mode(found.stx_mode.into())),
        perm: found.stx_mode & 0o7777,
        nlink: found.stx_nlink,
        uid: found.stx_uid,
        gid: found.stx_gid,
        rdev: u32::try_from(makedev(found.stx_rdev_major, found.stx_rdev_minor)).unwrap_or_default(),
        blksize: found.stx_blksize,
        flags: 0,
    }
}

/// A kind of file, in the words of FUSE.
pub(crate) fn kind(kind: rustix::fs::FileType) -> FileType {
    match kind {
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        rustix::fs::FileType::Fifo => FileType::NamedPipe,
        rustix::fs::FileType::Socket => FileType::Socket,
        rustix::fs::FileType::CharacterDevice => FileType::CharDevice,
        rustix::fs::FileType::BlockDevice => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

/// An error of a system call, as the caller is told.
pub(crate) fn told(error: rustix::io::Errno) -> Errno {
    Errno::from_i32(error.raw_os_error())
}

/// Locks; there is nothing half done to be found after a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep<K: Eq + Hash, V>(map: &Mutex<HashMap<K, V>>, key: K, value: V, most: usize) {
    let mut map = lock(map);
    if map.len() >= most {
        map.clear();
    }
    map.insert(key, value);
}

fn stamp(found: &Statx) -> Stamp {
    let pair = |time: StatxTimestamp| (time.tv_sec, time.tv_nsec);
    (found.stx_size, pair(found.stx_mtime), pair(found.stx_ctime))
}

fn time(stamp: StatxTimestamp) -> SystemTime {
    let seconds = u64::try_from(stamp.tv_sec).unwrap_or_default();
    UNIX_EPOCH + Duration::new(seconds, stamp.tv_nsec)
}

//! Reaching the files below: always from the directory that was mounted, one name at a time, never through a symbolic link.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use crate::attributes::Below;
use crate::nodes::{Nodes, ROOT};

/// The directory that was mounted, with what lies in it.
#[derive(Debug)]
pub(crate) struct Backing {
    root: Arc<OwnedFd>,
    /// How many directories are kept open, and how many files that have no name; the kernel knows far more than there may be
    /// descriptors.
    max_open: usize,
    directories: Mutex<Directories>,
    /// Files that lost their last name while the kernel knows them: programs may still have them open.
    gone: Mutex<HashMap<u64, Arc<OwnedFd>>>,
}

/// Directories that were used last.
#[derive(Debug, Default)]
struct Directories {
    open: HashMap<u64, (Arc<OwnedFd>, u64)>,
    clock: u64,
}

/// A file below, as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The directory that it lies in.
    pub(crate) directory: Arc<OwnedFd>,
    /// Its stored name there.
    pub(crate) name: OsString,
    /// What it is.
    pub(crate) below: Below,
}

impl Backing {
    /// Serves `root`, with so many descriptors for directories and as many for what is gone.
    pub(crate) fn new(root: File, max_open: usize) -> Self {
        Self { root: Arc::new(root.into()), max_open, directories: Mutex::default(), gone: Mutex::default() }
    }

    /// The directory that was mounted.
    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// A directory, by its number.
    ///
    /// # Errors
    /// `ESTALE` if it is not where it was.
    pub(crate) fn directory(&self, nodes: &Nodes, number: u64) -> Result<Arc<OwnedFd>, Errno> {
        // Upwards to a directory that is open, then down again; there is no bound on how deep a tree is.
        let (mut path, mut passed) = (Vec::new(), HashSet::new());
        let mut at = number;
        let mut directory = loop {
            if let Some(open) = self.open_directory(at).or_else(|| self.find_gone(at)) {
                break open;
            }
            // Directories that changed places below may each be known as lying in the other.
            if !passed.insert(at) {
                return Err(Errno::STALE);
            }
            let place = nodes.latest_place(at).ok_or(Errno::STALE)?;
            let parent = place.parent;
            path.push((at, place.name));
            at = parent;
        };
        for (number, name) in path.into_iter().rev() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let next = rustix::fs::openat(&directory, &name, flags, Mode::empty()).map_err(stale)?;
            if nodes.identity(number) != Some(status(&next)?.identity) {
                return Err(Errno::STALE);
            }
            directory = Arc::new(next);
            self.lock().keep(number, &directory, self.max_open);
        }
        Ok(directory)
    }

    /// Lets go of what the kernel has forgotten.
    pub(crate) fn forget(&self, number: u64) {
        self.lock().open.remove(&number);
        self.gone().remove(&number);
    }

    /// Keeps what is about to lose its last name. The kernel says when nobody uses it any more.
    pub(crate) fn keep_gone(&self, number: u64, file: OwnedFd) {
        let mut gone = self.gone();
        if gone.len() < self.max_open {
            gone.insert(number, Arc::new(file));
        }
        drop(gone);
        self.lock().open.remove(&number);
    }

    /// What has lost its last name, as far as it was kept.
    pub(crate) fn find_gone(&self, number: u64) -> Option<Arc<OwnedFd>> {
        self.gone().get(&number).cloned()
    }

    /// A file, wherever it has a name.
    ///
    /// # Errors
    /// `ESTALE` if it has none any more that is known.
    pub(crate) fn find(&self, nodes: &Nodes, number: u64) -> Result<Found, Errno> {
        let identity = nodes.identity(number).ok_or(Errno::STALE)?;
        for place in nodes.places(number) {
            let Ok(directory) = self.directory(nodes, place.parent) else { continue };
            match status_at(&directory, &place.name) {
                Ok(below) if below.identity == identity => return Ok(Found { directory, name: place.name, below }),
                Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::STALE) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::STALE)
    }

    /// A descriptor that stands for a file and gives no access to its content (`O_PATH`, open(2)).
    ///
    /// # Errors
    /// `ESTALE` if it is not where it was.
    pub(crate) fn pin(&self, nodes: &Nodes, number: u64) -> Result<Arc<OwnedFd>, Errno> {
        if number == ROOT {
            return Ok(Arc::clone(&self.root));
        }
        if let Some(gone) = self.find_gone(number) {
            return Ok(gone);
        }
        let found = self.find(nodes, number)?;
        let pinned = pin_at(&found.directory, &found.name)?;
        if status(&pinned)?.identity == found.below.identity { Ok(Arc::new(pinned)) } else { Err(Errno::STALE) }
    }

    fn open_directory(&self, number: u64) -> Option<Arc<OwnedFd>> {
        if number == ROOT {
            return Some(Arc::clone(&self.root));
        }
        let mut directories = self.lock();
        directories.clock += 1;
        let clock = directories.clock;
        let (directory, used) = directories.open.get_mut(&number)?;
        *used = clock;
        Some(Arc::clone(directory))
    }

    fn gone(&self) -> MutexGuard<'_, HashMap<u64, Arc<OwnedFd>>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Directories> {
        self.directories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directories {
    fn keep(&mut self, number: u64, directory: &Arc<OwnedFd>, limit: usize) {
        if self.open.len() >= limit {
            // The older half goes at once, so that this is rare.
            let mut ages: Vec<u64> = self.open.values().map(|(_, used)| *used).collect();
            let middle = ages.len() / 2;
            let (_, middle, _) = ages.select_nth_unstable(middle);
            let middle = *middle;
            self.open.retain(|_, (_, used)| *used > middle);
        }
        self.clock += 1;
        self.open.insert(number, (Arc::clone(directory), self.clock));
    }
}

/// A descriptor that stands for what lies at a name, itself if it is a symbolic link.
///
/// # Errors
/// `ESTALE` if there is nothing.
pub(crate) fn pin_at(directory: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty()).map_err(stale)
}

/// What an open file is.
///
/// # Errors
/// What the system says.
pub(crate) fn status(file: impl AsFd) -> Result<Below, Errno> {
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, WANTED).map(Below::new)
}

/// What lies at a name; a symbolic link is not followed.
///
/// # Errors
/// What the system says.
pub(crate) fn status_at(directory: impl AsFd, name: &OsStr) -> Result<Below, Errno> {
    rustix::fs::statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, WANTED).map(Below::new)
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// The path by which the system reaches an open file again.
pub(crate) fn path_of(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// What a name that was known and is gone means: whoever asked has to look it up again.
fn stale(error: Errno) -> Errno {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Errno::STALE,
        error => error,
    }
}

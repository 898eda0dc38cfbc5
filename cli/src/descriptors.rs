//! Room for the descriptors of a large batch, or of a mount.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many descriptors as a batch can make use of.
const WANTED: u64 = 4096;
/// From this many on the kernel has to enlarge the table that it begins with.
const BEGUN_WITH: usize = 48;

/// Makes room for about `count` open files, before the first thread starts.
///
/// The soft limit is raised as far as the hard one allows. And the kernel enlarges the table now: in a process of several
/// threads each enlargement waits until all processors have passed through the scheduler, which takes milliseconds.
pub(crate) fn make_room(count: usize) {
    if count < BEGUN_WITH {
        return;
    }
    let limits = getrlimit(Resource::Nofile);
    let reachable = limits.maximum.unwrap_or(WANTED).min(WANTED);
    if limits.current.is_some_and(|current| current < reachable) {
        // Where it is refused, batches are smaller.
        setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), ..limits }).ok();
    }
    let highest = count.min(limit() / 2).try_into().unwrap_or(0);
    // Opened at a high number and closed again; where that fails, the table grows when it has to.
    rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), highest).ok();
}

/// Raises the limit as far as the system lets us: a mount holds a descriptor for each file that is open in it.
pub(crate) fn raise_limit() {
    let limits = getrlimit(Resource::Nofile);
    // Where it is refused, fewer files can be open at once.
    setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).ok();
}

/// How many descriptors there may be, as far as a batch can make use of them.
pub(crate) fn limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let current = getrlimit(Resource::Nofile).current.unwrap_or(WANTED);
        usize::try_from(current.min(WANTED)).unwrap_or(0)
    })
}

/// Directories of trees that are open.
static DIRECTORIES: AtomicUsize = AtomicUsize::new(0);

/// Counts a directory of a tree, which is open as long as this is there.
#[derive(Debug)]
pub(crate) struct OpenDirectory(());

impl OpenDirectory {
    /// One more is open.
    pub(crate) fn new() -> Self {
        DIRECTORIES.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// How many are.
    pub(crate) fn count() -> usize {
        DIRECTORIES.load(Ordering::Relaxed)
    }

    /// How many should be at most. As many descriptors are for files without a name, the rest is for everything else.
    pub(crate) fn most() -> usize {
        limit() / 3
    }
}

impl Drop for OpenDirectory {
    fn drop(&mut self) {
        DIRECTORIES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many files can be worked on at once: each takes some descriptors.
pub(crate) fn most_jobs() -> usize {
    limit() / 32
}

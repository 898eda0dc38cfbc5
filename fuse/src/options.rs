//! What a mount is told when it is made.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use waxseal_envelope::{NewContainer, Reading};

/// Threads that answer requests at least, unless others are asked for.
const MIN_THREADS: usize = 6;

/// How a directory is to be mounted.
#[derive(Clone)]
pub struct Options {
    /// Nothing below is changed, not even to repair what was interrupted.
    pub read_only: bool,
    /// Other users may use the mount too, as far as modes and owners let them.
    pub allow_other: bool,
    /// Programs cannot be started from the mount.
    pub no_exec: bool,
    /// How long a data key is used before the key service is asked again, and kept after the last close.
    pub key_ttl: Duration,
    /// Threads that answer requests; twice the number of cores, and at least 6, if it is left open.
    pub threads: Option<NonZeroUsize>,
    /// What new files are made as.
    pub new: NewContainer,
    /// What is demanded of files that are opened.
    pub reading: Reading,
    /// Who is told what no caller can be told.
    pub log: Arc<dyn Log>,
}

impl Options {
    /// A mount that is written and that programs are started from, for the user who makes it only; an answer of the key
    /// service holds for five minutes.
    #[must_use]
    pub fn new(new: NewContainer, reading: Reading, log: Arc<dyn Log>) -> Self {
        Self {
            read_only: false,
            allow_other: false,
            no_exec: false,
            key_ttl: Duration::from_secs(300),
            threads: None,
            new,
            reading,
            log,
        }
    }

    /// Threads that answer requests. One that waits for the disk answers none, so there are more than cores.
    pub(crate) fn threads(&self) -> usize {
        self.threads.map_or((2 * cores()).max(MIN_THREADS), NonZeroUsize::get)
    }
}

/// Cores that there are, as far as the system says.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, NonZeroUsize::get)
}

/// Takes the lines of a mount's log.
pub trait Log: Send + Sync {
    /// Takes one line. The text is fit to be printed: names are escaped, and there is nothing secret in it.
    fn line(&self, level: Level, text: &str);
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Data could not be read or written.
    Error,
    /// Something was recovered, or is not as it should be.
    Warning,
    /// Good to know.
    Info,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read_only, allow_other, no_exec, key_ttl, threads, new, reading, log: _ } = self;
        f.debug_struct("Options")
            .field("read_only", read_only)
            .field("allow_other", allow_other)
            .field("no_exec", no_exec)
            .field("key_ttl", key_ttl)
            .field("threads", threads)
            .field("new", new)
            .field("reading", reading)
            .finish_non_exhaustive()
    }
}

//! The file system: plain code, in which every request is a method that returns a result.
//!
//! What a method does not say it leaves to the kernel, which has checked permissions before it asks (SEMANTICS.md,
//! "Permissions").

mod create;
mod files;
mod links;
mod rename;
mod resolve;
mod set_attributes;
mod writing;
mod xattrs;

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::fs::{FileType, StatVfs};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use waxseal_container::CHUNK_LEN;
use waxseal_envelope::{CacheCounts, Envelope};

use crate::Options;
use crate::attributes::{Attributes, Below};
use crate::backing::{self, Backing, path_of, status_at};
use crate::directory::Directories;
use crate::keys::Keys;
use crate::nodes::{Nodes, ROOT};
use crate::open_file::OpenFile;
use crate::open_files::OpenFiles;
use crate::report::Reporter;
use crate::seen::Seen;
use crate::unflushed::Unflushed;

pub(crate) use self::files::Opened;
pub(crate) use self::set_attributes::Changes;

/// A mounted directory.
#[derive(Debug)]
pub(crate) struct Filesystem {
    backing: Backing,
    nodes: Nodes,
    pub(crate) open: OpenFiles,
    directories: Directories,
    seen: Seen,
    pub(crate) unflushed: Arc<Unflushed>,
    keys: Arc<Keys>,
    pub(crate) reporter: Reporter,
    read_only: bool,
    /// Held by whoever locks many files at once.
    pub(crate) settling: Mutex<()>,
    /// Files that may wait to be settled; more of them are settled at once, since each has a descriptor.
    pub(crate) max_waiting: usize,
    /// Files of which the kernel has to drop what it keeps.
    outdated: Sender<u64>,
    /// How the kernel is told at once that the attributes of a file are others; nobody to tell without a mount.
    teller: OnceLock<Teller>,
}

/// Tells the kernel that the attributes of a file are others than it knows.
pub(crate) struct Teller(pub(crate) Box<dyn Fn(u64) + Send + Sync>);

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teller")
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// What the kernel is told of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) attributes: Attributes,
    /// Tells two files apart that have the same number one after the other.
    pub(crate) generation: u64,
}

/// A file below, by one of the ways to it. An open file stays open meanwhile: its descriptor alone would keep its lock.
enum Reached {
    Open(Arc<OpenFile>),
    Pinned(Arc<OwnedFd>),
}

impl Reached {
    /// The path by which the system reaches it.
    fn path(&self) -> String {
        match self {
            Self::Open(file) => path_of(file.file()),
            Self::Pinned(descriptor) => path_of(descriptor),
        }
    }
}

impl Filesystem {
    /// Serves `root`. Numbers of files whose kept pages are out of date are sent to `outdated`.
    pub(crate) fn new(root: File, keys: Envelope, options: Options, outdated: Sender<u64>) -> io::Result<Self> {
        let threads = options.threads();
        let Options { read_only, key_ttl, new, reading, log, .. } = options;
        let identity = backing::status(&root)?.identity;
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        Ok(Self {
            backing: Backing::new(root, (descriptors / 16).clamp(8, 1024)),
            nodes: Nodes::new(identity),
            open: OpenFiles::default(),
            directories: Directories::default(),
            seen: Seen::default(),
            unflushed: Arc::new(Unflushed::new(threads)),
            keys: Arc::new(Keys::new(keys, new, reading, key_ttl)),
            reporter: Reporter::new(log),
            read_only,
            settling: Mutex::default(),
            max_waiting: (descriptors / 4).clamp(16, 4096),
            outdated,
            teller: OnceLock::new(),
        })
    }

    /// Says how the kernel is told of other attributes.
    pub(crate) fn set_teller(&self, teller: Teller) {
        // There is one mount, and it says so once.
        self.teller.set(teller).ok();
    }

    /// Tells the log if the file system below writes pages in parts (SEMANTICS.md, "What is written").
    pub(crate) fn warn_of_small_blocks(&self) {
        // statvfs(3): the unit in which the file system gives out space.
        let block = self.space().map_or(0, |space| space.f_frsize);
        if !self.read_only && (1..CHUNK_LEN as u64).contains(&block) {
            let text = format!(
                "the file system below has blocks of {block} bytes: a power cut can tear a page of {CHUNK_LEN}, and lose what is in it"
            );
            self.reporter.warning(&text);
        }
    }

    /// Finds a name in a directory, and notes that the kernel knows what it stands for.
    pub(crate) fn lookup(&self, parent: u64, name: &OsStr) -> Result<Known, Errno> {
        let directory = self.backing.directory(&self.nodes, parent)?;
        let (stored, below) = self.steadily(|| self.resolve(&directory, name))?;
        Ok(self.know(parent, &stored, &below))
    }

    /// Notes that the kernel has forgotten a file so many times.
    pub(crate) fn forget(&self, node: u64, count: u64) {
        if self.nodes.forget(node, count) {
            self.backing.forget(node);
        }
    }

    /// What stat(2) tells.
    pub(crate) fn attributes(&self, node: u64) -> Result<Attributes, Errno> {
        // While it is held it is not closed: what it has not told the disk is told by it.
        let _open = self.open.get(node);
        let below = self.below(node)?;
        Ok(self.shown_attributes(node, &below))
    }

    /// What statvfs(3) tells.
    pub(crate) fn space(&self) -> Result<StatVfs, Errno> {
        rustix::fs::fstatvfs(self.backing.root())
    }

    /// Where a symbolic link leads to.
    pub(crate) fn read_link(&self, node: u64) -> Result<Vec<u8>, Errno> {
        let found = self.backing.find(&self.nodes, node)?;
        Ok(rustix::fs::readlinkat(&found.directory, &found.name, Vec::new())?.into_bytes())
    }

    /// Begins to list a directory.
    pub(crate) fn open_directory(&self, node: u64) -> Result<u64, Errno> {
        let directory = self.backing.directory(&self.nodes, node)?;
        self.directories.begin(node, &directory)
    }

    /// Lists a directory from `offset` on, until `add` says that there is no more room. With each entry `add` gets what the
    /// kernel is told of the file if `plus` is set, and counts as having been told then.
    pub(crate) fn list(
        &self,
        handle: u64,
        offset: u64,
        plus: bool,
        add: &mut dyn FnMut(&crate::directory::Entry, Option<Known>) -> bool,
    ) -> Result<(), Errno> {
        let listing = self.directories.get(handle)?;
        let mut listing = listing.lock().unwrap_or_else(PoisonError::into_inner);
        listing.seek(offset)?;
        while let Some(entry) = listing.peek()? {
            let known = if plus && entry.name != "." && entry.name != ".." {
                match self.steadily(|| status_at(listing.descriptor(), &entry.stored)) {
                    Ok(below) => Some(self.know(listing.node(), &entry.stored, &below)),
                    Err(_) => {
                        // It is gone by now.
                        listing.advance();
                        continue;
                    }
                }
            } else {
                None
            };
            if add(&entry, known) {
                if let Some(known) = known {
                    self.forget(known.attributes.node, 1);
                }
                break;
            }
            listing.advance();
        }
        Ok(())
    }

    /// Ends a listing.
    pub(crate) fn close_directory(&self, handle: u64) {
        self.directories.close(handle);
    }

    /// Waits until the names in a directory are on the disk.
    pub(crate) fn sync_directory(&self, handle: u64) -> Result<(), Errno> {
        let listing = self.directories.get(handle)?;
        let listing = listing.lock().unwrap_or_else(PoisonError::into_inner);
        rustix::fs::fsync(listing.descriptor())
    }

    /// The number of an entry of the directory `node`, as far as a listing knows it.
    pub(crate) fn entry_number(&self, entry: &crate::directory::Entry, node: u64) -> u64 {
        if entry.name == "." { node } else { self.nodes.number_of_inode(entry.inode) }
    }

    /// The keys that were not used for a while are forgotten.
    pub(crate) fn expire_keys(&self) {
        self.keys.expire();
    }

    /// Says how often the key service was asked.
    pub(crate) fn tell_counts(&self) {
        let CacheCounts { asked, recalled } = self.keys.counts();
        if asked + recalled > 0 {
            self.reporter
                .info(&format!("data keys: {asked} decrypted by the key service, {recalled} taken from memory"));
        }
    }

    /// The directory that was mounted.
    pub(crate) fn root(&self) -> std::os::fd::BorrowedFd<'_> {
        self.backing.root()
    }

    /// Looks at what lies below, once more if a file was closed meanwhile: what it told the disk then may be missing in what
    /// was seen, and it is not there any more to tell it.
    fn steadily<T>(&self, look: impl Fn() -> Result<T, Errno>) -> Result<T, Errno> {
        for _ in 0..3 {
            let closed = self.open.closed();
            let seen = look();
            if self.open.closed() == closed {
                return seen;
            }
        }
        look()
    }

    /// Notes that the kernel is told of a file, and says what.
    fn know(&self, parent: u64, stored: &OsStr, below: &Below) -> Known {
        let (node, generation) = self.nodes.remember(below.identity, parent, stored);
        Known { attributes: self.shown_attributes(node, below), generation }
    }

    /// What lies below, under its name or behind a descriptor.
    fn below(&self, node: u64) -> Result<Below, Errno> {
        if node == ROOT {
            return backing::status(self.backing.root());
        }
        match self.backing.find(&self.nodes, node) {
            Ok(found) => Ok(found.below),
            Err(error) => match (self.open.get(node), self.backing.find_gone(node)) {
                (Some(file), _) => backing::status(file.file()),
                (None, Some(gone)) => backing::status(&gone),
                (None, None) => Err(error),
            },
        }
    }

    /// Reaches a file for its extended attributes, whether it has a name or a program has it open.
    fn reach(&self, node: u64) -> Result<Reached, Errno> {
        match self.open.get(node) {
            Some(file) => Ok(Reached::Open(file)),
            None => self.backing.pin(&self.nodes, node).map(Reached::Pinned),
        }
    }

    /// What stat(2) tells: what lies below, and what an open file has not told the disk yet.
    fn shown_attributes(&self, node: u64, below: &Below) -> Attributes {
        let mut attributes = below.attributes(node);
        if below.kind != FileType::RegularFile {
            return attributes;
        }
        match self.open.get(node) {
            Some(file) => {
                attributes.size = file.len();
                attributes.changed = file.shown_changed(attributes.changed);
                if let Some(modified) = file.tell_modified() {
                    attributes.modified = modified;
                    if file.unflushed_since().is_some() {
                        attributes.changed = attributes.changed.max(modified);
                    }
                }
            }
            None => {
                if attributes.size == 0 && self.is_prepared(node) {
                    attributes.size = below.stat.stx_size;
                }
                if let Some(changed) = self.seen.changed(node, below.stamp()) {
                    attributes.changed = changed;
                }
            }
        }
        attributes
    }

    /// Has the kernel ask for the attributes of a file before it uses them again.
    fn outdate_attributes(&self, node: u64) {
        if let Some(Teller(tell)) = self.teller.get() {
            tell(node);
        }
    }

    /// Has the kernel drop what it keeps of a file, soon.
    fn outdate(&self, node: u64) {
        // Nobody listens any more only when the mount has ended.
        self.outdated.send(node).ok();
    }

    /// The error of every change where nothing may be changed.
    fn writable(&self) -> Result<(), Errno> {
        if self.read_only { Err(Errno::ROFS) } else { Ok(()) }
    }
}

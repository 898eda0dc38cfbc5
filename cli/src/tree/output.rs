//! Directories of the tree that is written.
//!
//! Each is held open while something is written into it, and everything in it is made relative to it. When the last of that
//! is done the directory gets its attributes: every file that is made in it changes its time.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, Stat, mkdirat, openat};
use rustix::io::Errno;

use super::leftovers;
use crate::atomic::{Attributes, cannot_write, hold};
use crate::batch::Late;
use crate::error::{Class, CliError};
use crate::input::Identity;
use crate::place::{FileTarget, Replace};

/// An open directory of the tree that is written.
#[derive(Debug)]
pub(super) struct OutputFolder {
    fd: Arc<OwnedFd>,
    /// What messages call it.
    pub(super) path: PathBuf,
    /// What it gets when everything in it is done; none for a directory that keeps what it has.
    attributes: Option<Attributes>,
    late: Arc<Late>,
    /// It is done after this one.
    above: Option<Arc<OutputFolder>>,
    /// Whether this run made it, so that nothing can stand in it but what this run, or somebody at the same time, puts there.
    pub(super) is_new: bool,
    /// How many temporary files killed runs had left in it, which are gone now.
    pub(super) leftovers: usize,
}

impl OutputFolder {
    /// Opens the directory at the top, which was named, and makes it if it is missing.
    pub(super) fn root(path: &Path, attributes: Option<Attributes>, late: Arc<Late>) -> Result<Self, CliError> {
        let made = make(CWD, path, path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(CWD, path, flags, Mode::empty());
        let fd = opened.map_err(|error| no_output(path, error))?;
        let leftovers = begin(&fd, made);
        let is_new = made == Made::Now;
        Ok(Self { fd: Arc::new(fd), path: path.to_owned(), attributes, late, above: None, is_new, leftovers })
    }

    /// Opens the directory `name` in this one, and makes it if it is missing. A link is not followed.
    pub(super) fn enter(self: &Arc<Self>, name: &OsStr, attributes: Attributes) -> Result<Self, CliError> {
        let path = self.path.join(name);
        let made = make(&*self.fd, Path::new(name), &path)?;
        let fd = open_beneath(&self.fd, Path::new(name)).map_err(|error| not_a_directory(&path, error))?;
        let (fd, late) = (Arc::new(fd), Arc::clone(&self.late));
        let above = Some(Arc::clone(self));
        let is_new = made == Made::Now;
        let mut folder = Self { fd, path, attributes: Some(attributes), late, above, is_new, leftovers: 0 };
        folder.make_writable()?;
        folder.leftovers = begin(&*folder.fd, made);
        Ok(folder)
    }

    /// A directory of a tree may be one that its owner may not write to; it gets that mode at the end.
    fn make_writable(&self) -> Result<(), CliError> {
        if rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let stat = self.stat()?;
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        if !mode.contains(Mode::RWXU) && stat.st_uid == rustix::process::geteuid().as_raw() {
            rustix::fs::fchmod(&self.fd, mode | Mode::RWXU).map_err(|error| cannot_write(&self.path, error.into()))?;
        }
        Ok(())
    }

    /// What the system says of it.
    pub(super) fn stat(&self) -> Result<Stat, CliError> {
        rustix::fs::fstat(&self.fd).map_err(|error| cannot_write(&self.path, error.into()))
    }

    /// Which directory it is.
    pub(super) fn identity(&self) -> Result<Identity, CliError> {
        self.stat().map(|stat| Identity::of(&stat))
    }

    /// The directory for the `*at` calls.
    pub(super) fn fd(&self) -> &Arc<OwnedFd> {
        &self.fd
    }

    /// A file to be made or replaced in it.
    pub(super) fn target(&self, name: &OsStr, replace: Replace) -> FileTarget {
        FileTarget { path: self.path.join(name), directory: Some(Arc::clone(&self.fd)), replace }
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        let given = self.attributes.map_or(Ok(()), |attributes| attributes.give_to(self.fd.as_fd(), None));
        if let Err(error) = given {
            self.late.leave(cannot_write(&self.path, error.into()));
        }
        drop(self.above.take());
    }
}

/// Whether a directory was made, or was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    Now,
    Before,
}

fn make(at: impl AsFd, name: &Path, path: &Path) -> Result<Made, CliError> {
    match mkdirat(at, name, Mode::RWXU) {
        Ok(()) => Ok(Made::Now),
        Err(Errno::EXIST) => Ok(Made::Before),
        Err(error) => Err(cannot_write(path, error.into())),
    }
}

/// Begins to work in a directory: what killed runs have left in it is removed, and others are told that it is in use. Says
/// how much there was.
fn begin(directory: impl AsFd, made: Made) -> usize {
    let leftovers = if made == Made::Before { leftovers::remove(&directory) } else { 0 };
    hold(&directory);
    leftovers
}

/// Opens a directory below another one, by names that lead downwards only and without following any link.
pub(super) fn open_beneath(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut opened = None;
    for component in path.components() {
        let Component::Normal(name) = component else { return Err(Errno::INVAL) };
        opened = Some(openat(opened.as_ref().unwrap_or(root), name, flags, Mode::empty())?);
    }
    match opened {
        Some(opened) => Ok(opened),
        None => openat(root, ".", flags, Mode::empty()),
    }
}

/// Why what was named as the output cannot be it.
fn no_output(path: &Path, error: Errno) -> CliError {
    match error {
        Errno::NOTDIR => CliError::new(Class::Output, "is to be a directory, and is something else")
            .file(path)
            .hint("a tree goes into a directory: name one with -o DIR, which is made if it is missing"),
        Errno::NOENT | Errno::LOOP => CliError::new(Class::Output, "is a link that leads to no directory")
            .file(path)
            .hint("make the directory that it is to lead to, or name another one with -o DIR"),
        error => cannot_write(path, error.into()),
    }
}

fn not_a_directory(path: &Path, error: Errno) -> CliError {
    match error {
        Errno::NOTDIR | Errno::LOOP => CliError::new(Class::Output, "is to be a directory, and is something else")
            .file(path)
            .hint("nothing is written through links in the output: move it away, or write elsewhere with -o DIR"),
        error => cannot_write(path, error.into()),
    }
}

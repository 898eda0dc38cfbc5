//! Names that come and go: hard links and removal.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::{Filesystem, Known};
use crate::attributes::Below;
use crate::backing::{self, pin_at, status_at};
use crate::directory::has_only_hidden;
use crate::names;
use crate::report::shown;

impl Filesystem {
    /// Gives a file another name.
    pub(crate) fn link(&self, node: u64, parent: u64, name: &OsStr) -> Result<Known, Errno> {
        self.writable()?;
        let directory = self.backing.directory(&self.nodes, parent)?;
        self.check_free(&directory, name)?;
        let found = self.backing.find(&self.nodes, node)?;
        let stored = names::stored(name, found.below.kind);
        rustix::fs::linkat(&found.directory, &found.name, &directory, &stored, AtFlags::empty())?;
        let below = status_at(&directory, &stored)?;
        if below.identity != found.below.identity {
            // The name that was known stood for something else by the time of the link.
            rustix::fs::unlinkat(&directory, &stored, AtFlags::empty()).ok();
            return Err(Errno::STALE);
        }
        Ok(self.know(parent, &stored, &below))
    }

    /// Takes a name away from what is no directory.
    pub(crate) fn unlink(&self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let (directory, stored, below) = self.entry(parent, name)?;
        if below.kind == FileType::Directory {
            return Err(Errno::ISDIR);
        }
        let pinned = pin_at(&directory, &stored).ok();
        rustix::fs::unlinkat(&directory, &stored, AtFlags::empty())?;
        self.lose_name(parent, &stored, &below, pinned);
        Ok(())
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let (directory, stored, below) = self.entry(parent, name)?;
        if below.kind != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        let pinned = pin_at(&directory, &stored).ok();
        match rustix::fs::unlinkat(&directory, &stored, AtFlags::REMOVEDIR) {
            Ok(()) => {
                self.lose_name(parent, &stored, &below, pinned);
                Ok(())
            }
            Err(error) => {
                self.explain_not_empty(error, &directory, &stored);
                Err(error)
            }
        }
    }

    /// Tells the log why a directory is not empty in which nothing is shown.
    pub(super) fn explain_not_empty(&self, error: Errno, directory: &OwnedFd, stored: &OsStr) {
        let is_not_empty = matches!(error, Errno::NOTEMPTY | Errno::EXIST);
        if is_not_empty && has_only_hidden(directory, stored) == Ok(true) {
            self.reporter.info(&format!("{}: not empty: what is in it is not shown in the mount", shown(stored)));
        }
    }

    /// Notes that a name is gone. With the last one, what is written from now on is for descriptors only, and `pinned` is
    /// how the rest of it is still reached.
    pub(super) fn lose_name(&self, parent: u64, stored: &OsStr, below: &Below, pinned: Option<OwnedFd>) {
        self.nodes.remove_place(below.identity, parent, stored);
        // Somebody may have given it another name since it was looked at.
        let links = pinned.as_ref().and_then(|pinned| backing::status(pinned).ok()).map(|now| now.stat.stx_nlink);
        let has_names = links.map_or(below.stat.stx_nlink > 1, |links| links > 0);
        if below.kind != FileType::Directory && has_names {
            return;
        }
        let node = self.nodes.number(below.identity);
        if let Some(file) = self.open.get(node) {
            file.set_unlinked();
        }
        self.close_if_done(node);
        let is_known = self.nodes.identity(node) == Some(below.identity);
        if let Some(pinned) = pinned.filter(|_| is_known) {
            self.backing.keep_gone(node, pinned);
            // If the kernel has forgotten it meanwhile, nobody else lets go of it.
            if self.nodes.identity(node).is_none() {
                self.backing.forget(node);
            }
        }
    }

    /// Notes that a file has got a name for another.
    pub(super) fn change_name(
        &self,
        below: &Below,
        (old_parent, old): (u64, &OsStr),
        (new_parent, new): (u64, &OsStr),
    ) {
        self.nodes.remove_place(below.identity, old_parent, old);
        self.nodes.add_place(below.identity, new_parent, new);
        if let Some(file) = self.open.get(self.nodes.number(below.identity)) {
            file.rename(new);
        }
    }
}

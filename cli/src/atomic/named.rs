//! Outputs under a temporary name, which are renamed when they are complete.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, fdatasync, linkat, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::hold::hold_directory_of;
use super::temporary_name::temporary_name;
use super::{Attributes, PREFIX, PREFIX_IN_MOUNT};
use crate::interrupt::Unfinished;
use crate::place::{Replace, Spot};

/// Something of a temporary name. Dropped before it is renamed, it is removed.
#[derive(Debug)]
pub(super) struct Named {
    unfinished: Unfinished,
    file: Option<File>,
    /// Keeps others from taking it for left over.
    _held: Option<Arc<OwnedFd>>,
    published: bool,
}

impl Named {
    /// Makes a file of mode 0600 beside `target`, open for reading and writing.
    pub(super) fn file(target: &Spot) -> io::Result<Self> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let make = |spot: &Spot| openat(spot.at(), &spot.name, flags, Mode::RUSR | Mode::WUSR);
        Self::make(target, |spot| make(spot).map(|file| Some(File::from(file))))
    }

    /// Makes a symbolic link beside `target`, with these attributes as far as links have them.
    pub(super) fn symlink(target: &Spot, leads_to: &Path, attributes: Attributes) -> io::Result<Self> {
        let named = Self::make(target, |spot| {
            rustix::fs::symlinkat(leads_to, spot.at(), &spot.name)?;
            Ok(None)
        })?;
        attributes.give_to_link(named.unfinished.spot())?;
        Ok(named)
    }

    /// Makes another name, beside `target`, of the file `of`.
    pub(super) fn link(target: &Spot, of: &Spot) -> io::Result<Self> {
        Self::make(target, |spot| {
            linkat(of.at(), &of.name, spot.at(), &spot.name, AtFlags::empty())?;
            Ok(None)
        })
    }

    fn make(target: &Spot, make: impl Fn(&Spot) -> rustix::io::Result<Option<File>>) -> io::Result<Self> {
        let mut prefix = PREFIX;
        let held = hold_directory_of(target);
        loop {
            match Unfinished::make(target.beside(&temporary_name(prefix)?), &make) {
                Ok((unfinished, file)) => return Ok(Self { unfinished, file, _held: held, published: false }),
                Err(Errno::EXIST) => {}
                // The directory may be one of a mount of ours.
                Err(Errno::INVAL) if prefix == PREFIX => prefix = PREFIX_IN_MOUNT,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The file, if it is one and still open.
    pub(super) fn open_file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Closes the file.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Has the content on disk.
    pub(super) fn sync(&self) -> rustix::io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let spot = self.unfinished.spot();
        match openat(spot.at(), &spot.name, flags, Mode::empty()) {
            // A link has no content of its own.
            Err(Errno::LOOP) => Ok(()),
            file => fdatasync(file?),
        }
    }

    /// Gives it its name.
    pub(super) fn rename(mut self, to: &Spot, replace: Replace) -> rustix::io::Result<()> {
        let from = self.unfinished.spot();
        match replace {
            Replace::Yes => renameat(from.at(), &from.name, to.at(), &to.name)?,
            Replace::No => rename_to_free(from, to)?,
        }
        self.published = true;
        self.unfinished.forget();
        Ok(())
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if !self.published {
            let spot = self.unfinished.spot();
            unlinkat(spot.at(), &spot.name, AtFlags::empty()).ok();
            self.unfinished.forget();
        }
    }
}

/// Renames without replacing. File systems that cannot do it in one step get a hard link, which does not replace either.
fn rename_to_free(from: &Spot, to: &Spot) -> rustix::io::Result<()> {
    match renameat_with(from.at(), &from.name, to.at(), &to.name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            linkat(from.at(), &from.name, to.at(), &to.name, AtFlags::empty())?;
            unlinkat(from.at(), &from.name, AtFlags::empty())
        }
        done => done,
    }
}

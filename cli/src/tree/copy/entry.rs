//! The copy of one file or one link.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FileType, Mode, OFlags, Stat, openat, readlinkat};
use waxseal_container::{Header, SizeClaim, State, file_size, size_claim};

use super::{Convert, CopyPlan, Existing};
use crate::atomic::{Attributes, Naming, Temporary, already_exists, cannot_write, modified};
use crate::batch::{Outcome, Then};
use crate::error::{Class, CliError};
use crate::input::{Identity, Input, InputName, Links, open_settled};
use crate::place::{Direction, Replace, renamed};
use crate::report::FileReport;
use crate::tree::copy::source::Source;
use crate::tree::folder::{Found, look_at};
use crate::tree::hard_links::{Claim, HardLinks};
use crate::tree::output::OutputFolder;

/// A file or a symbolic link that was found, and the directory that its copy goes into.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) found: Found,
    pub(super) into: Arc<OutputFolder>,
}

impl Entry {
    /// What messages call it.
    pub(super) fn label(&self) -> PathBuf {
        self.found.path()
    }
}

/// What the copies of one tree share.
pub(super) struct Worker<'a, C> {
    pub(super) plan: &'a CopyPlan<'a>,
    pub(super) links: Arc<HardLinks>,
    pub(super) convert: &'a C,
    /// Outputs of several names that are current, and the sources that they are of.
    pub(super) outputs: Mutex<HashMap<Identity, Identity>>,
}

impl<C: Convert> Worker<'_, C> {
    /// Copies one file or link.
    pub(super) fn work(&self, entry: Entry) -> Result<Outcome, CliError> {
        match entry.found.kind {
            FileType::RegularFile => self.file(entry),
            _ => self.symlink(&entry),
        }
    }

    fn file(&self, Entry { found, into }: Entry) -> Result<Outcome, CliError> {
        let name = self.name_of(&found.name);
        let label = into.path.join(&name);
        let there = self.look(&into, &name)?;
        // Where nothing stands the file is going to be read, unless it is a further name of one that was read.
        let opened = match there {
            None => Some(open_settled(|| found.open()).map_err(cannot_open)?),
            Some(_) => None,
        };
        let stat = match &opened {
            Some(input) => input.stat,
            None => found.stat().map_err(|error| cannot_open(error.into()))?,
        };
        let writing = match self.links.claim(&stat, &into, &name)? {
            Claim::Write(writing) => writing,
            Claim::Done(linking) => return Ok(linking.outcome()),
        };
        // What an interrupted run has left of sources that are to be removed is done once more.
        let is_done = |there: &Stat| {
            self.is_current(&stat, there)
                && self.has_content(&found, &stat, &into, &name)
                && !(self.plan.removed.sources && found.may_be_removed(&stat))
        };
        if let Some(there) = there.filter(is_done) {
            update_attributes(&stat, &there, &into, &name).map_err(|error| cannot_write(&label, error.into()))?;
            writing.keep();
            return Ok(Outcome::Unchanged);
        }
        let input = match opened {
            Some(input) => input,
            None => open_settled(|| found.open()).map_err(cannot_open)?,
        };
        let attributes = Attributes::all_of(&input.stat);
        let temporary = Temporary::create(into.target(&name, self.plan.existing.replace()), Naming::Nameless)?;
        let source = Source { found, stat: input.stat };
        let name_of_input = InputName::File(source.found.path());
        let converted = self.convert.convert(&name_of_input, input, temporary.file()?, &label)?;
        temporary.set_attributes(attributes)?;
        let report = FileReport { output: Some(label), ..converted.report };
        let removed = converted.unlocked.filter(|_| self.plan.removed.sources);
        let length = report.plaintext_bytes;
        let then = Then::this(move || {
            writing.keep();
            if let Some(unlocked) = removed {
                source.remove_once_verified(&unlocked, &into, &name, length)?;
            }
            // The directory is done when everything in it is.
            drop(into);
            Ok(())
        });
        Ok(Outcome::Finished(temporary, report, then))
    }

    fn symlink(&self, Entry { found, into }: &Entry) -> Result<Outcome, CliError> {
        let leads_to =
            readlinkat(&*found.folder, &found.name, Vec::new()).map_err(|error| cannot_open(error.into()))?;
        let leads_to = OsString::from_vec(leads_to.into_bytes());
        let stat = found.stat().map_err(|error| cannot_open(error.into()))?;
        if let Some(there) = self.look(into, &found.name)?
            && FileType::from_raw_mode(there.st_mode) == FileType::Symlink
            && readlinkat(into.fd(), &found.name, Vec::new())
                .is_ok_and(|there| there.as_bytes() == leads_to.as_encoded_bytes())
            && modified(&there) == modified(&stat)
        {
            return Ok(Outcome::Unchanged);
        }
        let target = into.target(&found.name, self.plan.existing.replace());
        Temporary::symlink(target, Path::new(&leads_to), Attributes::all_of(&stat))?.publish()?;
        Ok(Outcome::Linked)
    }

    /// The name of a file's copy.
    fn name_of(&self, name: &OsStr) -> OsString {
        renamed(name, self.plan.direction).unwrap_or_else(|| name.to_owned())
    }

    /// What stood at the output already, before this run; an error if that may not be replaced.
    fn look(&self, into: &OutputFolder, name: &OsStr) -> Result<Option<Stat>, CliError> {
        if into.is_new {
            return Ok(None);
        }
        let path = || into.path.join(name);
        let there = look_at(into.fd(), name).map_err(|error| cannot_write(&path(), error.into()))?;
        let Some(there) = there else { return Ok(None) };
        if FileType::from_raw_mode(there.st_mode) == FileType::Directory {
            return Err(CliError::new(Class::Output, "is a directory").file(&path()));
        }
        match self.plan.existing.replace() {
            Replace::No => Err(already_exists(&path())),
            Replace::Yes => Ok(Some(there)),
        }
    }

    /// The quick check: whether the output is that of this source, as far as the size and the time of change tell.
    fn is_current(&self, source: &Stat, there: &Stat) -> bool {
        let (size, size_there) = (source.st_size.cast_unsigned(), there.st_size.cast_unsigned());
        let fits = match self.plan.direction {
            Direction::Encrypt => file_size(size) == size_there,
            Direction::Decrypt => size_claim(size) == SizeClaim::Plaintext(size_there),
        };
        self.plan.existing == Existing::Updated
            && FileType::from_raw_mode(there.st_mode) == FileType::RegularFile
            && fits
            && modified(source) == modified(there)
            && self.is_alone(source, there)
    }

    /// Whether the container has got its content: a prepared one is as large as that of an empty file.
    fn has_content(&self, found: &Found, source: &Stat, into: &OutputFolder, name: &OsStr) -> bool {
        let open = match self.plan.direction {
            Direction::Encrypt if source.st_size == 0 => Input::open_at(into.fd(), name, Links::Kept),
            Direction::Decrypt if size_claim(source.st_size.cast_unsigned()) == SizeClaim::Plaintext(0) => found.open(),
            _ => return true,
        };
        open.is_ok_and(|input| Header::read_at(&input.file).is_ok_and(|header| header.state() == State::Filled))
    }

    /// Whether the output is that of no other source: names that were those of one file may be those of several by now.
    fn is_alone(&self, source: &Stat, there: &Stat) -> bool {
        if there.st_nlink == 1 {
            return true;
        }
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        *outputs.entry(Identity::of(there)).or_insert_with(|| Identity::of(source)) == Identity::of(source)
    }
}

/// Gives an output that is current the mode and the owner of its source, where it has others.
fn update_attributes(source: &Stat, there: &Stat, into: &OutputFolder, name: &OsStr) -> rustix::io::Result<()> {
    let facts = |stat: &Stat| (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid);
    if facts(source) == facts(there) {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Attributes::all_of(source).give_to(openat(into.fd(), name, flags, Mode::empty())?, None)
}

fn cannot_open(error: io::Error) -> CliError {
    CliError::system(Class::Input, "cannot be opened", &error)
}

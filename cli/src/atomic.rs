//! Output files that appear under their name only when they are complete.

mod attributes;
mod hold;
mod named;
mod nameless;
mod temporary_name;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

pub(crate) use self::attributes::{Attributes, modified};
pub(crate) use self::hold::{have_alone, hold};
use self::named::Named;
use self::nameless::Nameless;
pub(crate) use self::temporary_name::{is_of_this_boot, is_temporary_name};
use crate::error::{Class, CliError};
use crate::place::{FileTarget, Replace, Spot};

/// How the names of temporary files begin.
pub(crate) const PREFIX: &str = ".waxseal-tmp-";

/// How they begin where that is refused: a mount hides the names above, and makes nothing of such a name.
pub(crate) const PREFIX_IN_MOUNT: &str = ".waxseal-part-";

/// How an output is called while it is under construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By a temporary name.
    Named,
    /// Not at all where that can be had, which is faster for many outputs.
    Nameless,
}

/// An output under construction: a file of mode 0600 beside its target, without a name or of a temporary one.
///
/// Dropped before [`Temporary::publish`] it is removed, and what stood at the target is as it was.
#[derive(Debug)]
pub(crate) struct Temporary {
    form: Form,
    target: FileTarget,
}

#[derive(Debug)]
enum Form {
    Named(Named),
    Nameless(Nameless),
}

impl Temporary {
    /// Makes the file, open for reading and writing.
    pub(crate) fn create(target: FileTarget, naming: Naming) -> Result<Self, CliError> {
        let spot = target.spot();
        // Replacing takes a name to rename from.
        let nameless = match (naming, target.replace) {
            (Naming::Nameless, Replace::No) => Nameless::create(&spot),
            _ => None,
        };
        let form = match nameless {
            Some(nameless) => Form::Nameless(nameless),
            None => Form::Named(Named::file(&spot).map_err(|error| cannot_write(&target.path, error))?),
        };
        Ok(Self { form, target })
    }

    /// Makes a symbolic link, complete but for its name, with these attributes.
    pub(crate) fn symlink(target: FileTarget, leads_to: &Path, attributes: Attributes) -> Result<Self, CliError> {
        let made = Named::symlink(&target.spot(), leads_to, attributes);
        let named = made.map_err(|error| cannot_write(&target.path, error))?;
        Ok(Self { form: Form::Named(named), target })
    }

    /// Makes another name of a file that is there.
    pub(crate) fn link(target: FileTarget, of: &Spot) -> Result<Self, CliError> {
        let named = Named::link(&target.spot(), of).map_err(|error| cannot_write(&target.path, error))?;
        Ok(Self { form: Form::Named(named), target })
    }

    /// The file, until it is [at rest](Temporary::rest).
    pub(crate) fn file(&self) -> Result<&File, CliError> {
        let file = match &self.form {
            Form::Named(named) => named.open_file(),
            Form::Nameless(nameless) => Some(nameless.file()),
        };
        file.ok_or_else(|| cannot_write(&self.target.path, rustix::io::Errno::BADF.into()))
    }

    /// Gives the finished file its attributes.
    pub(crate) fn set_attributes(&self, attributes: Attributes) -> Result<(), CliError> {
        let set = attributes.give_to(self.file()?, Some(Mode::RUSR | Mode::WUSR));
        set.map_err(|error| cannot_write(&self.target.path, error.into()))
    }

    /// Closes the finished file, if it is there without being open.
    pub(crate) fn rest(&mut self) {
        if let Form::Named(named) = &mut self.form {
            named.close();
        }
    }

    /// Has the content on disk, where no `syncfs` can do it for many files.
    pub(crate) fn sync_alone(&self) -> rustix::io::Result<()> {
        match &self.form {
            Form::Named(named) => named.sync(),
            Form::Nameless(nameless) => rustix::fs::fdatasync(nameless.file()),
        }
    }

    /// Where it will be.
    pub(crate) fn target(&self) -> &Path {
        &self.target.path
    }

    /// The directory that it will be in, if that can be opened for reading.
    pub(crate) fn directory(&self) -> io::Result<Arc<OwnedFd>> {
        match &self.target.directory {
            Some(directory) => Ok(Arc::clone(directory)),
            None => open_directory(directory_of(&self.target.path)).map(Arc::new),
        }
    }

    /// Gives the file its name; without permission to replace, only if the name is still free.
    pub(crate) fn publish(self) -> Result<(), CliError> {
        let (to, path) = (self.target.spot(), self.target.path.as_path());
        let published = match self.form {
            Form::Named(named) => named.rename(&to, self.target.replace),
            Form::Nameless(nameless) => nameless.link(&to),
        };
        published.map_err(|error| match error {
            rustix::io::Errno::EXIST => already_exists(path),
            error => cannot_write(path, error.into()),
        })
    }
}

/// The directory that holds `path`.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Opens a directory, to sync it.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// The error of an output that cannot be written.
pub(crate) fn cannot_write(path: &Path, error: io::Error) -> CliError {
    let built = CliError::system(Class::Output, "cannot be written", &error).file(path);
    match error.kind() {
        io::ErrorKind::NotFound => built.hint("its directory has to be there: make it first"),
        io::ErrorKind::InvalidFilename => built.hint("give it a shorter name with -o OUT"),
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            built.hint("a part of the path is there and is no directory: name another one")
        }
        _ => built,
    }
}

/// The error of an output that is there already.
pub(crate) fn already_exists(path: &Path) -> CliError {
    CliError::new(Class::Output, "exists already").file(path).hint("replace it with --force, or name another output")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rustix::fs::Timespec;

    use super::*;

    fn target(path: &Path, replace: Replace) -> FileTarget {
        FileTarget { path: path.to_owned(), directory: None, replace }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_dropped_output_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        for naming in [Naming::Named, Naming::Nameless] {
            let temporary = Temporary::create(target(&dir.path().join("x"), Replace::No), naming).unwrap();
            temporary.file().unwrap().write_all(b"half").unwrap();
            if naming == Naming::Named {
                assert!(names(dir.path())[0].starts_with(PREFIX));
            }
            drop(temporary);
            assert!(names(dir.path()).is_empty());
        }
    }

    #[test]
    fn an_output_that_appeared_meanwhile_is_not_replaced() {
        for naming in [Naming::Named, Naming::Nameless] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x");
            let mut temporary = Temporary::create(target(&path, Replace::No), naming).unwrap();
            std::fs::write(&path, "theirs").unwrap();
            temporary.rest();
            assert_eq!(temporary.publish().unwrap_err().class(), Class::Output);
            assert_eq!(names(dir.path()), ["x"]);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        }
    }

    #[test]
    fn an_output_replaces_when_it_may_and_takes_its_attributes() {
        use std::os::unix::fs::MetadataExt as _;
        for (naming, replace) in
            [(Naming::Named, Replace::Yes), (Naming::Nameless, Replace::Yes), (Naming::Nameless, Replace::No)]
        {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x");
            if replace == Replace::Yes {
                std::fs::write(&path, "old").unwrap();
            }
            let mut temporary = Temporary::create(target(&path, replace), naming).unwrap();
            temporary.file().unwrap().write_all(b"new").unwrap();
            let modified = Some(Timespec { tv_sec: 1_000_000_000, tv_nsec: 5 });
            temporary.set_attributes(Attributes { mode: Mode::RUSR, modified, owner: None }).unwrap();
            temporary.rest();
            temporary.sync_alone().unwrap();
            temporary.publish().unwrap();
            let meta = std::fs::metadata(&path).unwrap();
            assert_eq!((meta.mode() & 0o7777, meta.mtime(), meta.mtime_nsec()), (0o400, 1_000_000_000, 5));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
            assert_eq!(names(dir.path()), ["x"]);
        }
    }
}

//! Output files that appear under their name only when they are complete.

mod nameless;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT};

use self::nameless::Nameless;
use crate::error::{Class, CliError};
use crate::interrupt::Unfinished;
use crate::place::{FileTarget, Replace};

/// How the names of temporary files begin.
const PREFIX: &str = ".waxseal-tmp-";

/// What a new file takes over from its source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    /// Permission bits.
    pub(crate) mode: Mode,
    /// Time of the last change; none leaves it at now.
    pub(crate) modified: Option<Timespec>,
}

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
        let directory = directory_of(&target.path);
        // Replacing takes a name to rename from.
        let nameless = match (naming, target.replace) {
            (Naming::Nameless, Replace::No) => Nameless::create(directory),
            _ => None,
        };
        let form = match nameless {
            Some(nameless) => Form::Nameless(nameless),
            None => Form::Named(Named::create(directory, &target.path)?),
        };
        Ok(Self { form, target })
    }

    /// The file, until it is [at rest](Temporary::rest).
    pub(crate) fn file(&self) -> Result<&File, CliError> {
        let file = match &self.form {
            Form::Named(named) => named.file.as_ref(),
            Form::Nameless(nameless) => Some(nameless.file()),
        };
        file.ok_or_else(|| cannot_write(&self.target.path, rustix::io::Errno::BADF.into()))
    }

    /// Gives the finished file its mode and time.
    pub(crate) fn set_attributes(&self, attributes: Attributes) -> Result<(), CliError> {
        let file = self.file()?;
        let set = || {
            if attributes.mode != Mode::RUSR | Mode::WUSR {
                rustix::fs::fchmod(file, attributes.mode)?;
            }
            if let Some(modified) = attributes.modified {
                let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
                let times = Timestamps { last_access: omitted, last_modification: modified };
                rustix::fs::futimens(file, &times)?;
            }
            Ok(())
        };
        set().map_err(|error: rustix::io::Errno| cannot_write(&self.target.path, error.into()))
    }

    /// Closes the finished file, if it is there without being open.
    pub(crate) fn rest(&mut self) {
        if let Form::Named(named) = &mut self.form {
            named.file = None;
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

    /// Gives the file its name; without permission to replace, only if the name is still free.
    pub(crate) fn publish(self) -> Result<(), CliError> {
        let to = self.target.path.as_path();
        let published = match self.form {
            Form::Named(named) => named.rename(to, self.target.replace),
            Form::Nameless(nameless) => nameless.link(to),
        };
        published.map_err(|error| match error {
            rustix::io::Errno::EXIST => already_exists(to),
            error => cannot_write(to, error.into()),
        })
    }
}

/// A file of a temporary name.
#[derive(Debug)]
struct Named {
    unfinished: Unfinished,
    file: Option<File>,
    published: bool,
}

impl Named {
    fn create(directory: &Path, target: &Path) -> Result<Self, CliError> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        loop {
            let path = temporary_name(directory)?;
            let made = Unfinished::make(path, |path| rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR));
            match made {
                Ok((unfinished, file)) => {
                    return Ok(Self { unfinished, file: Some(File::from(file)), published: false });
                }
                Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(cannot_write(target, error.into())),
            }
        }
    }

    fn sync(&self) -> rustix::io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::fdatasync(rustix::fs::open(self.unfinished.path(), flags, Mode::empty())?)
    }

    fn rename(mut self, to: &Path, replace: Replace) -> rustix::io::Result<()> {
        let from = self.unfinished.path();
        match replace {
            Replace::Yes => rustix::fs::rename(from, to)?,
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
            std::fs::remove_file(self.unfinished.path()).ok();
            self.unfinished.forget();
        }
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
        _ => built,
    }
}

/// The error of an output that is there already.
pub(crate) fn already_exists(path: &Path) -> CliError {
    CliError::new(Class::Output, "exists already")
        .file(path)
        .hint("replace it with --force, or write elsewhere with -o OUT")
}

/// Renames without replacing. File systems that cannot do it in one step get a hard link, which does not replace either.
fn rename_to_free(from: &Path, to: &Path) -> rustix::io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::link(from, to)?;
            rustix::fs::unlink(from)
        }
        done => done,
    }
}

/// A name that nobody else uses: random for the process, counted within it.
fn temporary_name(directory: &Path) -> Result<PathBuf, CliError> {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = match PROCESS.get() {
        Some(process) => *process,
        None => {
            let drawn = getrandom::u64()
                .map_err(|error| CliError::new(Class::Other, format!("the system gives no random numbers: {error}")))?;
            *PROCESS.get_or_init(|| drawn)
        }
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(directory.join(format!("{PREFIX}{process:016x}-{count}")))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn target(path: &Path, replace: Replace) -> FileTarget {
        FileTarget { path: path.to_owned(), replace }
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
            temporary.set_attributes(Attributes { mode: Mode::RUSR, modified }).unwrap();
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

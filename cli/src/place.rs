//! Where an output goes: its name, and what stands there already.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::atomic::{already_exists, cannot_write, directory_of};
use crate::error::{Class, CliError};
use crate::input::{Identity, is_a_directory};

/// The ending of container names.
const SUFFIX: &str = "wax";

/// Whether an existing output may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    /// It may.
    Yes,
    /// It must not exist.
    No,
}

/// A regular file to be made or replaced.
#[derive(Clone, Debug)]
pub(crate) struct FileTarget {
    /// Its path, links followed.
    pub(crate) path: PathBuf,
    /// Its directory, where that is held open: then the last part of the path is looked up in it, and no other part is
    /// looked up at all.
    pub(crate) directory: Option<Arc<OwnedFd>>,
    /// Whether it may exist.
    pub(crate) replace: Replace,
}

impl FileTarget {
    /// Where its name is looked up, and the name.
    pub(crate) fn spot(&self) -> Spot {
        match (&self.directory, self.path.file_name()) {
            (Some(directory), Some(name)) => Spot { directory: Some(Arc::clone(directory)), name: name.into() },
            _ => Spot { directory: None, name: self.path.clone() },
        }
    }
}

/// A name, and the open directory in which it is looked up; without one it is a path.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// The directory.
    pub(crate) directory: Option<Arc<OwnedFd>>,
    /// The name.
    pub(crate) name: PathBuf,
}

impl Spot {
    /// What the `*at` calls take for the directory.
    pub(crate) fn at(&self) -> BorrowedFd<'_> {
        self.directory.as_ref().map_or(CWD, |directory| directory.as_fd())
    }

    /// The directory itself, as a path for the `*at` calls.
    pub(crate) fn folder(&self) -> &Path {
        directory_of(&self.name)
    }

    /// Another name beside it.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let name = if self.directory.is_some() { name.into() } else { self.folder().join(name) };
        Self { directory: self.directory.clone(), name }
    }
}

/// What an output turned out to be.
#[derive(Debug)]
pub(crate) enum Place {
    /// A regular file, written beside its name and then renamed.
    File(FileTarget),
    /// A device or pipe, or standard output: written as it is.
    Stream(File),
}

/// Which way the content goes, which decides the output's name and what a terminal may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Plaintext to container.
    Encrypt,
    /// Container to plaintext.
    Decrypt,
}

/// The output that was asked for with `-o`.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// Nothing: beside the input, or from standard input to standard output.
    Nothing,
    /// `-`.
    Stdout,
    /// A file.
    File(PathBuf),
    /// An existing directory.
    Directory(PathBuf),
}

impl Asked {
    /// Reads `-o`, for `count` inputs.
    pub(crate) fn parse(output: Option<&Path>, count: usize) -> Result<Self, CliError> {
        let Some(output) = output else { return Ok(Self::Nothing) };
        if output == Path::new("-") {
            return if count > 1 {
                Err(CliError::usage("several inputs cannot all go to standard output")
                    .hint("give -o an existing directory, or use 'waxseal cat' to join plaintexts"))
            } else {
                Ok(Self::Stdout)
            };
        }
        if output.is_dir() {
            return Ok(Self::Directory(output.to_owned()));
        }
        if count > 1 {
            let hint = if output.symlink_metadata().is_ok() {
                "this is a file: name a directory for the outputs".to_owned()
            } else {
                format!("make it first: mkdir -p {}", crate::shown::shown(&output.to_string_lossy()))
            };
            return Err(CliError::usage("with several inputs -o has to be an existing directory")
                .file(output)
                .hint(hint));
        }
        if output.as_os_str().as_encoded_bytes().ends_with(b"/") {
            let hint = format!("make it first: mkdir -p {}", crate::shown::shown(&output.to_string_lossy()));
            return Err(CliError::new(Class::Output, "is not an existing directory").file(output).hint(hint));
        }
        Ok(Self::File(output.to_owned()))
    }
}

/// Names the output of the file `input`; none is standard output.
pub(crate) fn name(input: &Path, direction: Direction, asked: &Asked) -> Result<Option<PathBuf>, CliError> {
    match asked {
        Asked::Stdout => Ok(None),
        Asked::File(path) => Ok(Some(path.clone())),
        Asked::Directory(directory) => {
            let base = input.file_name().ok_or_else(|| is_a_directory(input))?;
            // In another directory a container without the ending can keep its name.
            let new = renamed(base, direction).unwrap_or_else(|| base.to_owned());
            Ok(Some(directory.join(new)))
        }
        Asked::Nothing => {
            let base = input.file_name().ok_or_else(|| is_a_directory(input))?;
            let new = renamed(base, direction).ok_or_else(|| {
                CliError::usage("is not named NAME.wax, so the name of its plaintext is not known")
                    .file(input)
                    .hint("say where it goes with -o OUT")
            })?;
            Ok(Some(input.with_file_name(new)))
        }
    }
}

/// Adds the ending, or takes it away; none if there is none, or nothing else.
pub(crate) fn renamed(base: &OsStr, direction: Direction) -> Option<OsString> {
    match direction {
        Direction::Encrypt => {
            let mut name = base.to_owned();
            name.push(".");
            name.push(SUFFIX);
            Some(name)
        }
        Direction::Decrypt => {
            let path = Path::new(base);
            let has_ending = path.extension() == Some(OsStr::new(SUFFIX));
            // What is left may be a name that no file has.
            let stem = path.file_stem().filter(|stem| has_ending && *stem != "." && *stem != "..");
            stem.map(OsStr::to_owned)
        }
    }
}

/// Finds out what stands at `path`, and refuses what must not be written.
pub(crate) fn resolve(
    path: &Path,
    direction: Direction,
    replace: Replace,
    input: Option<Identity>,
) -> Result<Place, CliError> {
    let free = |path: &Path| Ok(Place::File(FileTarget { path: path.to_owned(), directory: None, replace }));
    match rustix::fs::lstat(path) {
        Err(Errno::NOENT) => free(path),
        Err(error) => Err(cannot_write(path, error.into())),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => match rustix::fs::stat(path) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                let target = path.canonicalize().map_err(|error| cannot_write(path, error))?;
                occupied(&target, &stat, direction, replace, input)
            }
            Ok(stat) => occupied(path, &stat, direction, replace, input),
            Err(Errno::NOENT) => free(&end_of_links(path)?),
            Err(error) => Err(cannot_write(path, error.into())),
        },
        Ok(stat) => occupied(path, &stat, direction, replace, input),
    }
}

/// Standard output as a place, unless it must not be written.
pub(crate) fn standard_output(direction: Direction, asked: &Asked, input: Option<Identity>) -> Result<Place, CliError> {
    let failed =
        |error: std::io::Error| CliError::system(Class::Output, "cannot be written", &error).stream("standard output");
    let file = File::from(std::io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
    if direction == Direction::Encrypt && !matches!(asked, Asked::Stdout) && file.is_terminal() {
        return Err(CliError::new(Class::Output, "is a terminal, and a container is no text")
            .stream("standard output")
            .hint("write to a file with -o OUT or >OUT; -o - writes to the terminal all the same"));
    }
    let stat = rustix::fs::fstat(&file).map_err(|error| failed(error.into()))?;
    if input.is_some_and(|input| input.is(&stat)) && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        return Err(CliError::new(Class::Output, "is the input itself")
            .stream("standard output")
            .hint("write elsewhere with -o OUT"));
    }
    Ok(Place::Stream(file))
}

/// The place at a path where something stands.
fn occupied(
    path: &Path,
    stat: &Stat,
    direction: Direction,
    replace: Replace,
    input: Option<Identity>,
) -> Result<Place, CliError> {
    if input.is_some_and(|input| input.is(stat)) {
        return Err(CliError::new(Class::Output, "is the input itself").file(path).hint("write elsewhere with -o OUT"));
    }
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => match replace {
            Replace::Yes => Ok(Place::File(FileTarget { path: path.to_owned(), directory: None, replace })),
            Replace::No => Err(already_exists(path)),
        },
        FileType::Directory => Err(CliError::new(Class::Output, "is a directory").file(path).hint("name a file in it")),
        FileType::BlockDevice if replace == Replace::No => {
            Err(CliError::new(Class::Output, "is a block device, whatever it holds would be lost")
                .file(path)
                .hint("write to it with --force"))
        }
        _ => stream_at(path, direction),
    }
}

/// Opens a device or pipe for writing.
fn stream_at(path: &Path, direction: Direction) -> Result<Place, CliError> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| cannot_write(path, error.into()))?);
    if direction == Direction::Encrypt && file.is_terminal() {
        return Err(CliError::new(Class::Output, "is a terminal, and a container is no text")
            .file(path)
            .hint("write to a file; -o - writes to the terminal all the same"));
    }
    Ok(Place::Stream(file))
}

/// Follows links by hand to the name that is no link, and may not exist yet.
pub(crate) fn end_of_links(path: &Path) -> Result<PathBuf, CliError> {
    let mut end = path.to_owned();
    for _ in 0..40 {
        match std::fs::read_link(&end) {
            Ok(next) => end = directory_of(&end).join(next),
            Err(_) => return Ok(end),
        }
    }
    Err(cannot_write(path, Errno::LOOP.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(input: &str, direction: Direction, asked: &Asked) -> Option<String> {
        name(Path::new(input), direction, asked).ok()?.map(|path| path.to_str().unwrap().to_owned())
    }

    #[test]
    fn outputs_are_named_after_inputs() {
        use Direction::{Decrypt, Encrypt};
        let nothing = Asked::Nothing;
        assert_eq!(named("d/a.pdf", Encrypt, &nothing).as_deref(), Some("d/a.pdf.wax"));
        assert_eq!(named("d/a.pdf.wax", Decrypt, &nothing).as_deref(), Some("d/a.pdf"));
        assert_eq!(named("a.wax", Encrypt, &nothing).as_deref(), Some("a.wax.wax"));
        for nameless in ["d/a.pdf", ".wax", "wax", "a.waxx", "..", "..wax", "...wax"] {
            assert_eq!(named(nameless, Decrypt, &nothing), None, "{nameless}");
        }
    }

    #[test]
    fn outputs_in_a_directory_take_the_last_part_of_the_name() {
        let out = Asked::Directory("out".into());
        assert_eq!(named("d/a", Direction::Encrypt, &out).as_deref(), Some("out/a.wax"));
        assert_eq!(named("d/a.wax", Direction::Decrypt, &out).as_deref(), Some("out/a"));
        assert_eq!(named("d/a", Direction::Decrypt, &out).as_deref(), Some("out/a"));
    }
}

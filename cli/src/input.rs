//! Inputs: files by name, and standard input.

mod settled;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};

pub(crate) use self::settled::open_settled;
use crate::atomic::{Attributes, modified};
use crate::error::{Class, CliError};
use crate::output::Console;

/// What tells one file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

/// What is done with symbolic links in trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// They are links.
    Kept,
    /// They are what they lead to.
    Followed,
}

impl Identity {
    /// The file that `stat` is of.
    pub(crate) fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }

    /// Whether `stat` is of the same file.
    pub(crate) fn is(self, stat: &Stat) -> bool {
        (self.device, self.inode) == (stat.st_dev, stat.st_ino)
    }
}

/// What an input is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputName {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl InputName {
    /// Reads an argument: `-` is standard input.
    pub(crate) fn parse(argument: &Path) -> Self {
        if argument == Path::new("-") { Self::Stdin } else { Self::File(argument.to_owned()) }
    }

    /// Reads the inputs of a command that takes standard input if there are none.
    pub(crate) fn parse_all(arguments: &[PathBuf]) -> Result<Vec<Self>, CliError> {
        let names: Vec<Self> = arguments.iter().map(|argument| Self::parse(argument)).collect();
        match names.len() {
            0 => Ok(vec![Self::Stdin]),
            1 => Ok(names),
            _ if names.contains(&Self::Stdin) => {
                Err(CliError::usage("standard input (-) cannot be one of several inputs"))
            }
            _ => Ok(names),
        }
    }

    /// What messages call it.
    pub(crate) fn label(&self) -> &Path {
        match self {
            Self::Stdin => Path::new("standard input"),
            Self::File(path) => path,
        }
    }
}

/// An open input.
#[derive(Debug)]
pub(crate) struct Input {
    /// The file, or whatever standard input is.
    pub(crate) file: File,
    /// Which file it is.
    pub(crate) identity: Identity,
    /// What the system said of it when it was opened.
    pub(crate) stat: Stat,
    /// Its size and attributes, if it is a regular file that was named: it is read by position then.
    pub(crate) regular: Option<Regular>,
}

/// The facts of a regular file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regular {
    /// Size in bytes.
    pub(crate) size: u64,
    /// What a file made from it takes over.
    pub(crate) attributes: Attributes,
}

impl Input {
    /// Opens an input.
    pub(crate) fn open(name: &InputName) -> Result<Self, CliError> {
        Self::try_open(name).map_err(|error| {
            if error.kind() == io::ErrorKind::IsADirectory {
                return is_a_directory(name.label());
            }
            CliError::system(Class::Input, "cannot be opened", &error).file(name.label())
        })
    }

    fn try_open(name: &InputName) -> io::Result<Self> {
        let file = match name {
            InputName::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned()?),
            InputName::File(path) => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
                File::from(rustix::fs::open(path, flags, Mode::empty())?)
            }
        };
        let stat = rustix::fs::fstat(&file)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let by_position = kind == FileType::RegularFile && *name != InputName::Stdin;
        Ok(Self { file, identity: Identity::of(&stat), stat, regular: by_position.then(|| Regular::of(&stat)) })
    }

    /// Opens a regular file of a tree: `name` in an open directory. What was a regular file when it was found and is
    /// something else now is refused, and no link is followed unless that is asked for.
    pub(crate) fn open_at(directory: impl AsFd, name: &OsStr, links: Links) -> io::Result<Self> {
        // Without NONBLOCK a pipe that took the file's place would be waited for.
        let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        flags.set(OFlags::NOFOLLOW, links == Links::Kept);
        let file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is no regular file any more"));
        }
        Ok(Self { file, identity: Identity::of(&stat), stat, regular: Some(Regular::of(&stat)) })
    }

    /// Whether a file that is read by position is as it was when it was opened, as far as its size and its time of change
    /// tell. A stream is what came out of it.
    pub(crate) fn is_unchanged(&self) -> io::Result<bool> {
        if self.regular.is_none() {
            return Ok(true);
        }
        let now = rustix::fs::fstat(&self.file)?;
        let facts = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        Ok(facts(&now) == facts(&self.stat))
    }

    /// Whether it is a block device, whose size is not that of what lies on it.
    pub(crate) fn is_block_device(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode) == FileType::BlockDevice
    }

    /// Whether parts of the file take no space.
    pub(crate) fn is_sparse(&self) -> bool {
        self.stat.st_blocks.saturating_mul(512) < self.stat.st_size
    }

    /// Says so if the input is to be typed: nobody should wait for a program that waits for them.
    pub(crate) fn say_if_typed(&self, console: &Console) {
        if self.regular.is_none() && self.file.is_terminal() {
            console.note("reading from the terminal; Ctrl-D at the beginning of a line ends it", None);
        }
    }

    /// The attributes for a file made from this input: the source's, or what the user's umask allows.
    pub(crate) fn attributes(&self, umask: Mode) -> Attributes {
        let new = Mode::from_raw_mode(0o666) & !umask;
        self.regular.map_or(Attributes { mode: new, modified: None, owner: None }, |regular| regular.attributes)
    }
}

/// The error of a directory where a file is expected.
pub(crate) fn is_a_directory(path: &Path) -> CliError {
    CliError::new(Class::Input, "is a directory").file(path).hint("add -r for everything in it")
}

impl Regular {
    fn of(stat: &Stat) -> Self {
        // Set-user-id and its like are not passed on: the new file may have another owner.
        let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
        let attributes = Attributes { mode, modified: Some(modified(stat)), owner: None };
        Self { size: stat.st_size.cast_unsigned(), attributes }
    }
}

/// Reads up to `wanted` bytes from the front of a stream, to look at them before it is read in full.
pub(crate) fn peek(stream: &mut impl Read, wanted: usize) -> io::Result<Vec<u8>> {
    let mut seen = Vec::with_capacity(wanted);
    stream.by_ref().take(wanted as u64).read_to_end(&mut seen)?;
    Ok(seen)
}

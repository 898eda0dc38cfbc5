//! A tree that operations are applied to, and what can be seen of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink,
};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Mode, RenameFlags, Timespec, Timestamps, XattrFlags, copy_file_range,
    fallocate, mknodat, renameat_with, utimensat,
};

use super::operation::{Allocation, Operation, Renaming, SLOTS, Target};
use crate::support::noise;

/// A fifo must not block whoever opens it.
const NONBLOCK: i32 = 0o4000;

/// What an operation came to: what it gave, or the number of the error.
pub(super) type Answer = Result<Seen, i32>;

/// Bytes that were seen.
#[derive(PartialEq, Eq)]
pub(super) struct Seen(Vec<u8>);

/// A directory with some of its files open.
pub(super) struct Tree {
    /// The directory.
    pub(super) root: PathBuf,
    open: [Option<File>; SLOTS],
}

/// What can be seen of a file without opening it, and what it holds.
#[derive(PartialEq, Eq)]
pub(super) struct Entry {
    path: String,
    mode: u32,
    owner: (u32, u32),
    links: u64,
    size: u64,
    modified: (i64, i64),
    attributes: Vec<(String, Vec<u8>)>,
    content: Vec<u8>,
}

impl Tree {
    /// Works in a directory.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), open: Default::default() }
    }

    /// Closes what is open.
    pub(super) fn close_all(&mut self) {
        self.open = Default::default();
    }

    /// Does it, and gives what everybody can see of it.
    pub(super) fn apply(&mut self, operation: &Operation) -> Answer {
        self.carry_out(operation).map(Seen).map_err(|error| error.raw_os_error().unwrap_or(0))
    }

    /// Whether it is something that a mount does not do (SEMANTICS.md, "Names" and "Extended attributes"), or something that
    /// is no matter of the file system: how a fifo is opened depends on who has it open, and the programs that tests beside
    /// this one start have all that is open here until they are executed.
    pub(super) fn is_left_out(&self, operation: &Operation) -> bool {
        let is_file = |path: &str| self.root.join(path).symlink_metadata().ok().map(|metadata| metadata.is_file());
        match operation {
            Operation::Rename { from, to, how: Renaming::Exchange } => match (is_file(from), is_file(to)) {
                (Some(from), Some(to)) => from != to,
                _ => false,
            },
            Operation::SetAttribute { path, .. } | Operation::RemoveAttribute { path, .. } => {
                is_file(path) == Some(false)
            }
            _ => operation.opens().any(|path| self.is_fifo(path)),
        }
    }

    fn is_fifo(&self, path: &str) -> bool {
        self.root.join(path).metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
    }

    fn carry_out(&mut self, operation: &Operation) -> io::Result<Vec<u8>> {
        let done = Ok(Vec::new());
        let at = |path: &str| self.root.join(path);
        match operation {
            Operation::Create { path, mode } => {
                options().write(true).create_new(true).mode(*mode).open(at(path))?;
                done
            }
            Operation::Replace { path, length, seed } => {
                let mut file = options().write(true).create(true).truncate(true).open(at(path))?;
                file.write_all(&noise(*length, *seed)).and(done)
            }
            Operation::Write { target, offset, length, seed } => {
                self.with(target, |file| file.write_all_at(&noise(*length, *seed), *offset)).and(done)
            }
            Operation::Append { path, length, seed } => {
                options().append(true).create(true).open(at(path))?.write_all(&noise(*length, *seed)).and(done)
            }
            Operation::Truncate { target, length } => self.with(target, |file| file.set_len(*length)).and(done),
            Operation::Read { target, offset, length } => self.with(target, |file| read(file, *offset, *length)),
            Operation::Allocate { target, how, offset, length } => {
                self.with(target, |file| Ok(fallocate(file, flags(*how), *offset, *length)?)).and(done)
            }
            Operation::CopyRange { from, from_offset, to, to_offset, length } => {
                let (from, to) = (options().read(true).open(at(from))?, options().write(true).open(at(to))?);
                let copied =
                    copy_file_range(from, Some(&mut { *from_offset }), to, Some(&mut { *to_offset }), *length)?;
                Ok(copied.to_le_bytes().to_vec())
            }
            Operation::Sync { target } => self.with(target, File::sync_all).and(done),
            Operation::Open { path, slot } => {
                self.open[*slot] = Some(options().read(true).write(true).open(at(path))?);
                done
            }
            Operation::Close { slot } => {
                self.open[*slot] = None;
                done
            }
            Operation::Rename { from, to, how } => {
                let how = match how {
                    Renaming::Replace => RenameFlags::empty(),
                    Renaming::Refuse => RenameFlags::NOREPLACE,
                    Renaming::Exchange => RenameFlags::EXCHANGE,
                };
                renameat_with(CWD, at(from), CWD, at(to), how)?;
                done
            }
            Operation::Link { from, to } => fs::hard_link(at(from), at(to)).and(done),
            Operation::Symlink { content, path } => symlink(content, at(path)).and(done),
            Operation::MakeFifo { path, mode } => {
                mknodat(CWD, at(path), FileType::Fifo, Mode::from_raw_mode(*mode), 0)?;
                done
            }
            Operation::Unlink { path } => fs::remove_file(at(path)).and(done),
            Operation::MakeDir { path, mode } => {
                rustix::fs::mkdir(at(path), Mode::from_raw_mode(*mode))?;
                done
            }
            Operation::RemoveDir { path } => fs::remove_dir(at(path)).and(done),
            Operation::Chmod { path, mode } => {
                fs::set_permissions(at(path), fs::Permissions::from_mode(*mode)).and(done)
            }
            Operation::SetTimes { path, seconds, nanoseconds } => {
                set_times(&at(path), *seconds, *nanoseconds).and(done)
            }
            Operation::SetAttribute { path, name, length } => {
                rustix::fs::lsetxattr(at(path), name.as_str(), &noise(*length, 1), XattrFlags::empty())?;
                done
            }
            Operation::RemoveAttribute { path, name } => {
                rustix::fs::lremovexattr(at(path), name.as_str())?;
                done
            }
            Operation::Look { path } => {
                let metadata = fs::metadata(at(path))?;
                let size = if metadata.is_dir() { 0 } else { metadata.len() };
                Ok(format!("{:o} {} {size}", metadata.mode(), metadata.nlink()).into_bytes())
            }
            Operation::List { path } => Ok(names(&at(path))?.join("\n").into_bytes()),
        }
    }

    fn with<T>(&self, target: &Target, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match target {
            Target::Path(path) => act(&options().read(true).write(true).open(self.root.join(path))?),
            Target::Open(slot) => match &self.open[*slot] {
                Some(file) => act(file),
                None => Err(io::Error::other("the slot is empty")),
            },
        }
    }
}

fn options() -> OpenOptions {
    let mut options = File::options();
    options.custom_flags(NONBLOCK);
    options
}

fn flags(how: Allocation) -> FallocateFlags {
    match how {
        Allocation::Plain => FallocateFlags::empty(),
        Allocation::KeepSize => FallocateFlags::KEEP_SIZE,
        Allocation::Punch => FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        Allocation::Zero => FallocateFlags::ZERO_RANGE,
        Allocation::ZeroKeepSize => FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE,
    }
}

/// Reads until so many bytes are there or the file ends.
fn read(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut done = 0;
    while done < length {
        match file.read_at(&mut bytes[done..], offset + done as u64)? {
            0 => break,
            more => done += more,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names: io::Result<Vec<String>> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().unwrap())).collect();
    let mut names = names?;
    names.sort();
    Ok(names)
}

fn set_times(path: &Path, seconds: i64, nanoseconds: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Gives everything in a tree a time of its own: operations on two trees happen at different times.
pub(super) fn set_all_times(root: &Path, round: u64) {
    for (number, path) in (0..).zip(paths(root)) {
        let seconds = 1_000_000_000 + i64::try_from(round).unwrap() * 1000 + number;
        set_times(&root.join(path), seconds, 123_456_789).unwrap();
    }
}

/// Everything below a root, sorted.
fn paths(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for name in names(&root.join(&folder)).unwrap() {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if root.join(&path).symlink_metadata().unwrap().is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Everything below a root, with all that can be seen of it.
pub(super) fn entries(root: &Path) -> Vec<Entry> {
    paths(root).into_iter().map(|path| Entry::read(root, path)).collect()
}

impl Entry {
    fn read(root: &Path, path: String) -> Self {
        let place = root.join(&path);
        let metadata = place.symlink_metadata().unwrap();
        let kind = metadata.file_type();
        Self {
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            links: metadata.nlink(),
            // How large a directory is depends on how its names are stored.
            size: if kind.is_dir() { 0 } else { metadata.len() },
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            attributes: attributes(&place),
            content: match () {
                () if kind.is_file() => fs::read(&place).unwrap_or_else(|error| panic!("{path}: {error}")),
                () if kind.is_symlink() => fs::read_link(&place).unwrap().into_os_string().into_encoded_bytes(),
                () => Vec::new(),
            },
            path,
        }
    }
}

fn attributes(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut buffer = vec![0_u8; 4096];
    let length = rustix::fs::llistxattr(path, &mut buffer).unwrap_or(0);
    let names = buffer[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user."));
    let value = |name: &str| {
        let mut value = vec![0_u8; 4096];
        let length = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
        value.truncate(length);
        value
    };
    let mut all: Vec<_> =
        names.map(|name| String::from_utf8(name.to_vec()).unwrap()).map(|name| (name.clone(), value(&name))).collect();
    all.sort();
    all
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(bytes) = self;
        match std::str::from_utf8(bytes) {
            Ok(text) if text.len() < 200 => write!(f, "{text:?}"),
            _ => write!(f, "{} bytes, {:x}", bytes.len(), number(bytes)),
        }
    }
}

/// Tells long contents apart.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number: u64, byte| number.wrapping_mul(31).wrapping_add((*byte).into()))
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hash = number(&self.content);
        let Self { path, mode, owner, links, size, modified, attributes, content: _ } = self;
        write!(f, "{path} {mode:o} {owner:?} {links} links {size} bytes {modified:?} {attributes:?} content {hash:x}")
    }
}

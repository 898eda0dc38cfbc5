//! Open directories of a tree that is read, and what is found in them.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, Stat, openat, statat};
use rustix::io::Errno;

use crate::descriptors::OpenDirectory;
use crate::input::{Identity, Input, Links};

/// Bytes of names that are read at once: whole names always fit, and a directory of any size takes no more memory.
const NAMES_LEN: usize = 32 << 10;

/// An open directory of a tree that is read.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// The one it was found in.
    above: Option<Arc<Folder>>,
    /// What messages call it.
    pub(crate) path: PathBuf,
    /// What the system said of it when it was opened.
    pub(crate) stat: Stat,
    _counted: OpenDirectory,
}

/// Something in a tree: a name in an open directory.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The directory.
    pub(crate) folder: Arc<Folder>,
    /// The name in it.
    pub(crate) name: OsString,
    /// What it was when it was found.
    pub(crate) kind: FileType,
    /// Whether a link is followed to it.
    pub(crate) links: Links,
}

impl Folder {
    /// Opens a directory that was named: links are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::open_at(CWD, path, Links::Followed, None, path.to_owned())
    }

    /// Opens the directory `name` in another one, or that itself once more. A link is not followed.
    pub(super) fn open_in(directory: impl AsFd, name: Option<&OsStr>, path: PathBuf) -> io::Result<Self> {
        Self::open_at(directory.as_fd(), name.map_or(Path::new("."), Path::new), Links::Kept, None, path)
    }

    /// Opens the directory `name` in this one.
    pub(super) fn enter(self: &Arc<Self>, name: &OsStr, links: Links) -> io::Result<Self> {
        Self::open_at(self.fd.as_fd(), Path::new(name), links, Some(Arc::clone(self)), self.path.join(name))
    }

    fn open_at(
        at: BorrowedFd<'_>,
        name: &Path,
        links: Links,
        above: Option<Arc<Self>>,
        path: PathBuf,
    ) -> io::Result<Self> {
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, links == Links::Kept);
        let fd = openat(at, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Self { fd, above, path, stat, _counted: OpenDirectory::new() })
    }

    /// The directory that it was found in; none for an input.
    pub(super) fn above(&self) -> Option<&Arc<Folder>> {
        self.above.as_ref()
    }

    /// Which directory it is.
    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.stat)
    }

    /// The next names in it and what they are, as many as are read at once; none at the end.
    pub(super) fn next_names(&self) -> io::Result<Vec<(OsString, FileType)>> {
        next_names(&self.fd)
    }

    /// What stands at a name in it; none if there is nothing, or a link that leads to nothing and is followed.
    pub(super) fn look(&self, name: &OsStr, links: Links) -> rustix::io::Result<Option<Stat>> {
        there(statat(&self.fd, name, flags_of(links)))
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Found {
    /// What messages call it.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    /// Opens it as a regular file, which it may have ceased to be.
    pub(crate) fn open(&self) -> io::Result<Input> {
        Input::open_at(&*self.folder, &self.name, self.links)
    }

    /// Opens it with these flags, whatever it is by now.
    pub(crate) fn open_as(&self, mut flags: OFlags) -> rustix::io::Result<File> {
        flags.set(OFlags::NOFOLLOW, self.links == Links::Kept);
        openat(&*self.folder, &self.name, flags, Mode::empty()).map(File::from)
    }

    /// What the system says of it now.
    pub(crate) fn stat(&self) -> rustix::io::Result<Stat> {
        statat(&*self.folder, &self.name, flags_of(self.links))
    }
}

/// The next names in an open directory and what they are, as many as are read at once; none at the end.
pub(super) fn next_names(directory: impl AsFd) -> io::Result<Vec<(OsString, FileType)>> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut buffer = vec![MaybeUninit::uninit(); NAMES_LEN];
    loop {
        let mut entries = RawDir::new(directory.as_fd(), &mut buffer);
        let mut names = Vec::new();
        let mut ended = true;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            ended = false;
            let (name, kind) = (entry.file_name().to_bytes(), entry.file_type());
            if name != b"." && name != b".." {
                names.push((OsStr::from_bytes(name).to_owned(), kind));
            }
            if entries.is_buffer_empty() {
                break;
            }
        }
        // What is read may be the two names that are passed over, and nothing else.
        if ended || !names.is_empty() {
            return Ok(names);
        }
    }
}

/// What stands at a name in a directory, links not followed; none if there is nothing.
pub(super) fn look_at(directory: impl AsFd, name: &OsStr) -> rustix::io::Result<Option<Stat>> {
    there(statat(directory, name, flags_of(Links::Kept)))
}

fn there(looked: rustix::io::Result<Stat>) -> rustix::io::Result<Option<Stat>> {
    match looked {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn flags_of(links: Links) -> AtFlags {
    match links {
        Links::Kept => AtFlags::SYMLINK_NOFOLLOW,
        Links::Followed => AtFlags::empty(),
    }
}

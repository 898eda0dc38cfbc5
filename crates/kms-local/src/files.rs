//! Files that appear whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use crate::error::StoreError;

/// Makes the directory and its missing parents, for the owner alone, durably.
pub(crate) fn make_directory(dir: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|part| is_missing(part)).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(StoreError::io(dir, "make the directory"))?;
    for made in missing {
        sync_directory(parent_of(made))?;
    }
    Ok(())
}

/// Refuses a directory that others may write to: they could put a store of their own there, and read what is encrypted
/// under it.
pub(crate) fn check_directory(dir: &Path) -> Result<(), StoreError> {
    let meta = fs::metadata(dir).map_err(StoreError::io(dir, "look at the directory"))?;
    if meta.mode() & 0o022 != 0 {
        return Err(StoreError::DirectoryUnsafe { path: dir.to_owned(), mode: meta.mode() & 0o7777 });
    }
    Ok(())
}

/// Opens a new file for its owner alone.
pub(crate) fn open_new(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::TargetExists { path: path.to_owned() },
        _ => StoreError::io(path, "create the file")(error),
    })
}

/// Writes a new file for its owner alone, and has it on disk.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut file = open_new(path)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(StoreError::io(path, "write the file"))
}

/// Has the file's content on disk.
pub(crate) fn sync_file(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io(path, "have the file on disk"))
}

/// Renames within a directory, and has the new name on disk.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::io(to, "give the file its name"))?;
    sync_directory(parent_of(to))
}

/// As [`rename`], but refuses to replace what has the name already.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<(), StoreError> {
    let renamed = match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system without this kind of rename: a second name does the same.
        Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        renamed => renamed.map_err(io::Error::from),
    };
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::TargetExists { path: to.to_owned() },
        _ => StoreError::io(to, "give the file its name")(error),
    })?;
    sync_directory(parent_of(to))
}

/// Has the directory's names on disk.
pub(crate) fn sync_directory(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io(dir, "have the directory on disk"))
}

/// Removes a file that may be missing.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path, "remove the file")(error)),
        _ => Ok(()),
    }
}

/// Whether something has this name. A name that cannot be looked at counts as taken: the attempt to use it tells why.
pub(crate) fn is_there(path: &Path) -> bool {
    !is_missing(path)
}

/// The directory that a path's last name stands in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

fn is_missing(path: &Path) -> bool {
    // The empty path is the last ancestor of a relative one: the current directory.
    !path.as_os_str().is_empty()
        && matches!(fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// An exclusive lock on a file, held until dropped or until the process ends, however it ends. The file stays.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Longest wait for another process: making a store takes it a few disk writes.
    const PATIENCE: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_millis(5);

    pub(crate) fn take(path: PathBuf) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(StoreError::io(&path, "open the lock file"))?;
        let started = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(Errno::WOULDBLOCK | Errno::INTR) if started.elapsed() < Self::PATIENCE => {
                    thread::sleep(Self::PAUSE);
                }
                Err(Errno::WOULDBLOCK) => return Err(StoreError::Busy { path }),
                Err(error) => return Err(StoreError::io(&path, "lock the file")(error.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_for_their_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        make_directory(&dir).unwrap();
        make_directory(&dir).unwrap();
        for made in [&dir, &root.path().join("a")] {
            assert_eq!(fs::metadata(made).unwrap().mode() & 0o7777, 0o700);
        }
    }

    #[test]
    fn a_new_file_never_replaces_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        write_new(&path, b"one").unwrap();
        assert!(matches!(write_new(&path, b"two"), Err(StoreError::TargetExists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn a_lock_is_free_again_when_its_holder_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        drop(FileLock::take(path.clone()).unwrap());
        FileLock::take(path.clone()).unwrap();
        assert!(path.exists());
    }
}

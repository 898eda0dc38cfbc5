//! Outputs on disk: contents before names, names before success.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::atomic::{Temporary, cannot_write, directory_of, open_directory};
use crate::error::CliError;

/// Up to this many directories are synced one by one: each costs about as much as syncing what was just synced anew.
const FEW_DIRECTORIES: usize = 4;

/// The directories of a group's outputs, and what went wrong in which of them.
#[derive(Debug, Default)]
pub(super) struct GroupSync {
    open: Vec<(PathBuf, Arc<OwnedFd>)>,
    broken: HashMap<PathBuf, Errno>,
}

impl GroupSync {
    /// Has the contents of all outputs on disk, by one `syncfs` for each file system.
    pub(super) fn contents(outputs: &[&Temporary]) -> Self {
        let mut sync = Self::default();
        let (mut seen, mut unreadable) = (HashSet::new(), HashSet::new());
        let mut last = None;
        for output in outputs {
            let path = directory_of(output.target());
            // Most outputs lie beside the one before, and looking there saves hashing the path.
            if last.replace(path) != Some(path) && seen.insert(path) {
                match output.directory() {
                    Ok(directory) => sync.open.push((path.to_owned(), directory)),
                    Err(_) => {
                        unreadable.insert(path);
                    }
                }
            }
            // A directory may be written but not read: its files are synced one by one.
            if unreadable.contains(path)
                && let Err(error) = output.sync_alone()
            {
                sync.broken.insert(path.to_owned(), error);
            }
        }
        sync.file_systems();
        sync
    }

    fn file_systems(&mut self) {
        let mut synced: HashMap<u64, Result<(), Errno>> = HashMap::new();
        for (path, directory) in &self.open {
            let result = rustix::fs::fstat(directory)
                .and_then(|stat| *synced.entry(stat.st_dev).or_insert_with(|| rustix::fs::syncfs(directory)));
            if let Err(error) = result {
                self.broken.insert(path.clone(), error);
            }
        }
    }

    /// Has the names in all directories on disk: each by itself, or all of a file system at once if they are many.
    pub(super) fn names(&mut self) {
        if self.open.len() > FEW_DIRECTORIES {
            return self.file_systems();
        }
        for (path, directory) in &self.open {
            if let Err(error) = sync_directory(directory) {
                self.broken.insert(path.clone(), error);
            }
        }
    }

    /// Why the output at `target` is not on disk, if it is not.
    pub(super) fn failure(&self, target: &Path) -> Option<CliError> {
        if self.broken.is_empty() {
            return None;
        }
        self.broken.get(directory_of(target)).map(|error| cannot_write(target, (*error).into()))
    }
}

/// Has the content of a single output on disk.
pub(super) fn content(file: &File, target: &Path) -> Result<(), CliError> {
    file.sync_data().map_err(|error| cannot_write(target, error))
}

/// Has the name of a single output on disk, as far as its directory can be read.
pub(super) fn name(target: &Path) -> Result<(), CliError> {
    let Ok(directory) = open_directory(directory_of(target)) else { return Ok(()) };
    sync_directory(directory).map_err(|error| cannot_write(target, error.into()))
}

/// Some file systems have no way to sync a directory, and need none.
fn sync_directory(directory: impl AsFd) -> Result<(), Errno> {
    match rustix::fs::fsync(directory) {
        Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        synced => synced,
    }
}

//! A file system to measure on, with a scratch folder that goes away at the end.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tempfile::TempDir;

use crate::{Options, Outcome, cleanup};

/// What a file system is kept on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Medium {
    /// Memory: no disk decides how fast it is.
    Memory,
    /// A disk.
    Disk,
}

/// A scratch folder on one file system.
#[derive(Debug)]
pub(crate) struct Scratch {
    medium: Medium,
    folder: TempDir,
    handle: File,
    memory: PathBuf,
}

impl Scratch {
    /// Makes a scratch folder on the file system of that medium.
    pub(crate) fn new(medium: Medium, options: &Options) -> Outcome<Self> {
        let parent = match medium {
            Medium::Memory => &options.tmpfs,
            Medium::Disk => &options.dir,
        };
        let folder = TempDir::with_prefix_in("waxseal-bench-", parent)
            .map_err(|error| format!("cannot work in {}: {error}", parent.display()))?;
        cleanup::note_folder(folder.path());
        let handle = File::open(folder.path())?;
        Ok(Self { medium, folder, handle, memory: options.tmpfs.clone() })
    }

    /// The name in the report.
    pub(crate) fn name(&self) -> &'static str {
        match self.medium {
            Medium::Memory => "memory",
            Medium::Disk => "disk",
        }
    }

    /// What it is kept on.
    pub(crate) fn medium(&self) -> Medium {
        self.medium
    }

    /// A path in the scratch folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes everything of this file system out.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.handle)?)
    }

    /// Empties the caches of the whole system: pages, names and inodes, of the mounts as well.
    pub(crate) fn drop_caches(&self) -> io::Result<()> {
        self.sync()?;
        fs::write(DROP_CACHES, "3")
    }

    /// Fills some memory and frees it at once, so that the next run gets pages that are there.
    ///
    /// A virtual machine gives memory that has been free for a while back to its host, and whoever takes it again pays.
    pub(crate) fn take_memory(&self, bytes: u64) -> io::Result<()> {
        let mut file = tempfile::tempfile_in(&self.memory)?;
        io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
        Ok(())
    }

    /// The type of the file system, such as ext4 or tmpfs.
    pub(crate) fn file_system(&self) -> io::Result<String> {
        let path = self.folder.path().canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let fields = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        });
        let longest = fields.filter(|(place, _)| path.starts_with(place)).max_by_key(|(place, _)| place.len());
        Ok(longest.map_or("unknown", |(_, kind)| kind).to_owned())
    }
}

const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// Whether this process may empty the caches, without which nothing is read cold.
pub(crate) fn can_drop_caches() -> bool {
    File::options().write(true).open(DROP_CACHES).is_ok()
}

/// Removes a file or a folder with everything in it, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

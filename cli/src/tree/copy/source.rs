//! `--remove-source`: a file that was encrypted is removed once its container is on disk and was read back from there.

use std::ffi::OsStr;
use std::fs::File;
use std::num::NonZeroUsize;

use rustix::fs::{Advice, AtFlags, Mode, OFlags, Stat, fadvise, major, minor, openat, unlinkat};
use rustix::io::Errno;
use waxseal_container::{Interrupted, Sink, Unlocked};

use crate::error::{Class, CliError};
use crate::input::{Identity, Links};
use crate::library_errors;
use crate::tree::folder::Found;
use crate::tree::output::OutputFolder;

/// A file that was encrypted, as it was then.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) found: Found,
    pub(super) stat: Stat,
}

impl Source {
    /// Reads the container `name` in `folder`, which is to hold `length` bytes, and removes the source if all of it
    /// verifies.
    pub(super) fn remove_once_verified(
        &self,
        unlocked: &Unlocked,
        folder: &OutputFolder,
        name: &OsStr,
        length: u64,
    ) -> Result<(), CliError> {
        if !self.found.may_be_removed(&self.stat) {
            return Ok(());
        }
        let label = folder.path.join(name);
        let cannot = |error: Errno| {
            CliError::system(Class::Output, "cannot be read back, so its source stays", &error.into()).file(&label)
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(openat(folder.fd(), name, flags, Mode::empty()).map_err(cannot)?);
        // What the system remembers of it is not what is on disk.
        fadvise(&file, 0, None, Advice::DontNeed).map_err(cannot)?;
        let source = waxseal_container::Source::File(&file);
        let read = unlocked.open(source, Sink::Discard, Interrupted::Refuse, NonZeroUsize::MIN);
        let read = read.map_err(|error| library_errors::container(&error, &label, &label))?;
        if read.plaintext_len != length {
            return Err(CliError::new(Class::Damaged, "is not as long as its source, which stays").file(&label));
        }
        self.remove()
    }

    fn remove(&self) -> Result<(), CliError> {
        let path = self.found.path();
        let cannot = |error: Errno| CliError::system(Class::Input, "cannot be removed", &error.into()).file(&path);
        let now = self.found.stat().map_err(cannot)?;
        // The time of change of a file's attributes is the one that nobody can set back.
        let changed = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
        let facts = |stat: &Stat| (Identity::of(stat), stat.st_size, changed(stat));
        if facts(&now) != facts(&self.stat) {
            return Err(CliError::new(Class::Input, "was changed after it was encrypted, and stays").file(&path));
        }
        if is_on_mount_of_ours(now.st_dev).map_err(|error| cannot(Errno::from_io_error(&error).unwrap_or(Errno::IO)))? {
            return Err(CliError::new(Class::Input, "lies in a mount of waxseal's, and stays")
                .file(&path)
                .hint("what is removed there is a container below: it may be the one that was written just now"));
        }
        unlinkat(&*self.found.folder, &self.found.name, AtFlags::empty()).map_err(cannot)
    }
}

impl Found {
    /// Whether `--remove-source` is about this file. One of several names stays: what becomes of the others is not known
    /// here. So does one that a link led to.
    pub(super) fn may_be_removed(&self, stat: &Stat) -> bool {
        stat.st_nlink == 1 && self.links == Links::Kept
    }
}

/// Whether a device is a mount that shows containers as files (proc(5), `/proc/pid/mountinfo`).
fn is_on_mount_of_ours(device: u64) -> std::io::Result<bool> {
    let device = format!("{}:{}", major(device), minor(device));
    let table = std::fs::read("/proc/self/mountinfo")?;
    let table = String::from_utf8_lossy(&table);
    Ok(table.lines().filter_map(|line| line.split_once(" - ")).any(|(place, kind)| {
        place.split(' ').nth(2) == Some(&device) && kind.split(' ').next() == Some("fuse.waxseal")
    }))
}

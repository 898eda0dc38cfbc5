//! Where a mount comes from and where it goes: what is checked before anything is mounted.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use crate::args::Mount;
use crate::error::{Class, CliError};
use crate::mounts::{self, FILESYSTEM_TYPE, PlaceLock, Taken, Users, is_dead};
use crate::output::Console;
use crate::shown::shown;

/// How long a mount that ends at this place may take to write what is left.
const PATIENCE: Duration = Duration::from_secs(10);

/// The two ends of a mount.
#[derive(Debug)]
pub(super) struct Place {
    /// The directory of containers, without links.
    pub(super) directory: PathBuf,
    /// The directory to mount on, without links.
    pub(super) mountpoint: PathBuf,
    /// Says that a mount is there, until everything is written.
    pub(super) lock: PlaceLock,
}

impl Place {
    /// Looks at both directories, and takes the mount point. A mount that has died there is taken away first.
    pub(super) fn take(args: &Mount, home: &Path, console: &Console) -> Result<Self, CliError> {
        let directory = existing_directory(&args.directory, Class::Input)?;
        let mountpoint = free_mountpoint(&args.mountpoint, console)?;
        refuse_one_in_the_other(&directory, &mountpoint, home)?;
        let lock = take_lock(&mountpoint)?;
        // Whoever mounts there holds the lock, so from here on nobody does. Who did a moment ago has let go.
        refuse_mounted(&mountpoint)?;
        if !args.nonempty {
            refuse_nonempty(&mountpoint)?;
        }
        Ok(Self { directory, mountpoint, lock })
    }
}

fn existing_directory(path: &Path, class: Class) -> Result<PathBuf, CliError> {
    let failed = |error: io::Error| CliError::system(class, "cannot be opened", &error).file(path);
    let real = path.canonicalize().map_err(failed)?;
    if !real.metadata().map_err(failed)?.is_dir() {
        return Err(CliError::new(class, "is not a directory").file(path));
    }
    Ok(real)
}

/// Finds the mount point. What a killed mount left behind there answers nothing and is detached.
fn free_mountpoint(asked: &Path, console: &Console) -> Result<PathBuf, CliError> {
    let failed = |error: io::Error| CliError::system(Class::Output, "cannot be mounted on", &error).file(asked);
    let mountpoint = mounts::mountpoint_path(asked).map_err(failed)?;
    while is_dead(&mountpoint) {
        mounts::unmount(&mountpoint, Users::Detach).map_err(|error| {
            CliError::system(Class::Output, "holds a mount that has died and cannot be taken away", &error)
                .file(&mountpoint)
        })?;
        let place = shown(&mountpoint.to_string_lossy());
        console.note(&format!("{place}: took away a mount whose process has died"), None);
    }
    refuse_mounted(&mountpoint)?;
    if !mountpoint.try_exists().unwrap_or(true) {
        let absent = CliError::new(Class::Output, "is not there, and cannot be mounted on").file(&mountpoint);
        return Err(absent.hint("make it first, with mkdir"));
    }
    existing_directory(&mountpoint, Class::Output)
}

fn refuse_mounted(mountpoint: &Path) -> Result<(), CliError> {
    let no_table = |error: io::Error| CliError::system(Class::Other, "cannot read the table of mounts", &error);
    match mounts::topmost(mountpoint).map_err(no_table)? {
        Some(entry) if entry.filesystem == FILESYSTEM_TYPE => {
            Err(CliError::new(Class::Output, "a waxseal mount is there already")
                .file(mountpoint)
                .hint("'waxseal umount' takes it away"))
        }
        _ => Ok(()),
    }
}

fn take_lock(mountpoint: &Path) -> Result<PlaceLock, CliError> {
    let failed = |error: io::Error| CliError::system(Class::Output, "cannot be mounted on", &error).file(mountpoint);
    let lock = PlaceLock::open(mountpoint).map_err(failed)?;
    let refused = |text: &str, hint: &str| Err(CliError::new(Class::Output, text).file(mountpoint).hint(hint));
    match lock.take(PATIENCE).map_err(failed)? {
        Taken::Ours => Ok(lock),
        Taken::ByMount => refused("another waxseal is mounting or unmounting there", "try again when it is done"),
        Taken::ByWriters => refused(
            "another waxseal is writing files into this directory, and the mount would cover them",
            "mount when it is done, or on another directory",
        ),
    }
}

/// What lies in the mount point would be hidden. Plaintext that a program left there while nothing was mounted would be too.
fn refuse_nonempty(mountpoint: &Path) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::system(Class::Output, "cannot be read", &error).file(mountpoint);
    match fs::read_dir(mountpoint).map_err(failed)?.next() {
        None => Ok(()),
        Some(_) => Err(CliError::new(Class::Output, "is not empty, and what is in it would be hidden")
            .file(mountpoint)
            .hint("look whether it is plaintext that should be in the mount; --nonempty mounts all the same")),
    }
}

/// Refuses a mount that would show itself, or that would cover what it needs.
fn refuse_one_in_the_other(directory: &Path, mountpoint: &Path, home: &Path) -> Result<(), CliError> {
    let failed = |path: &Path, error: Errno| {
        CliError::system(Class::Input, "cannot be followed up to the root", &error.into()).file(path)
    };
    let above_directory = up_to_the_root(directory).map_err(|error| failed(directory, error))?;
    let above_mountpoint = up_to_the_root(mountpoint).map_err(|error| failed(mountpoint, error))?;
    let (Some(own), Some(target)) = (above_directory.first(), above_mountpoint.first()) else { return Ok(()) };
    let refused = |text: &str| Err(CliError::usage(text).file(mountpoint).hint("mount on a directory elsewhere"));
    if own == target {
        return refused("is the directory of containers itself");
    }
    if above_mountpoint.contains(own) {
        return refused("is inside the directory of containers: the mount would show itself");
    }
    if above_directory.contains(target) {
        return refused("holds the directory of containers: the mount would cover it");
    }
    let existing = home.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    if up_to_the_root(existing).map_err(|error| failed(existing, error))?.contains(target) {
        return refused("holds the key store: the mount would cover it");
    }
    Ok(())
}

/// The identities of a directory and of all that it is in. Names may differ where one directory is mounted twice; these do
/// not.
fn up_to_the_root(directory: &Path) -> rustix::io::Result<Vec<(u64, u64)>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at: OwnedFd = rustix::fs::open(directory, flags, Mode::empty())?;
    let mut chain: Vec<(u64, u64)> = Vec::new();
    loop {
        let stat = fstat(&at)?;
        let identity = (stat.st_dev, stat.st_ino);
        // The root is its own parent.
        if chain.last() == Some(&identity) {
            return Ok(chain);
        }
        chain.push(identity);
        at = openat(&at, "..", flags, Mode::empty())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_refused_over_under_and_in_another() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        for name in ["vault/in", "clear", "home"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        let check = |from: &str, to: &str| refuse_one_in_the_other(&path(from), &path(to), &path("home/x/y"));
        check("vault", "clear").unwrap();
        for (from, to) in [("vault", "vault"), ("vault", "vault/in"), ("vault/in", "vault"), ("vault", "home")] {
            assert_eq!(check(from, to).unwrap_err().class(), Class::Usage, "{from} {to}");
        }
    }
}

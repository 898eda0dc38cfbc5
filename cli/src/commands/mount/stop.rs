//! Ending a mount on a signal: the first unmounts it, a second one cuts it off.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use waxseal_fuse::{Level, Log, Unmounter};

use crate::error::{Class, CliError, reason};
use crate::interrupt;
use crate::mounts::{self, FILESYSTEM_TYPE, Users};

/// The kernel's handle on each mount, by the minor number of its device.
const CONNECTIONS: &str = "/sys/fs/fuse/connections";

/// Signals that came, and no longer end the process.
#[derive(Debug)]
pub(super) struct Signals(Receiver<i32>);

impl Signals {
    /// From now on signals are kept until there is a mount to end.
    pub(super) fn keep() -> Self {
        let (sender, receiver) = channel();
        interrupt::instead(move |signal| {
            // Whoever received them is gone when the process is about to end anyway.
            sender.send(signal).ok();
        });
        Self(receiver)
    }

    /// Ends the mount with the first signal, also one that came before, on a thread of its own.
    pub(super) fn end(self, mount: Ending) -> Result<(), CliError> {
        let wait = move || self.0.iter().for_each(|_| mount.next());
        let failed = |error: io::Error| CliError::system(Class::Other, "cannot watch for interrupts", &error);
        std::thread::Builder::new().name("unmount".into()).spawn(wait).map_err(failed)?;
        Ok(())
    }
}

/// What it takes to end a mount.
pub(super) struct Ending {
    /// Unmounts it, if nobody uses it.
    pub(super) unmounter: Unmounter,
    /// Where it is.
    pub(super) mountpoint: PathBuf,
    /// By which number the kernel knows it, once it has.
    pub(super) minor: Option<u32>,
    /// Who is told.
    pub(super) log: Arc<dyn Log>,
}

impl Ending {
    /// Ends it as far as possible: out of the tree at once if nobody uses it, else when nobody does any more; and when that
    /// was done already, without regard to anybody.
    fn next(&self) {
        if !self.is_mounted() {
            self.cut_off();
        } else if let Err(error) = self.unmounter.unmount() {
            self.detach(&error);
        }
    }

    /// Takes it out of the tree, although programs use it.
    fn detach(&self, refusal: &io::Error) {
        match mounts::unmount(&self.mountpoint, Users::Detach) {
            Ok(()) => {
                let why = reason(refusal);
                let text = format!("detached, though in use ({why}): it ends with its last user, or a second signal");
                self.log.line(Level::Warning, &text);
            }
            Err(error) => self.log.line(Level::Error, &format!("cannot be unmounted: {}", reason(&error))),
        }
    }

    fn is_mounted(&self) -> bool {
        let ours = |entry: mounts::MountEntry| entry.filesystem == FILESYSTEM_TYPE && Some(entry.minor) == self.minor;
        mounts::topmost(&self.mountpoint).ok().flatten().is_some_and(ours)
    }

    /// Programs that still use the mount get errors from now on. What they wrote is kept: the process is about to write it.
    fn cut_off(&self) {
        let Some(minor) = self.minor else { return };
        match abort(minor) {
            Ok(()) => self.log.line(Level::Warning, "cut off from the programs that still used it"),
            Err(error) => {
                let why = reason(&error.into());
                self.log.line(Level::Error, &format!("cannot be cut off from the programs that use it: {why}"));
            }
        }
    }
}

/// Has the kernel end a mount, whoever uses it.
fn abort(minor: u32) -> rustix::io::Result<()> {
    let name = format!("{minor}/abort");
    let file = match openat(CWD, Path::new(CONNECTIONS).join(&name), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        // The kernel's directory is mounted by most systems, but not by all, and not in every container.
        Err(Errno::NOENT) => openat(&own_connections()?, &name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?,
        opened => opened?,
    };
    rustix::io::write(&file, b"1").map(|_| ())
}

/// The kernel's directory of FUSE mounts, mounted for this process only and nowhere in the tree.
fn own_connections() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("fusectl", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

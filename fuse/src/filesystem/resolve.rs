//! What a name in the mount stands for below, and whether one can be made (SEMANTICS.md, "Names").

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::Filesystem;
use crate::attributes::Below;
use crate::backing::status_at;
use crate::names;
use crate::report::shown;

impl Filesystem {
    /// What a name stands for: the stored name, and what lies there.
    ///
    /// A container goes before anything else that would be shown under the same name.
    pub(super) fn resolve(&self, directory: &Arc<OwnedFd>, name: &OsStr) -> Result<(OsString, Below), Errno> {
        if names::is_temporary(name) {
            return Err(Errno::NOENT);
        }
        if name.len() > names::MAX_NAME_LEN {
            return Err(Errno::NAMETOOLONG);
        }
        let stored = names::of_container(name);
        match status_at(directory, &stored) {
            Ok(below) if below.kind == FileType::RegularFile => return Ok((stored, below)),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
        let below = status_at(directory, name)?;
        if below.kind == FileType::RegularFile { Err(Errno::NOENT) } else { Ok((name.to_owned(), below)) }
    }

    /// Refuses a name that cannot be made: too long, or taken by something that is not shown.
    pub(super) fn check_free(&self, directory: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
        names::check_new(name)?;
        self.check_stored(directory, &names::of_container(name), name)?;
        self.check_stored(directory, name, name)
    }

    /// Refuses a name that is taken below.
    pub(super) fn check_stored(&self, directory: &OwnedFd, stored: &OsStr, name: &OsStr) -> Result<(), Errno> {
        match status_at(directory, stored) {
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
            Ok(below) => {
                if names::shown(stored, below.kind) != Some(name) {
                    self.explain_taken(Errno::EXIST, stored, name);
                }
                Err(Errno::EXIST)
            }
        }
    }

    /// Tells the log why a name cannot be made that programs do not see.
    pub(super) fn explain_taken(&self, error: Errno, stored: &OsStr, name: &OsStr) {
        if error == Errno::EXIST {
            let text = format!("{}: not made: {} is taken by something that is not shown", shown(name), shown(stored));
            self.reporter.info(&text);
        }
    }
}

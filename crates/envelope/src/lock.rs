//! Locks that keep the writers of one container apart: open-file-description locks of fcntl(2).
//!
//! They are advisory, cover the whole file, and belong to the open file description: two descriptors of one process keep
//! each other out, closing another descriptor of the file does not release them, and the last close of the description
//! does, however the process ends. On file systems that forward locks they hold between machines.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::EnvelopeError;

/// Takes the lock that readers share, without waiting; a descriptor that holds it exclusively keeps it shared only.
///
/// `false` means that another open file description holds it exclusively. The file has to be open for reading.
///
/// # Errors
/// The file is not open for reading; the file system has no locks; the system has no room for another one.
pub fn lock_shared(file: &File) -> io::Result<bool> {
    lock(file, libc::F_RDLCK)
}

/// Takes the lock that a writer has for itself, without waiting; a descriptor that holds it shared has it upgraded in place,
/// and keeps it shared if that fails.
///
/// `false` means that another open file description holds it, shared or exclusively. The file has to be open for writing.
///
/// # Errors
/// The file is not open for writing; the file system has no locks; the system has no room for another one.
pub fn lock_exclusive(file: &File) -> io::Result<bool> {
    lock(file, libc::F_WRLCK)
}

/// Takes the lock that a writer has for itself, or says who keeps it from that.
pub(crate) fn claim(file: &File) -> Result<(), EnvelopeError> {
    match lock_exclusive(file) {
        Ok(true) => Ok(()),
        Ok(false) => Err(EnvelopeError::InUse),
        Err(error) => Err(EnvelopeError::Lock(error)),
    }
}

/// Gives the lock back, of whichever kind it is. The last close of the description does so too.
///
/// # Errors
/// The file system has no locks.
pub fn unlock(file: &File) -> io::Result<()> {
    lock(file, libc::F_UNLCK).map(|_| ())
}

fn lock(file: &File, kind: libc::c_int) -> io::Result<bool> {
    let small = |constant: libc::c_int| libc::c_short::try_from(constant).expect("the constants of fcntl.h are small");
    // A length of 0 reaches to the end of the file, wherever that comes to be.
    let whole = libc::flock { l_type: small(kind), l_whence: small(libc::SEEK_SET), l_start: 0, l_len: 0, l_pid: 0 };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn open(path: &Path) -> File {
        File::options().read(true).write(true).open(path).unwrap()
    }

    #[test]
    fn a_lock_that_was_given_back_is_free_though_its_description_is_open() {
        let (_file, one, other) = two_descriptions();
        assert!(lock_exclusive(&one).unwrap());
        assert!(!lock_shared(&other).unwrap());
        unlock(&one).unwrap();
        assert!(lock_exclusive(&other).unwrap());
    }

    fn two_descriptions() -> (tempfile::NamedTempFile, File, File) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (one, other) = (open(file.path()), open(file.path()));
        (file, one, other)
    }

    #[test]
    fn readers_share_and_a_writer_is_alone() {
        let (file, one, other) = two_descriptions();
        assert!(lock_shared(&one).unwrap() && lock_shared(&other).unwrap());
        let third = open(file.path());
        assert!(!lock_exclusive(&third).unwrap());
        drop((one, other));
        assert!(lock_exclusive(&third).unwrap());
        let fourth = open(file.path());
        assert!(!lock_shared(&fourth).unwrap() && !lock_exclusive(&fourth).unwrap());
    }

    #[test]
    fn a_shared_lock_is_upgraded_in_place_once_nobody_else_shares_it() {
        let (file, one, other) = two_descriptions();
        assert!(lock_shared(&one).unwrap() && lock_shared(&other).unwrap());
        assert!(!lock_exclusive(&one).unwrap());
        drop(other);
        let other = open(file.path());
        assert!(lock_shared(&other).unwrap(), "a refused upgrade leaves the shared lock, and only that");
        let third = open(file.path());
        assert!(!lock_exclusive(&third).unwrap(), "the refused one still shares it");
        drop((other, third));
        assert!(lock_exclusive(&one).unwrap());
        assert!(!lock_shared(&open(file.path())).unwrap());
        assert!(lock_shared(&one).unwrap(), "and back");
        assert!(lock_shared(&open(file.path())).unwrap());
    }

    #[test]
    fn a_duplicate_holds_the_same_lock_until_the_last_one_is_closed() {
        let (file, one, other) = two_descriptions();
        let duplicate = one.try_clone().unwrap();
        assert!(lock_exclusive(&one).unwrap() && lock_exclusive(&duplicate).unwrap());
        drop(one);
        assert!(!lock_shared(&other).unwrap());
        drop(open(file.path()));
        assert!(!lock_shared(&other).unwrap(), "closing another descriptor of the file releases nothing");
        drop(duplicate);
        assert!(lock_shared(&other).unwrap());
    }

    #[test]
    fn a_lock_covers_what_is_appended_later() {
        let (_file, one, other) = two_descriptions();
        assert!(lock_exclusive(&one).unwrap());
        one.set_len(1 << 40).unwrap();
        assert!(!lock_shared(&other).unwrap());
    }

    #[test]
    fn a_descriptor_that_cannot_write_has_no_exclusive_lock() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reader = File::open(file.path()).unwrap();
        assert!(lock_exclusive(&reader).is_err());
        assert!(lock_shared(&reader).unwrap());
    }
}

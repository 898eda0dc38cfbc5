//! How a mount ends: what the process that serves it tells whoever unmounts it.
//!
//! The process listens at a Unix socket without a file (unix(7), "abstract") as long as the mount is there. Whoever is about
//! to unmount connects first, and waits. When everything is written, or cannot be, the process says so on every connection
//! that there is; where it dies before, the system closes them without a word.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, send,
    socket_with,
};

use super::MountEntry;

/// How many connections may wait; the system has a limit of its own.
const MAX_WAITING: i32 = 1024;

/// Bytes at the end of the mount point's path that the address has room for.
const MAX_PATH: usize = 64;

/// What is said when everything is on the disk, and when it is not.
const WRITTEN: u8 = b'+';
const FAILED: u8 = b'-';

/// How a mount has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is on the disk.
    Written,
    /// Something could not be written.
    Failed,
    /// Its process died before it could say.
    Died,
    /// It has not ended yet.
    Pending,
}

/// The process that serves a mount.
#[derive(Debug)]
pub(crate) struct Teller {
    listener: OwnedFd,
}

/// Whoever unmounts it.
#[derive(Debug)]
pub(crate) struct Asker {
    connection: UnixStream,
}

impl Teller {
    /// Listens for those who will unmount this mount.
    ///
    /// # Errors
    /// The address is in use, which nobody but another user has any cause for.
    pub(crate) fn listen(entry: &MountEntry) -> io::Result<Self> {
        let listener = socket()?;
        bind(&listener, &address(entry)?)?;
        listen(&listener, MAX_WAITING)?;
        Ok(Self { listener })
    }

    /// Tells all of them how it has ended.
    pub(crate) fn tell(self, is_written: bool) {
        let word = [if is_written { WRITTEN } else { FAILED }];
        loop {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                // Who has gone meanwhile does not want to know.
                Ok(connection) => drop(send(connection, &word, SendFlags::NOSIGNAL)),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(_) => return,
            }
        }
    }
}

impl Asker {
    /// Connects to the process that serves a mount.
    ///
    /// # Errors
    /// Nobody listens, as where the process is in another network namespace; too many do as we; another user listens than
    /// the one who mounted.
    pub(crate) fn connect(entry: &MountEntry) -> io::Result<Self> {
        let connection = socket()?;
        connect(&connection, &address(entry)?)?;
        if Some(socket_peercred(&connection)?.uid.as_raw()) != entry.owner {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "another user answers for it"));
        }
        let connection = UnixStream::from(connection);
        connection.set_nonblocking(false)?;
        Ok(Self { connection })
    }

    /// Waits until the mount has ended, at most so long.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn wait(mut self, patience: Duration) -> io::Result<Outcome> {
        self.connection.set_read_timeout(Some(patience))?;
        let mut word = [0];
        loop {
            return match self.connection.read(&mut word) {
                Ok(1) if word == [WRITTEN] => Ok(Outcome::Written),
                Ok(1) => Ok(Outcome::Failed),
                Ok(_) => Ok(Outcome::Died),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::ConnectionReset => Ok(Outcome::Died),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(Outcome::Pending),
                    _ => Err(error),
                },
            };
        }
    }
}

fn socket() -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

/// The address of a mount: both sides know it from the kernel's table. The number of its device is no other mount's while it
/// is there, and the place is no other's until its process has ended.
fn address(entry: &MountEntry) -> rustix::io::Result<SocketAddrUnix> {
    let path = entry.mountpoint.as_os_str().as_bytes();
    let end = &path[path.len().saturating_sub(MAX_PATH)..];
    SocketAddrUnix::new_abstract_name(&[format!("waxseal-mount/{}", entry.minor).as_bytes(), end].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A mount of ours at a place that no other test has.
    fn entry(owner: u32) -> (MountEntry, tempfile::TempDir) {
        let scratch = tempfile::tempdir().unwrap();
        let mountpoint: PathBuf = scratch.path().join("a".repeat(200));
        let entry = MountEntry {
            mountpoint,
            minor: std::process::id(),
            filesystem: String::new(),
            read_only: false,
            owner: Some(owner),
        };
        (entry, scratch)
    }

    #[test]
    fn everybody_who_asked_is_told_how_it_ended() {
        let own = rustix::process::geteuid().as_raw();
        for (is_written, outcome) in [(true, Outcome::Written), (false, Outcome::Failed)] {
            let (entry, _scratch) = entry(own);
            let teller = Teller::listen(&entry).unwrap();
            let askers = [Asker::connect(&entry).unwrap(), Asker::connect(&entry).unwrap()];
            drop(Asker::connect(&entry).unwrap());
            let patient = Asker::connect(&entry).unwrap();
            assert_eq!(patient.wait(Duration::from_millis(1)).unwrap(), Outcome::Pending);
            teller.tell(is_written);
            for asker in askers {
                assert_eq!(asker.wait(Duration::from_secs(60)).unwrap(), outcome);
            }
            assert!(Asker::connect(&entry).is_err(), "nobody listens any more");
        }
    }

    #[test]
    fn a_process_that_dies_says_nothing_and_another_users_is_not_believed() {
        let own = rustix::process::geteuid().as_raw();
        let (mut entry, _scratch) = entry(own);
        let teller = Teller::listen(&entry).unwrap();
        let asker = Asker::connect(&entry).unwrap();
        entry.owner = Some(own + 1);
        assert_eq!(Asker::connect(&entry).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        drop(teller);
        assert_eq!(asker.wait(Duration::from_secs(60)).unwrap(), Outcome::Died);
    }
}

//! A Unix socket under a name: for its owner alone from its first moment, never in the place of something else, and never
//! taken from a server that lives.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::net::UnixListener;

use crate::error::ServerError;

/// A socket that listens. Its name goes when this is dropped.
pub(crate) struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Whoever has it locked owns the name. It ends with the process, however that ends; the empty file stays.
    _lock: File,
}

impl UnixSocket {
    /// Listens under a name. What a server that was killed has left there is replaced.
    pub(crate) fn bind(path: &Path) -> Result<Self, ServerError> {
        let failed = |source: io::Error| ServerError::Listen { place: path.display().to_string(), source };
        let lock = File::options().write(true).create(true).truncate(false).mode(0o600).open(beside(path, ".lock"));
        let lock = lock.map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(ServerError::InUse { path: path.to_owned() }),
            Err(error) => return Err(failed(error.into())),
        }
        match fs::symlink_metadata(path) {
            Ok(meta) if !meta.file_type().is_socket() => return Err(ServerError::NoSocket { path: path.to_owned() }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = bind_as(path).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // The lock is still held: nobody else has put a socket there.
        fs::remove_file(&self.path).ok();
    }
}

/// Makes a socket that listens, and gives it its name when its mode is right: nobody else can connect before.
pub(crate) fn bind_as(path: &Path) -> io::Result<UnixListener> {
    let temporary = beside(path, ".new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&temporary)?;
    let named =
        fs::set_permissions(&temporary, Permissions::from_mode(0o600)).and_then(|()| fs::rename(&temporary, path));
    if named.is_err() {
        fs::remove_file(&temporary).ok();
    }
    named.map(|()| listener)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn in_a_runtime(test: impl FnOnce(&Path)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _context = runtime.enter();
        let scratch = tempfile::tempdir().unwrap();
        test(&scratch.path().join("kms.sock"));
    }

    #[test]
    fn a_socket_is_its_owner_s_and_goes_with_its_server() {
        in_a_runtime(|path| {
            let socket = UnixSocket::bind(path).unwrap();
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
            UnixStream::connect(path).unwrap();
            drop(socket);
            assert!(!path.exists());
        });
    }

    #[test]
    fn a_dead_server_s_socket_is_replaced_and_a_living_one_s_is_not() {
        in_a_runtime(|path| {
            // What a killed server leaves: a name that nobody listens at.
            drop(std::os::unix::net::UnixListener::bind(path).unwrap());
            let socket = UnixSocket::bind(path).unwrap();
            assert!(matches!(UnixSocket::bind(path), Err(ServerError::InUse { .. })));
            UnixStream::connect(path).unwrap();
            drop(socket);
        });
    }

    #[test]
    fn a_file_of_that_name_stays() {
        in_a_runtime(|path| {
            fs::write(path, "precious").unwrap();
            assert!(matches!(UnixSocket::bind(path), Err(ServerError::NoSocket { .. })));
            assert_eq!(fs::read(path).unwrap(), b"precious");
        });
    }
}

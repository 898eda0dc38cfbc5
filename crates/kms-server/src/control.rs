//! The control socket: how a running server is locked and unlocked from the same machine.
//!
//! It lies in the store's directory under a name of its own, so that all servers of one store are found, and is for the
//! directory's owner alone. A message is one byte for the command and, to unlock, the passphrase, whose length is a u16
//! before it; length 0 stands for none. The answer is a line of JSON, and then the connection ends.

mod client;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use waxseal_kms_local::{Passphrase, StoreError};
use zeroize::Zeroizing;

pub use self::client::{Command, ControlError, Report, send};
use crate::keeper::{Keeper, Locked};
use crate::log::{Event, Log};
use crate::unix_socket::bind_as;

const PREFIX: &str = "control-";
const SUFFIX: &str = ".sock";
const LOCK: u8 = b'l';
const UNLOCK: u8 = b'u';
/// Longest passphrase, as the store has it.
const MAX_PASSPHRASE: usize = 1024;
/// How long one message may take to arrive: whoever sends it has the passphrase already.
const PATIENCE: Duration = Duration::from_secs(10);

/// The control socket of one server. Its name goes when this is dropped.
pub(crate) struct Control {
    listener: UnixListener,
    directory: Directory,
    name: String,
}

/// An open directory, by a path that is short however long its own is: a socket's path has 107 bytes at most.
struct Directory {
    open: File,
}

impl Control {
    /// Makes the control socket of a server of the store in `directory`, and takes away those of servers that were killed.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        let directory = Directory::open(directory)?;
        for name in directory.sockets()? {
            directory.connect(&name).ok();
        }
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{PREFIX}{:016x}{SUFFIX}", u64::from_be_bytes(random));
        let listener = bind_as(&directory.path(&name))?;
        Ok(Self { listener, directory, name })
    }

    /// Obeys, for as long as it is polled.
    pub(crate) async fn serve(&self, keeper: &Arc<Keeper>, log: &Arc<dyn Log>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (keeper, log) = (Arc::clone(keeper), Arc::clone(log));
                    tokio::spawn(async move {
                        // A client that goes away does not want its answer.
                        tokio::time::timeout(PATIENCE * 4, converse(stream, keeper, log)).await.ok();
                    });
                }
                Err(error) => {
                    log.event(&Event::NotAccepted(error.to_string()));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        fs::remove_file(self.directory.path(&self.name)).ok();
    }
}

impl Directory {
    fn open(directory: &Path) -> io::Result<Self> {
        Ok(Self { open: File::open(directory)? })
    }

    fn path(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.open.as_raw_fd()).into()
    }

    /// The names of control sockets.
    fn sockets(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(""))? {
            let name = entry?.file_name();
            let name = name.to_str().filter(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Connects to a control socket; none if its server has ended. What a killed server has left is removed: a socket has
    /// its name only while somebody listens.
    fn connect(&self, name: &str) -> io::Result<Option<StdUnixStream>> {
        match StdUnixStream::connect(self.path(name)) {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(self.path(name)).ok();
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Reads one message, obeys, and answers.
async fn converse(mut stream: UnixStream, keeper: Arc<Keeper>, log: Arc<dyn Log>) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    let peer = stream.peer_cred()?.uid();
    // The socket's mode says so already, if the file system keeps modes.
    if peer != own && peer != 0 {
        return Ok(());
    }
    let answer = match tokio::time::timeout(PATIENCE, receive(&mut stream)).await {
        Ok(received) => match received? {
            Some(received) => obey(received, keeper, log).await,
            None => json!({ "error": "this is not a command" }),
        },
        Err(_) => return Ok(()),
    };
    stream.write_all(format!("{answer}\n").as_bytes()).await
}

/// A command as it arrived.
enum Received {
    Lock,
    Unlock(Option<Zeroizing<Vec<u8>>>),
}

/// Reads one message; none if it is not one.
async fn receive(stream: &mut UnixStream) -> io::Result<Option<Received>> {
    match stream.read_u8().await? {
        LOCK => Ok(Some(Received::Lock)),
        UNLOCK => {
            let len = usize::from(stream.read_u16().await?);
            if len > MAX_PASSPHRASE {
                return Ok(None);
            }
            let mut passphrase = Zeroizing::new(vec![0; len]);
            stream.read_exact(&mut passphrase).await?;
            Ok(Some(Received::Unlock((len > 0).then_some(passphrase))))
        }
        _ => Ok(None),
    }
}

async fn obey(received: Received, keeper: Arc<Keeper>, log: Arc<dyn Log>) -> Value {
    // Both block: the one until calls have ended, the other for a passphrase's derivation.
    let done = tokio::task::spawn_blocking(move || {
        let was_locked = keeper.is_locked();
        let (error, remain) = match received {
            Received::Lock => (None, keeper.lock() == Locked::CallsRemain),
            Received::Unlock(passphrase) => (unlock(&keeper, passphrase).err(), false),
        };
        let locked = keeper.is_locked();
        if locked != was_locked {
            log.event(if locked { &Event::Locked } else { &Event::Unlocked });
        }
        json!({
            "process": std::process::id(), "locked": locked, "calls_remain": remain,
            "error": error.as_ref().map(ToString::to_string),
            "wrong_passphrase": matches!(error, Some(StoreError::WrongPassphrase { .. })),
        })
    });
    done.await.unwrap_or_else(|_| json!({ "error": "the server failed" }))
}

fn unlock(keeper: &Keeper, passphrase: Option<Zeroizing<Vec<u8>>>) -> Result<(), StoreError> {
    let mut passphrase = passphrase;
    keeper.unlock(&mut || match passphrase.take() {
        Some(bytes) => Passphrase::new(bytes).map_err(Into::into),
        None => Err("none was given".into()),
    })
}

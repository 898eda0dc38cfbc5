//! The other end of the control socket: tells all running servers of a store to lock or unlock.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Directory, LOCK, UNLOCK};

/// Longest wait for an answer: a lock waits for calls, and an unlock for a passphrase's derivation.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer in bytes.
const MAX_ANSWER: u64 = 65_536;

/// What servers are told to do.
#[derive(Clone, Copy)]
pub enum Command<'a> {
    /// Take the keys out of memory.
    Lock,
    /// Open the store again, with this passphrase if one seals it.
    Unlock(Option<&'a [u8]>),
}

/// What one server has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The server's process.
    pub process: Option<u64>,
    /// Whether it is locked now.
    pub locked: bool,
    /// Whether a call that was begun before still uses keys.
    pub calls_remain: bool,
    /// Why it did not do as it was told, and whether that was for a wrong passphrase.
    pub refused: Option<(String, bool)>,
}

/// Why servers cannot be told anything.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No server of this store is running.
    #[error("no server of this key store is running")]
    NoServer,
    /// A server cannot be talked to.
    #[error("a running server cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// What a server answers is not to be understood.
    #[error("a running server answers what this program does not understand")]
    Answer,
}

impl std::fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lock => "Lock",
            Self::Unlock(_) => "Unlock(redacted)",
        })
    }
}

/// Tells every running server of the store in `directory`, one after the other: all of them, also if one cannot be
/// talked to.
///
/// # Errors
/// There is none, or one cannot be talked to.
pub fn send(directory: &Path, command: Command<'_>) -> Result<Vec<Report>, ControlError> {
    let directory = Directory::open(directory)?;
    let (mut reports, mut failed) = (Vec::new(), None);
    for name in directory.sockets()? {
        let told = match directory.connect(&name) {
            Ok(Some(stream)) => tell(stream, command),
            Ok(None) => continue,
            Err(error) => Err(error.into()),
        };
        match told {
            Ok(report) => reports.push(report),
            // The next one has keys in memory too.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match failed {
        Some(error) => Err(error),
        None if reports.is_empty() => Err(ControlError::NoServer),
        None => Ok(reports),
    }
}

fn tell(mut stream: UnixStream, command: Command<'_>) -> Result<Report, ControlError> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&message(command)?)?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line).map_err(|_| ControlError::Answer)?;
    let is = |name: &str| answer.get(name).and_then(Value::as_bool).unwrap_or(false);
    let error = answer.get("error").and_then(Value::as_str);
    Ok(Report {
        process: answer.get("process").and_then(Value::as_u64),
        locked: is("locked"),
        calls_remain: is("calls_remain"),
        refused: error.map(|text| (text.to_owned(), is("wrong_passphrase"))),
    })
}

fn message(command: Command<'_>) -> Result<Zeroizing<Vec<u8>>, ControlError> {
    let passphrase = match command {
        Command::Lock => return Ok(Zeroizing::new(vec![LOCK])),
        Command::Unlock(passphrase) => passphrase.unwrap_or_default(),
    };
    let len = u16::try_from(passphrase.len()).map_err(io::Error::other)?;
    let mut message = Zeroizing::new(Vec::with_capacity(3 + passphrase.len()));
    message.push(UNLOCK);
    message.extend_from_slice(&len.to_be_bytes());
    message.extend_from_slice(passphrase);
    Ok(message)
}

//! Passphrases: from a file, from a command, or typed on the terminal.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::error::{Class, CliError, reason};
use crate::interrupt;

/// Longest passphrase in bytes; what is longer is taken for a wrong file.
const MAX_LEN: usize = 1024;

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a shell command prints.
    Command(String),
    /// The terminal.
    Terminal,
}

/// What a passphrase is of: so it is called, and these options give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The key store, as it is or as it is to be made.
    Store,
    /// The key store, in place of what seals it now.
    NewStore,
    /// A backup of its keys.
    Backup,
}

impl Whose {
    fn name(self) -> &'static str {
        match self {
            Self::Store => "the key store",
            Self::NewStore => "the key store from now on",
            Self::Backup => "the backup",
        }
    }

    /// What its options have before `passphrase`.
    fn prefix(self) -> &'static str {
        match self {
            Self::Store => "",
            Self::NewStore => "new-",
            Self::Backup => "backup-",
        }
    }
}

/// Whether a typed passphrase is asked for twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It opens something: a wrong one is noticed at once.
    Open,
    /// It is set now: a slip of the finger would lock everything up.
    Set,
}

impl Source {
    /// Chooses between a file and a command, which exclude each other.
    pub(crate) fn choose(file: Option<&Path>, command: Option<&str>) -> Self {
        match (file, command) {
            (Some(file), _) => Self::File(file.to_owned()),
            (None, Some(command)) => Self::Command(command.to_owned()),
            (None, None) => Self::Terminal,
        }
    }

    /// Gets the passphrase.
    pub(crate) fn get(&self, whose: Whose, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, CliError> {
        let passphrase = match self {
            Self::File(path) => from_file(path)?,
            Self::Command(command) => from_command(command)?,
            Self::Terminal => from_terminal(whose, purpose)?,
        };
        if passphrase.is_empty() {
            return Err(refused(format!("the passphrase of {} is empty", whose.name())));
        }
        Ok(passphrase)
    }
}

fn refused(message: impl Into<String>) -> CliError {
    CliError::new(Class::KeyRefused, message)
}

fn from_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let failed = |error: io::Error| refused(format!("the passphrase cannot be read: {}", reason(&error))).file(path);
    first_line(File::open(path).map_err(failed)?).map_err(failed)
}

fn from_command(command: &str) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let failed = |error: io::Error| refused(format!("the passphrase command failed: {}", reason(&error)));
    // Standard input may be the data to encrypt: the command must not eat it.
    let mut child =
        Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let line = child.stdout.take().map_or_else(|| Ok(Zeroizing::default()), first_line);
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        return Err(refused(format!("the passphrase command failed: {status}")));
    }
    line.map_err(failed)
}

/// Reads the first line, without its end, into memory that is wiped.
fn first_line(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // The capacity is never exceeded, so no copy stays behind in a buffer that was outgrown.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN + 2));
    source.take((MAX_LEN + 1) as u64).read_to_end(&mut bytes)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > MAX_LEN {
        return Err(io::Error::other(format!("the first line is longer than {MAX_LEN} bytes")));
    }
    Ok(Zeroizing::new(line.to_vec()))
}

fn from_terminal(whose: Whose, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let (what, prefix) = (whose.name(), whose.prefix());
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|_| {
        refused(format!("the passphrase of {what} is needed, and there is no terminal to ask for it"))
            .hint(format!("give it with --{prefix}passphrase-file FILE or --{prefix}passphrase-command COMMAND"))
    })?;
    let first = ask(&terminal, &format!("Passphrase of {what}: "))?;
    if purpose == Purpose::Set && *first != *ask(&terminal, "The same again: ")? {
        return Err(refused("the two passphrases differ"));
    }
    Ok(first)
}

/// Asks on the terminal, without echo.
fn ask(terminal: &File, prompt: &str) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let failed = |error: io::Error| refused(format!("the passphrase cannot be asked for: {}", reason(&error)));
    let before = tcgetattr(terminal).map_err(|error| failed(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    interrupt::remember_terminal(terminal.try_clone().map_err(failed)?, before);
    tcsetattr(terminal, OptionalActions::Flush, &silent).map_err(|error| failed(error.into()))?;
    let typed = { terminal }.write_all(prompt.as_bytes()).and_then(|()| typed_line(terminal));
    interrupt::restore_terminal();
    typed.map_err(failed)
}

/// Reads one line; a terminal hands out at most one line a read.
fn typed_line(mut terminal: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LEN + 2));
    let mut byte = Zeroizing::new([0_u8; 1]);
    while line.len() <= MAX_LEN && terminal.read(byte.as_mut_slice())? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    first_line(line.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts_without_its_end() {
        for (bytes, line) in [("a b\nc", "a b"), ("a\r\n", "a"), ("a", "a"), ("", ""), ("\nx", "")] {
            assert_eq!(first_line(bytes.as_bytes()).unwrap().as_slice(), line.as_bytes());
        }
        assert!(first_line([b'x'; MAX_LEN + 1].as_slice()).is_err());
    }

    #[test]
    fn a_command_gives_the_passphrase_and_its_failure_none() {
        let source = |command: &str| Source::Command(command.to_owned());
        assert_eq!(source("echo secret; echo more").get(Whose::Store, Purpose::Set).unwrap().as_slice(), b"secret");
        assert!(source("echo secret; exit 3").get(Whose::Store, Purpose::Open).is_err());
        assert!(source("true").get(Whose::Store, Purpose::Open).is_err());
    }
}

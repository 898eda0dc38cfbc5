//! Reading the configuration file: it has to be safe from others.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::safe::{Unsafe, Why, first_unsafe};
use crate::error::{Class, CliError};
use crate::shown::shown;

/// Longest configuration that is read, in bytes: thousands of keys.
const MAX_LEN: u64 = 1 << 20;

/// Reads a file that nobody else may write or exchange: who can add a key to it can open every file that is made from then on.
pub(super) fn read(path: &Path) -> Result<Option<String>, CliError> {
    let cannot = |error: &std::io::Error| CliError::system(Class::Usage, "cannot be read", error).file(path);
    // Nobody waits for whoever would write to a fifo.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is one bit below the sign");
    let file = match File::options().read(true).custom_flags(nonblocking).open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            // What is not there says nothing; a link that leads nowhere was to say something.
            return if path.is_symlink() { Err(cannot(&error)) } else { Ok(None) };
        }
        Err(error) => return Err(cannot(&error)),
    };
    let metadata = file.metadata().map_err(|error| cannot(&error))?;
    if !metadata.is_file() {
        return Err(CliError::usage("is not a file").file(path));
    }
    let user = rustix::process::geteuid().as_raw();
    if metadata.mode() & 0o022 != 0 || (metadata.uid() != user && metadata.uid() != 0) {
        return Err(CliError::usage("could be changed by others, who could add a key of theirs to every new file")
            .file(path)
            .hint("chmod go-w it, and let it belong to you or to root"));
    }
    if let Some(found) = first_unsafe(path, user) {
        return Err(exchangeable(path, &found));
    }
    let mut text = String::new();
    file.take(MAX_LEN + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    if text.len() as u64 > MAX_LEN {
        return Err(CliError::usage("is too long for a configuration").file(path));
    }
    Ok(Some(text))
}

/// The error of a configuration that is safe by itself, and lies where others may put another one.
fn exchangeable(path: &Path, found: &Unsafe) -> CliError {
    let at = shown(&found.path.to_string_lossy());
    let (why, hint) = match found.why {
        Why::Mode => (format!("{at} may be written by others"), format!("chmod go-w {at}")),
        Why::Owner => (format!("{at} belongs to somebody else"), format!("let {at} belong to you or to root")),
    };
    CliError::usage(format!("could be exchanged by others, who could add a key of theirs to every new file: {why}"))
        .file(path)
        .hint(format!("{hint}, or keep the configuration elsewhere with --home DIR or XDG_CONFIG_HOME"))
}

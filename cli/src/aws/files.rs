//! Values that are in files: `file://` for text, `fileb://` for bytes, as the AWS CLI takes them.

use std::env;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::data::Data;
use crate::error::{Class, CliError};

/// Most bytes of such a file; the longest request of AWS KMS is shorter.
const MAX_LEN: usize = 1 << 20;

/// Reads the file that a value names, if it does name one.
///
/// # Errors
/// The file cannot be read, is too long, or is not UTF-8 and not named by `fileb://`.
pub(super) fn read(value: &str) -> Result<Option<Data>, CliError> {
    if let Some(name) = value.strip_prefix("fileb://") {
        return Ok(Some(Data::Bytes(content(name)?.1)));
    }
    let Some(name) = value.strip_prefix("file://") else { return Ok(None) };
    let (path, bytes) = content(name)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(Data::text(text))),
        Err(_) => {
            Err(CliError::new(Class::Input, "is not text").file(&path).hint("a file of bytes is named by fileb://"))
        }
    }
}

fn content(name: &str) -> Result<(PathBuf, Zeroizing<Vec<u8>>), CliError> {
    let path = in_home(name);
    let failed = |error: std::io::Error| CliError::system(Class::Input, "cannot be read", &error).file(&path);
    // All of the room at once: no copy stays behind in a buffer that was outgrown.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN + 1));
    let file = File::open(&path).map_err(failed)?;
    file.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_LEN {
        return Err(CliError::new(Class::Input, format!("is longer than {MAX_LEN} bytes")).file(&path));
    }
    Ok((path, bytes))
}

/// A leading `~` is the user's home: no shell sees it behind `file://`.
fn in_home(name: &str) -> PathBuf {
    match (name.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(name),
    }
}

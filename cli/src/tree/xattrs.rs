//! Extended attributes of files in a tree, kept as a mount keeps them (SPEC.md of the container, "Extended attributes").

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use waxseal_container::{Unlocked, plain_attribute_name, stored_attribute_name};

use crate::error::{Class, CliError};
use crate::shown::shown;

/// The longest list of names, and the longest value, that the kernel takes (linux/limits.h).
const MAX_LEN: usize = 65536;

/// The longest name (linux/limits.h).
const MAX_NAME_LEN: usize = 255;

/// The attributes of a file that are to be kept.
#[derive(Debug)]
pub(crate) struct Xattrs(Vec<(Vec<u8>, Vec<u8>)>);

impl Xattrs {
    /// Reads those of the name spaces that are kept.
    pub(crate) fn of(file: &File) -> Result<Self, CliError> {
        let mut all = Vec::new();
        for name in names(file).map_err(cannot_read)? {
            if stored_attribute_name(&name).is_some() {
                let value = value(file, &name).map_err(cannot_read)?;
                all.push((name, value));
            }
        }
        Ok(Self(all))
    }

    /// None of them.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Encrypts them for a container, and gives them to its file.
    pub(crate) fn seal(&self, unlocked: &Unlocked, output: &File) -> Result<(), CliError> {
        for (name, value) in &self.0 {
            let stored = stored_attribute_name(name).filter(|stored| stored.len() <= MAX_NAME_LEN);
            let stored = stored.ok_or_else(|| cannot_keep(name, Errno::RANGE))?;
            let sealed = unlocked.seal_attribute(name, value).map_err(|_| cannot_keep(name, Errno::TOOBIG))?;
            let kept = rustix::fs::fsetxattr(output, &stored, &sealed, XattrFlags::empty());
            kept.map_err(|error| cannot_keep(name, error))?;
        }
        Ok(())
    }
}

/// Decrypts the attributes of the container in `input`, and gives them to `output`.
pub(crate) fn open_xattrs(unlocked: &Unlocked, input: &File, output: &File) -> Result<(), CliError> {
    for stored in names(input).map_err(cannot_read)? {
        let Some(name) = plain_attribute_name(&stored) else { continue };
        let value = value(input, &stored).map_err(cannot_read)?;
        let value = unlocked.open_attribute(&name, &value).map_err(|error| {
            let name = shown(&String::from_utf8_lossy(&name));
            CliError::new(Class::Damaged, format!("{name}: {error}"))
                .hint("use another copy of it, or leave them all out with --no-xattrs")
        })?;
        let kept = rustix::fs::fsetxattr(output, &name, &value, XattrFlags::empty());
        kept.map_err(|error| cannot_keep(&name, error))?;
    }
    Ok(())
}

/// The names of a file's attributes; a file system without any has none.
fn names(file: &File) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut few = [0; 256];
    let list = match rustix::fs::flistxattr(file, &mut few) {
        Ok(length) => few[..length].to_vec(),
        Err(Errno::RANGE) => {
            let mut list = vec![0; MAX_LEN];
            let length = rustix::fs::flistxattr(file, &mut list)?;
            list.truncate(length);
            list
        }
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

fn value(file: &File, name: &[u8]) -> rustix::io::Result<Vec<u8>> {
    let mut value = vec![0; MAX_LEN];
    let length = rustix::fs::fgetxattr(file, name, &mut value)?;
    value.truncate(length);
    Ok(value)
}

fn cannot_read(error: Errno) -> CliError {
    CliError::system(Class::Input, "its extended attributes cannot be read", &error.into())
}

fn cannot_keep(name: &[u8], error: Errno) -> CliError {
    let name = shown(&Path::new(std::ffi::OsStr::from_bytes(name)).to_string_lossy());
    CliError::system(Class::Output, &format!("its extended attribute {name} cannot be kept"), &error.into())
        .hint("--no-xattrs leaves extended attributes out")
}

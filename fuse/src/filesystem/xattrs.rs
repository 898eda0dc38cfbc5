//! Extended attributes: values are encrypted under the file's own key (SEMANTICS.md, "Extended attributes").

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use rustix::fs::{FileType, XattrFlags};
use rustix::io::Errno;
use waxseal_container::{MAX_ATTRIBUTE_LEN, plain_attribute_name, stored_attribute_name};

use super::Filesystem;
use crate::backing::path_of;
use crate::report::shown;

/// The longest list of names, and the longest value, that the kernel takes (linux/limits.h).
const MAX_LEN: usize = 65536;

impl Filesystem {
    /// The value of an extended attribute.
    ///
    /// # Errors
    /// `ENODATA` if there is none; `EOPNOTSUPP` for other name spaces than `user` and `trusted`; `EIO` if the value was
    /// changed; what opening the file says.
    pub(crate) async fn attribute(self: &Arc<Self>, node: u64, name: &OsStr) -> Result<Vec<u8>, Errno> {
        let stored_name = stored_name(name)?;
        let mut value = vec![0; MAX_LEN];
        let length = {
            let file = self.reach(node)?;
            rustix::fs::getxattr(file.path(), &stored_name, &mut value)?
        };
        let (file, _) = self.open_file(node).await?;
        let opened = file.unlocked().open_attribute(name.as_bytes(), &value[..length]);
        let opened = opened.map_err(|error| {
            let text = format!("{}: {}: {error}", shown(&file.name()), shown(name));
            self.reporter.error(&text);
            Errno::IO
        });
        drop(file);
        self.close_if_done(node);
        opened
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for other name spaces than `user` and `trusted`, and for what is no regular file and so has no key;
    /// `EEXIST` and `ENODATA` as the flags ask; `E2BIG`; `ENOSPC`; what opening the file says.
    pub(crate) async fn set_attribute(
        self: &Arc<Self>,
        node: u64,
        name: &OsStr,
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<(), Errno> {
        self.writable()?;
        let stored_name = stored_name(name)?;
        if self.below(node)?.kind != FileType::RegularFile {
            return Err(Errno::OPNOTSUPP);
        }
        if value.len() > MAX_ATTRIBUTE_LEN {
            return Err(Errno::TOOBIG);
        }
        let (file, _) = self.open_file(node).await?;
        let sealed = file.unlocked().seal_attribute(name.as_bytes(), value).map_err(|error| file.told(&error));
        let result = sealed.and_then(|sealed| rustix::fs::setxattr(path_of(file.file()), &stored_name, &sealed, flags));
        drop(file);
        self.close_if_done(node);
        result
    }

    /// Takes an extended attribute away.
    pub(crate) fn remove_attribute(&self, node: u64, name: &OsStr) -> Result<(), Errno> {
        self.writable()?;
        let stored_name = stored_name(name)?;
        let file = self.reach(node)?;
        rustix::fs::removexattr(file.path(), &stored_name)
    }

    /// The names of a file's extended attributes, each with a zero byte behind it. No key is needed for that.
    pub(crate) fn attribute_names(&self, node: u64) -> Result<Vec<u8>, Errno> {
        let file = self.reach(node)?;
        let mut list = vec![0; MAX_LEN];
        let length = match rustix::fs::listxattr(file.path(), &mut list) {
            Err(Errno::OPNOTSUPP) => 0,
            result => result?,
        };
        let mut names = Vec::new();
        for stored in list[..length].split(|byte| *byte == 0) {
            if let Some(name) = plain_attribute_name(stored) {
                names.extend_from_slice(&name);
                names.push(0);
            }
        }
        Ok(names)
    }
}

/// The name under which an attribute is stored.
fn stored_name(name: &OsStr) -> Result<Vec<u8>, Errno> {
    let stored = stored_attribute_name(name.as_bytes()).ok_or(Errno::OPNOTSUPP)?;
    if stored.len() > 255 { Err(Errno::RANGE) } else { Ok(stored) }
}

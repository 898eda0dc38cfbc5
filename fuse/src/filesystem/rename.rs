//! Renaming (rename(2)): the names below differ with the kind, so two kinds meet under two names.

use std::ffi::OsStr;

use rustix::fs::{AtFlags, FileType, RenameFlags};
use rustix::io::Errno;

use super::Filesystem;
use crate::backing::pin_at;
use crate::names;

impl Filesystem {
    /// Gives a file another name and takes it from whatever has it, unless `flags` say otherwise.
    ///
    /// # Errors
    /// `EINVAL` for other flags than NOREPLACE and EXCHANGE, and for an exchange of a file for something that is none: their
    /// stored names differ, and no file system exchanges four names at once.
    pub(crate) fn rename(
        &self,
        (parent, name): (u64, &OsStr),
        (new_parent, new_name): (u64, &OsStr),
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        if !(flags.is_empty() || flags == RenameFlags::NOREPLACE || flags == RenameFlags::EXCHANGE) {
            return Err(Errno::INVAL);
        }
        let (directory, stored, below) = self.entry(parent, name)?;
        let new_directory = self.backing.directory(&self.nodes, new_parent)?;
        let there = match self.resolve(&new_directory, new_name) {
            Ok(there) => Some(there),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error),
        };
        if flags == RenameFlags::EXCHANGE {
            let (new_stored, new_below) = there.ok_or(Errno::NOENT)?;
            if (below.kind == FileType::RegularFile) != (new_below.kind == FileType::RegularFile) {
                return Err(Errno::INVAL);
            }
            rustix::fs::renameat_with(&directory, &stored, &new_directory, &new_stored, flags)?;
            self.change_name(&below, (parent, &stored), (new_parent, &new_stored));
            self.change_name(&new_below, (new_parent, &new_stored), (parent, &stored));
            return Ok(());
        }
        let Some((there_stored, there_below)) = there else {
            self.check_free(&new_directory, new_name)?;
            let new_stored = names::stored(new_name, below.kind);
            rustix::fs::renameat_with(&directory, &stored, &new_directory, &new_stored, flags)?;
            self.change_name(&below, (parent, &stored), (new_parent, &new_stored));
            return Ok(());
        };
        if flags == RenameFlags::NOREPLACE {
            return Err(Errno::EXIST);
        }
        if there_below.identity == below.identity {
            // Two names of one file: nothing is to be done (rename(2)).
            return Ok(());
        }
        match (below.kind == FileType::Directory, there_below.kind == FileType::Directory) {
            (true, false) => return Err(Errno::NOTDIR),
            (false, true) => return Err(Errno::ISDIR),
            _ => {}
        }
        let new_stored = names::stored(new_name, below.kind);
        // Where the name in the mount is another one below, what has the new one there is not shown, and stays.
        let pinned = pin_at(&new_directory, &there_stored).ok();
        let careful = if there_stored == new_stored { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        if let Err(error) = rustix::fs::renameat_with(&directory, &stored, &new_directory, &new_stored, careful) {
            self.explain_not_empty(error, &new_directory, &new_stored);
            return Err(error);
        }
        if there_stored != new_stored {
            // Something of another kind had the name in the mount, and another one below.
            rustix::fs::unlinkat(&new_directory, &there_stored, AtFlags::empty())?;
        }
        self.lose_name(new_parent, &there_stored, &there_below, pinned);
        self.change_name(&below, (parent, &stored), (new_parent, &new_stored));
        Ok(())
    }
}

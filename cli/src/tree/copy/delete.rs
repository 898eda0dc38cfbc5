//! `--delete`: containers, links and directories whose source is gone are removed.
//!
//! It comes after everything else, and only after a complete listing of the source. Each name in the output is looked up in
//! the source once more. What is none of ours is not touched: files that are no containers, and whatever no pattern means.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, statat, unlinkat};
use rustix::io::Errno;
use waxseal_container::{MAGIC, ReadAt as _};

use super::Attributes;
use crate::batch::Batch;
use crate::error::{Class, CliError};
use crate::input::Links;
use crate::place::{Direction, renamed};
use crate::tree::folder::{Folder, Found};
use crate::tree::selection::Selection;
use crate::tree::walk::{Enter, Visitor, Walk};

/// Removes from the copy `output` of `source` what the source does not have any more.
pub(super) fn delete(source: Arc<Folder>, output: Folder, selection: &Selection, batch: &Batch<'_>) {
    let mut deleting = Deleting { batch, links: selection.links, top: Some(source), levels: Vec::new() };
    // Links in the output are links, whatever is done with those of the source.
    let in_output = selection.with_links_kept();
    Walk::run(output, None, &in_output, &mut deleting);
}

/// The visitor of what was copied.
struct Deleting<'a> {
    batch: &'a Batch<'a>,
    /// What is done with links of the source.
    links: Links,
    top: Option<Arc<Folder>>,
    levels: Vec<Level>,
}

/// A directory of the output.
struct Level {
    output: Arc<Folder>,
    /// Its source; none if that is gone.
    source: Option<Arc<Folder>>,
    /// Whether something was removed from it.
    changed: bool,
    is_meant: bool,
}

impl Deleting<'_> {
    /// What the source has of a name; none if it has nothing.
    fn kind_in_source(&self, name: &OsStr) -> Result<Option<FileType>, CliError> {
        let Some(source) = self.levels.last().and_then(|level| level.source.as_ref()) else { return Ok(None) };
        let flags = if self.links == Links::Kept { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
        match statat(&**source, name, flags) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => {
                Err(CliError::system(Class::Input, "cannot be looked at", &error.into()).file(&source.path.join(name)))
            }
        }
    }

    fn is_gone(&self, found: &Found) -> Result<bool, CliError> {
        match found.kind {
            FileType::RegularFile => {
                let Some(plain) = renamed(&found.name, Direction::Decrypt) else { return Ok(false) };
                let has_file = self.kind_in_source(&plain)? == Some(FileType::RegularFile);
                Ok(!has_file && is_container(found))
            }
            FileType::Symlink => Ok(self.kind_in_source(&found.name)? != Some(FileType::Symlink)),
            _ => Ok(false),
        }
    }

    fn remove(&mut self, folder: &Folder, name: &OsStr, flags: AtFlags) {
        match unlinkat(folder, name, flags) {
            Ok(()) => {
                self.batch.count_deleted();
                if let Some(level) = self.levels.last_mut() {
                    level.changed = true;
                }
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.batch
                    .leave_out(&folder.path.join(name), "its source is gone, but it holds what is not of this tree");
            }
            Err(error) => {
                let path = folder.path.join(name);
                self.batch.fail(&CliError::system(Class::Output, "cannot be removed", &error.into()).file(&path));
            }
        }
    }
}

impl Visitor for Deleting<'_> {
    fn enter(&mut self, folder: &Arc<Folder>, name: Option<&OsStr>, is_meant: bool) -> Enter {
        let source = match name {
            None => self.top.take(),
            Some(name) => match self.kind_in_source(name) {
                Ok(Some(FileType::Directory)) => {
                    let above = self.levels.last().and_then(|level| level.source.as_ref());
                    match above.map(|above| above.enter(name, self.links)).transpose() {
                        Ok(source) => source.map(Arc::new),
                        Err(error) => {
                            let error = CliError::system(Class::Input, "cannot be opened", &error);
                            self.batch.fail(&error.file(&folder.path));
                            return Enter::No;
                        }
                    }
                }
                Ok(_) => None,
                Err(error) => {
                    self.batch.fail(&error);
                    return Enter::No;
                }
            },
        };
        self.levels.push(Level { output: Arc::clone(folder), source, changed: false, is_meant });
        Enter::Yes
    }

    fn leave(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        match (&level.source, level.output.above()) {
            (Some(source), _) if level.changed => {
                // Removing has changed its time.
                if let Err(error) = Attributes::all_of(&source.stat).give_to(&*level.output, None) {
                    self.batch.fail(&crate::atomic::cannot_write(&level.output.path, error.into()));
                }
            }
            (None, Some(above)) if level.is_meant => {
                if let Some(name) = level.output.path.file_name() {
                    self.remove(above, name, AtFlags::REMOVEDIR);
                }
            }
            _ => {}
        }
    }

    fn found(&mut self, found: Found) {
        match self.is_gone(&found) {
            Ok(true) => self.remove(&found.folder, &found.name, AtFlags::empty()),
            Ok(false) => {}
            Err(error) => self.batch.fail(&error),
        }
    }

    fn left_out(&mut self, _path: &Path) {}

    fn fail(&mut self, error: CliError) {
        self.batch.fail(&error);
    }

    fn is_over(&self) -> bool {
        self.batch.ended()
    }
}

/// Whether a file begins as containers do; one that cannot be read is none of ours.
fn is_container(found: &Found) -> bool {
    let mut begin = [0; MAGIC.len()];
    let read = found.open().and_then(|input| input.file.read_at(&mut begin, 0));
    read.is_ok_and(|length| length == MAGIC.len()) && begin == MAGIC
}

//! `--delete`: containers, links and directories whose source is gone are removed.
//!
//! It comes after everything else, and only if nothing has failed. What goes is what the walk through the source has not seen,
//! and what the source, looked at once more, does not have now either: what vanishes while the command runs, as all of a file
//! system that is unmounted does, keeps its containers. Source and output are the directories that were opened at the
//! beginning, whatever stands at their paths by now. What is none of ours is not touched: files that are no containers, and
//! whatever no pattern means. Patterns are of the names that the source has.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, statat, unlinkat};
use rustix::io::Errno;
use waxseal_container::{MAGIC, ReadAt as _};

use super::Attributes;
use super::seen::{Place, Seen};
use crate::batch::Batch;
use crate::error::{Class, CliError};
use crate::input::Links;
use crate::place::{Direction, renamed};
use crate::tree::folder::{Folder, Found};
use crate::tree::selection::Selection;
use crate::tree::walk::{Enter, Visitor, Walk};

/// A directory that was copied, and its copy.
#[derive(Debug)]
pub(super) struct Copied {
    /// The directory, as it was opened for copying it.
    pub(super) source: Arc<Folder>,
    /// The name of its copy in the output; none if that is the output itself.
    pub(super) name: Option<OsString>,
    /// Its copy.
    pub(super) output: Folder,
}

/// Removes from a copy what its source does not have any more.
pub(super) fn delete(copied: Copied, seen: &Seen, selection: &Selection, batch: &Batch<'_>) {
    let Copied { source, name, output } = copied;
    let (levels, below) = (Vec::new(), PathBuf::new());
    let mut deleting = Deleting { batch, selection, seen, top: Some(source), levels, below };
    // Links in the output are links, whatever is done with those of the source.
    Walk::run(Arc::new(output), name.as_deref(), &Selection::everything(), &mut deleting);
}

/// The visitor of what was copied.
struct Deleting<'a> {
    batch: &'a Batch<'a>,
    /// What of the source is meant.
    selection: &'a Selection,
    seen: &'a Seen,
    top: Option<Arc<Folder>>,
    levels: Vec<Level>,
    /// The path, below the input, of the directory that the walk is in.
    below: PathBuf,
}

/// A directory of the output.
struct Level {
    output: Arc<Folder>,
    /// Its source; none if that is gone.
    source: Option<Arc<Folder>>,
    place: Place,
    /// Whether something was removed from it.
    changed: bool,
    is_meant: bool,
}

impl Deleting<'_> {
    /// What the source has of a name now; none if it has nothing.
    fn kind_in_source(&self, name: &OsStr) -> Result<Option<FileType>, CliError> {
        let Some(source) = self.levels.last().and_then(|level| level.source.as_ref()) else { return Ok(None) };
        let flags = if self.selection.links == Links::Kept { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
        match statat(&**source, name, flags) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => {
                Err(CliError::system(Class::Input, "cannot be looked at", &error.into()).file(&source.path.join(name)))
            }
        }
    }

    /// The directory of the source that a directory in the output is of; none if it is gone.
    fn source_of(&self, name: &OsStr) -> Result<Option<Arc<Folder>>, CliError> {
        if self.kind_in_source(name)? != Some(FileType::Directory) {
            return Ok(None);
        }
        let Some(above) = self.levels.last().and_then(|level| level.source.as_ref()) else { return Ok(None) };
        match above.enter(name, self.selection.links) {
            Ok(source) => Ok(Some(Arc::new(source))),
            Err(error) => Err(CliError::system(Class::Input, "cannot be opened", &error).file(&above.path.join(name))),
        }
    }

    fn is_gone(&self, found: &Found) -> Result<bool, CliError> {
        let Some(level) = self.levels.last() else { return Ok(false) };
        let name = match found.kind {
            FileType::RegularFile => renamed(&found.name, Direction::Decrypt),
            FileType::Symlink => Some(found.name.clone()),
            _ => None,
        };
        let Some(name) = name else { return Ok(false) };
        let path = self.below.join(&name);
        let is_meant = level.is_meant || self.selection.includes(&path, false);
        let place = self.seen.place(Some(level.place), Some(&name));
        if self.selection.excludes(&path, false) || !is_meant || self.seen.has(place, found.kind) {
            return Ok(false);
        }
        let is_gone = self.kind_in_source(&name)? != Some(found.kind);
        Ok(is_gone && (found.kind == FileType::Symlink || is_container(found)))
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
    fn enter(&mut self, folder: &Arc<Folder>, name: Option<&OsStr>, _is_meant: bool) -> Enter {
        let place = self.seen.place(self.levels.last().map(|level| level.place), name);
        let (source, is_meant) = match (self.levels.last(), name) {
            (Some(level), Some(name)) => {
                let path = self.below.join(name);
                if self.selection.excludes(&path, true) {
                    return Enter::No;
                }
                let is_meant = level.is_meant || self.selection.includes(&path, true);
                match self.source_of(name) {
                    Ok(source) => {
                        self.below = path;
                        (source, is_meant)
                    }
                    Err(error) => {
                        self.batch.fail(&error);
                        return Enter::No;
                    }
                }
            }
            _ => (self.top.take(), self.selection.includes(Path::new(""), true)),
        };
        self.levels.push(Level { output: Arc::clone(folder), source, place, changed: false, is_meant });
        Enter::Yes
    }

    fn leave(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        self.below.pop();
        let is_gone = level.source.is_none() && !self.seen.has(level.place, FileType::Directory);
        match level.output.above().zip(level.output.path.file_name()) {
            Some((above, name)) if is_gone && level.is_meant => self.remove(above, name, AtFlags::REMOVEDIR),
            _ if level.changed => {
                // Removing has changed its time.
                if let Err(error) = Attributes::all_of(&level.output.stat).give_to(&*level.output, None) {
                    self.batch.fail(&crate::atomic::cannot_write(&level.output.path, error.into()));
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

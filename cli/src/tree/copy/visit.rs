//! What a copy does with what the walk finds: directories are made, files and links are handed on, the rest is named.

use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FileType;

use super::entry::Entry;
use super::seen::{Place, Seen};
use super::{Attributes, CopyPlan};
use crate::batch::{Batch, Queue};
use crate::descriptors::OpenDirectory;
use crate::error::{Class, CliError};
use crate::input::Identity;
use crate::place::{Direction, renamed};
use crate::shown::shown;
use crate::tree::folder::{Folder, Found};
use crate::tree::output::OutputFolder;
use crate::tree::walk::{Enter, Visitor};

/// The visitor of a copy.
pub(super) struct Copying<'a> {
    plan: &'a CopyPlan<'a>,
    batch: &'a Batch<'a>,
    queue: &'a Queue<Entry>,
    top: Arc<OutputFolder>,
    levels: Vec<Level>,
    /// The directories that are inputs; none of them may turn up in the output.
    inputs: Vec<Identity>,
    found: &'a Finding,
    is_empty: bool,
    /// Directories that were open when the walk began.
    open: usize,
}

/// What the walks through all inputs come to.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Whether there is an input without any file.
    pub(super) has_empty_input: Cell<bool>,
    /// What was found, if outputs are to be removed.
    pub(super) seen: RefCell<Seen>,
}

/// A directory that the walk is in, and its copy.
struct Level {
    place: Place,
    /// None goes straight into what is above.
    name: Option<OsString>,
    attributes: Attributes,
    output: Made,
}

/// How far the copy of a directory has come.
enum Made {
    /// It is made when something in it is meant.
    NotYet,
    Yes(Arc<OutputFolder>),
    /// It could not be made, which was told.
    Never,
}

impl<'a> Copying<'a> {
    pub(super) fn new(
        plan: &'a CopyPlan<'a>,
        batch: &'a Batch<'a>,
        queue: &'a Queue<Entry>,
        top: Arc<OutputFolder>,
        inputs: Vec<Identity>,
        found: &'a Finding,
    ) -> Self {
        let (levels, open) = (Vec::new(), OpenDirectory::count());
        Self { plan, batch, queue, top, levels, inputs, found, is_empty: true, open }
    }

    /// Copies an input that is no directory.
    pub(super) fn alone(&mut self, found: Found) {
        let top = Arc::clone(&self.top);
        self.hand_on(found, top);
    }

    fn hand_on(&mut self, found: Found, into: Arc<OutputFolder>) {
        match found.kind {
            FileType::RegularFile => match (self.plan.direction, renamed(&found.name, self.plan.direction)) {
                (Direction::Decrypt, None) => {
                    self.batch.leave_out(&found.path(), "it is no container: its name is not NAME.wax");
                }
                _ => self.queue.put(Entry { found, into }),
            },
            FileType::Symlink => match self.conflict(&found.folder, &found.name) {
                Ok(true) => {}
                Ok(false) => self.queue.put(Entry { found, into }),
                Err(error) => self.batch.fail(&error),
            },
            kind => self.batch.leave_out(&found.path(), kind_of(kind)),
        }
    }

    /// Keeps in mind what was found in the directory that the walk is in, or as an input.
    fn see(&self, name: Option<&OsStr>, kind: FileType) -> Place {
        let mut seen = self.found.seen.borrow_mut();
        let place = seen.place(self.levels.last().map(|level| level.place), name);
        if self.plan.removed.outputs {
            seen.add(place, kind);
        }
        place
    }

    /// Something that is no file keeps its name, which may be that of a file's copy. Encrypting, that is an error; a
    /// container hides what has the name of its file, as in a mount. Says whether it is left out.
    fn conflict(&self, folder: &Folder, name: &OsStr) -> Result<bool, CliError> {
        let other = match self.plan.direction {
            Direction::Encrypt => renamed(name, Direction::Decrypt),
            Direction::Decrypt => renamed(name, Direction::Encrypt),
        };
        let Some(other) = other else { return Ok(false) };
        let path = folder.path.join(name);
        let there = folder.look(&other, self.plan.selection.links).map_err(|error| {
            CliError::system(Class::Input, "cannot be looked at", &error.into()).file(&folder.path.join(&other))
        });
        let is_file = |stat: &rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        // A name that is too long for a container is nobody's, and neither is that of a link that leads in a circle.
        if !there.ok().flatten().as_ref().is_some_and(is_file) {
            return Ok(false);
        }
        let other = shown(&other.to_string_lossy());
        match self.plan.direction {
            Direction::Encrypt => {
                Err(CliError::new(Class::Output, format!("has the name of the container of {other}"))
                    .file(&path)
                    .hint("rename one of them: a container is named after its file, with .wax behind it"))
            }
            Direction::Decrypt => {
                self.batch.leave_out(&path, &format!("{other} beside it is the container of a file of this name"));
                Ok(true)
            }
        }
    }

    /// The copy of the directory that the walk is in, made now if it is not there yet; none if it cannot be made.
    fn made(&mut self) -> Option<Arc<OutputFolder>> {
        let mut above = Arc::clone(&self.top);
        for level in &mut self.levels {
            let made = match &level.output {
                Made::Never => return None,
                Made::Yes(made) => Arc::clone(made),
                Made::NotYet => {
                    let entered = match &level.name {
                        None => Ok(Arc::clone(&above)),
                        Some(name) => above.enter(name, level.attributes).and_then(|made| {
                            refuse_input(&made, &self.inputs)?;
                            Ok(Arc::new(made))
                        }),
                    };
                    match entered {
                        Ok(made) => {
                            self.batch.count_directory();
                            if level.name.is_some() {
                                self.batch.count_leftovers(made.leftovers);
                            }
                            level.output = Made::Yes(Arc::clone(&made));
                            made
                        }
                        Err(error) => {
                            level.output = Made::Never;
                            self.batch.fail(&error);
                            return None;
                        }
                    }
                }
            };
            above = made;
        }
        Some(above)
    }
}

impl Visitor for Copying<'_> {
    fn enter(&mut self, folder: &Arc<Folder>, name: Option<&OsStr>, is_meant: bool) -> Enter {
        // Each level has two: the directory and its copy.
        self.batch.wait_for_directories(self.queue, self.open + 2 * (self.levels.len() + 1));
        let place = self.see(name, FileType::Directory);
        if let (Some(name), Some(parent)) = (name, folder.above()) {
            match self.conflict(parent, name) {
                Ok(false) => {}
                Ok(true) => return Enter::No,
                Err(error) => {
                    self.batch.fail(&error);
                    return Enter::No;
                }
            }
        }
        self.is_empty |= self.levels.is_empty();
        let attributes = Attributes::all_of(&folder.stat);
        self.levels.push(Level { place, name: name.map(ToOwned::to_owned), attributes, output: Made::NotYet });
        if is_meant && self.made().is_none() {
            self.levels.pop();
            return Enter::No;
        }
        Enter::Yes
    }

    fn leave(&mut self) {
        self.levels.pop();
        // An input without any file may be one that is not mounted now.
        if self.levels.is_empty() && self.is_empty {
            self.found.has_empty_input.set(true);
        }
    }

    fn found(&mut self, found: Found) {
        self.is_empty = false;
        self.see(Some(&found.name), found.kind);
        if let Some(into) = self.made() {
            self.hand_on(found, into);
        }
    }

    fn left_out(&mut self, path: &Path) {
        self.batch.leave_temporary(path);
    }

    fn fail(&mut self, error: CliError) {
        self.batch.fail(&error);
    }

    fn is_over(&self) -> bool {
        self.batch.ended()
    }
}

/// Refuses a directory of the output that is an input, for instance by a mount that shows it there once more.
fn refuse_input(made: &OutputFolder, inputs: &[Identity]) -> Result<(), CliError> {
    if inputs.contains(&made.identity()?) {
        return Err(CliError::new(Class::Output, "is the input itself").file(&made.path));
    }
    Ok(())
}

/// What is left out is called.
fn kind_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "it is a fifo",
        FileType::Socket => "it is a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "it is a device",
        _ => "it is of a kind that is not known",
    }
}

//! Finding what is in a tree.
//!
//! The walk holds one open directory for each level that it is in, and some names of each. Nothing is collected: what is
//! found is given to a [`Visitor`] at once.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, statat};

use super::folder::{Folder, Found};
use super::selection::{Selection, is_temporary};
use crate::descriptors;
use crate::error::{Class, CliError, reason};
use crate::input::{Identity, Links};

/// Levels that leave descriptors for everything else.
const SHARE_OF_DESCRIPTORS: usize = 8;

/// Who is told what a walk finds.
pub(crate) trait Visitor {
    /// A directory begins, which may be passed over. `is_meant` says that it is wanted for itself: else it is only on the
    /// way to something. The beginning of an input has no name in another directory.
    fn enter(&mut self, folder: &Arc<Folder>, name: Option<&OsStr>, is_meant: bool) -> Enter;
    /// The directory that was entered last ends.
    fn leave(&mut self);
    /// Something else than a directory was found.
    fn found(&mut self, found: Found);
    /// Something is left out that an interrupted run has left.
    fn left_out(&mut self, path: &Path);
    /// A part of the tree cannot be read.
    fn fail(&mut self, error: CliError);
    /// Whether nothing more is to be found.
    fn is_over(&self) -> bool;
}

/// Whether a directory is gone into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enter {
    /// It is.
    Yes,
    /// It is passed over, with everything in it.
    No,
}

/// A walk through one input.
pub(crate) struct Walk<'a, V> {
    selection: &'a Selection,
    visitor: &'a mut V,
    levels: Vec<Level>,
    /// The path below the input of the level that the walk is in; kept only where somebody looks at it.
    below: PathBuf,
}

/// A directory that the walk is in.
struct Level {
    folder: Arc<Folder>,
    /// Names that were read and not looked at yet.
    names: std::vec::IntoIter<(OsString, FileType)>,
    /// Whether everything in it is meant.
    is_meant: bool,
}

impl<'a, V: Visitor> Walk<'a, V> {
    /// Goes through everything that is meant below `root`.
    pub(crate) fn run(root: Arc<Folder>, name: Option<&OsStr>, selection: &'a Selection, visitor: &'a mut V) {
        let mut walk = Self { selection, visitor, levels: Vec::new(), below: PathBuf::new() };
        let is_meant = !selection.has_list() && selection.includes(Path::new(""), true);
        if walk.begin(root, name, is_meant) == Enter::No {
            return;
        }
        if selection.has_list() {
            walk.listed();
        } else {
            walk.levels_from(1);
        }
        walk.leave_to(0);
    }

    fn begin(&mut self, folder: Arc<Folder>, name: Option<&OsStr>, is_meant: bool) -> Enter {
        let entered = self.visitor.enter(&folder, name, is_meant);
        if entered == Enter::Yes {
            self.levels.push(Level { folder, names: Vec::new().into_iter(), is_meant });
        }
        entered
    }

    /// Works off the levels from number `depth` on, and everything below them.
    fn levels_from(&mut self, depth: usize) {
        while self.levels.len() >= depth && !self.visitor.is_over() {
            let Some(level) = self.levels.last_mut() else { return };
            if let Some((name, kind)) = level.names.next() {
                self.look_at(name, kind);
                continue;
            }
            match level.folder.next_names() {
                Ok(names) if names.is_empty() => self.leave_to(self.levels.len() - 1),
                Ok(names) => level.names = names.into_iter(),
                Err(error) => {
                    let path = level.folder.path.clone();
                    self.visitor.fail(CliError::system(Class::Input, "cannot be read", &error).file(&path));
                    self.leave_to(self.levels.len() - 1);
                }
            }
        }
    }

    /// Leaves levels until there are `count`.
    fn leave_to(&mut self, count: usize) {
        while self.levels.len() > count {
            self.visitor.leave();
            self.levels.pop();
            self.below.pop();
        }
    }

    /// Looks at one name of the last level.
    fn look_at(&mut self, name: OsString, kind: FileType) {
        let Some(level) = self.levels.last() else { return };
        let (folder, mut is_meant) = (Arc::clone(&level.folder), level.is_meant);
        let mut found = Found { folder, name, kind, links: Links::Kept };
        if let Err(error) = self.resolve(&mut found) {
            self.visitor.fail(CliError::new(Class::Input, error).file(&found.path()));
            return;
        }
        let is_directory = found.kind == FileType::Directory;
        if self.selection.looks_at_names() {
            let path = self.below.join(&found.name);
            if self.selection.excludes(&path, is_directory) {
                return;
            }
            is_meant = is_meant || self.selection.includes(&path, is_directory);
        }
        if !is_directory && !is_meant {
            return;
        }
        if is_temporary(&found.name) {
            self.visitor.left_out(&found.path());
        } else if is_directory {
            self.go_into(&found, is_meant);
        } else {
            self.visitor.found(found);
        }
    }

    /// Finds out what it is where the directory did not say, and where a link leads if links are followed.
    fn resolve(&self, found: &mut Found) -> Result<(), String> {
        let cannot = |error: rustix::io::Errno| format!("cannot be looked at: {}", reason(&error.into()));
        if found.kind == FileType::Unknown {
            let stat = statat(&*found.folder, &found.name, AtFlags::SYMLINK_NOFOLLOW).map_err(cannot)?;
            found.kind = FileType::from_raw_mode(stat.st_mode);
        }
        if found.kind == FileType::Symlink && self.selection.links == Links::Followed {
            let stat = statat(&*found.folder, &found.name, AtFlags::empty()).map_err(cannot)?;
            (found.kind, found.links) = (FileType::from_raw_mode(stat.st_mode), Links::Followed);
        }
        Ok(())
    }

    fn go_into(&mut self, found: &Found, is_meant: bool) {
        let opened = found.folder.enter(&found.name, found.links).map_err(|error| no_folder(found, &error));
        let entered = opened
            .and_then(|folder| self.check(folder))
            .map(|folder| self.begin(Arc::new(folder), Some(&found.name), is_meant));
        match entered {
            Ok(Enter::Yes) => self.below.push(&found.name),
            Ok(Enter::No) => {}
            Err(error) => self.visitor.fail(error),
        }
    }

    /// Refuses a directory that cannot be gone into without end.
    fn check(&self, folder: Folder) -> Result<Folder, CliError> {
        let identity: Identity = folder.identity();
        if self.selection.links == Links::Followed
            && let Some(above) = self.levels.iter().find(|level| level.folder.identity() == identity)
        {
            let above = crate::shown::shown(&above.folder.path.to_string_lossy());
            return Err(CliError::new(Class::Input, format!("leads back to {above}")).file(&folder.path));
        }
        let deepest = descriptors::limit() / SHARE_OF_DESCRIPTORS;
        if self.levels.len() >= deepest {
            return Err(CliError::new(Class::Input, format!("lies more than {deepest} directories deep"))
                .file(&folder.path)
                .hint("name it as an input by itself, or raise the limit of open files (ulimit -n)"));
        }
        Ok(folder)
    }

    /// Goes through the names of the list. Those that lie side by side share the directories above them.
    fn listed(&mut self) {
        let selection = self.selection;
        let read = selection.each_listed(|name| {
            if !self.visitor.is_over() {
                match name {
                    Ok(name) => self.one_listed(&name),
                    Err(error) => self.visitor.fail(error),
                }
            }
        });
        if let Err(error) = read {
            self.visitor.fail(error);
        }
    }

    fn one_listed(&mut self, path: &Path) {
        let parent = path.parent().unwrap_or(Path::new(""));
        let shared = self.below.components().zip(parent.components()).take_while(|(one, other)| one == other).count();
        self.leave_to(1 + shared);
        let depth = self.levels.len();
        for component in parent.components().skip(shared) {
            let Some(level) = self.levels.last() else { return };
            let folder = Arc::clone(&level.folder);
            let name = component.as_os_str().to_owned();
            let found = Found { folder, name, kind: FileType::Directory, links: self.selection.links };
            let before = self.levels.len();
            if !self.selection.excludes(&self.below.join(&found.name), true) {
                self.go_into(&found, false);
            }
            if self.levels.len() == before {
                self.leave_to(depth);
                return;
            }
        }
        match path.file_name() {
            Some(name) => {
                let depth = self.levels.len();
                let meant = self.selection.includes(path, false);
                if let Some(level) = self.levels.last_mut() {
                    level.is_meant = meant;
                }
                self.look_at(name.to_owned(), FileType::Unknown);
                if let Some(level) = self.levels.get_mut(depth - 1) {
                    level.is_meant = false;
                }
                self.levels_from(depth + 1);
            }
            None => self.visitor.fail(
                CliError::new(Class::Input, "the list names the input itself")
                    .hint("leave --files-from out to have everything in it"),
            ),
        }
    }
}

/// Why a directory cannot be gone into: what was listed as one, or was one when it was found, may be something else.
fn no_folder(found: &Found, error: &std::io::Error) -> CliError {
    let is_link = || found.stat().is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    let built = match error.kind() {
        ErrorKind::NotADirectory if is_link() => CliError::new(Class::Input, "is a link, and is not followed")
            .hint("follow links with -L, or name the directory that it leads to"),
        ErrorKind::NotADirectory => CliError::new(Class::Input, "is no directory, so nothing lies in it"),
        _ => CliError::system(Class::Input, "cannot be opened", error),
    };
    built.file(&found.path())
}

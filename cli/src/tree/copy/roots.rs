//! The inputs of a copy, open, and the refusal of outputs that lie within them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, OFlags, lstat, openat, stat};

use super::{Attributes, CopyPlan};
use crate::atomic::directory_of;
use crate::descriptors::OpenDirectory;
use crate::error::{Class, CliError};
use crate::input::{Identity, Links};
use crate::tree::folder::{Folder, Found};

/// The inputs.
#[derive(Debug)]
pub(super) struct Roots {
    pub(super) all: Vec<Root>,
}

/// One input.
#[derive(Debug)]
pub(super) enum Root {
    /// A directory, and the name that it gets in the output; none if its content goes straight into that.
    Folder { folder: Arc<Folder>, name: Option<OsString> },
    /// Something else.
    File(Found),
}

impl Roots {
    /// Opens the inputs: that they are named means that links are followed to them.
    pub(super) fn open(plan: &CopyPlan<'_>) -> Result<Self, CliError> {
        let single = plan.inputs.len() == 1;
        let mut all = Vec::with_capacity(plan.inputs.len());
        for path in plan.inputs {
            let before = all.iter().rev().find_map(|root| match root {
                Root::File(found) => Some(found),
                Root::Folder { .. } => None,
            });
            all.push(Root::open(path, single, before)?);
            if OpenDirectory::count() > OpenDirectory::most() {
                return Err(too_many());
            }
        }
        let roots = Self { all };
        roots.refuse_equal_names()?;
        roots.refuse_output_within(plan.output)?;
        Ok(roots)
    }

    /// What the output takes over, where it is one input's copy.
    pub(super) fn attributes_of_all(&self) -> Option<Attributes> {
        match self.all.as_slice() {
            [Root::Folder { folder, name: None }] => Some(Attributes::all_of(&folder.stat)),
            _ => None,
        }
    }

    /// Which directories the inputs are.
    pub(super) fn identities(&self) -> Vec<Identity> {
        let folder = |root: &Root| match root {
            Root::Folder { folder, .. } => Some(folder.identity()),
            Root::File(_) => None,
        };
        self.all.iter().filter_map(folder).collect()
    }

    /// The open directories, and the names of their copies.
    pub(super) fn copies(&self) -> Vec<(Arc<Folder>, Option<OsString>)> {
        let folder = |root: &Root| match root {
            Root::Folder { folder, name } => Some((Arc::clone(folder), name.clone())),
            Root::File(_) => None,
        };
        self.all.iter().filter_map(folder).collect()
    }

    fn refuse_equal_names(&self) -> Result<(), CliError> {
        let mut names = std::collections::HashSet::new();
        for root in &self.all {
            let (name, path) = match root {
                Root::Folder { folder, name } => (name.as_ref(), folder.path.clone()),
                Root::File(found) => (Some(&found.name), found.path()),
            };
            if name.is_some_and(|name| !names.insert(name.clone())) {
                return Err(CliError::usage("has the name of another input, and both would go to one place")
                    .file(&path)
                    .hint("name inputs of the same name in separate runs, each with its own -o DIR"));
            }
        }
        Ok(())
    }

    /// Looks at the output and all directories above it: none may be an input, or the output would be read while it is
    /// written.
    fn refuse_output_within(&self, output: &Path) -> Result<(), CliError> {
        let inputs = self.identities();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let start = if output.exists() { output } else { directory_of(output) };
        // Where it cannot be opened, making it fails and says why.
        let Ok(mut at) = openat(CWD, start, flags, Mode::empty()) else { return Ok(()) };
        let mut before = None;
        loop {
            let here = rustix::fs::fstat(&at).map(|stat| Identity::of(&stat));
            let here = here.map_err(|error| crate::atomic::cannot_write(output, error.into()))?;
            if inputs.contains(&here) {
                return Err(CliError::usage("lies within the input")
                    .file(output)
                    .hint("name another directory with -o"));
            }
            if before.replace(here) == Some(here) {
                return Ok(());
            }
            let Ok(above) = openat(&at, "..", flags, Mode::empty()) else { return Ok(()) };
            at = above;
        }
    }
}

impl Root {
    /// Opens an input; `before` is the last one that is no directory.
    fn open(path: &Path, single: bool, before: Option<&Found>) -> Result<Self, CliError> {
        let cannot = |error: std::io::Error| CliError::system(Class::Input, "cannot be opened", &error).file(path);
        let stat = stat(path).map_err(|error| cannot(error.into()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let name = || {
            path.file_name().map(ToOwned::to_owned).ok_or_else(|| {
                CliError::usage("has no name of its own in the output").file(path).hint("name it as the only input")
            })
        };
        if kind == FileType::Directory {
            let name = if single { None } else { Some(name()?) };
            return Ok(Self::Folder { folder: Arc::new(Folder::open(path).map_err(cannot)?), name });
        }
        let parent: PathBuf = directory_of(path).to_owned();
        let folder = match before {
            Some(before) if before.folder.path == parent => Arc::clone(&before.folder),
            _ => Arc::new(Folder::open(&parent).map_err(cannot)?),
        };
        let is_link = lstat(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
        let links = if is_link { Links::Followed } else { Links::Kept };
        Ok(Self::File(Found { folder, name: name()?, kind, links }))
    }
}

/// The error of more inputs than can be kept open.
fn too_many() -> CliError {
    let most = OpenDirectory::most();
    CliError::usage(format!("the inputs are in more directories than the {most} that can be open at once here")).hint(
        "name a directory above them, with --files-from for a part of it; or raise the limit of open files (ulimit -n)",
    )
}

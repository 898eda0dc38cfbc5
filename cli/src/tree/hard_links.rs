//! Files of several names: one output, whose further names are links to it; or several, where what the names are for differs.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Stat, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use super::folder::look_at;
use super::output::{OutputFolder, open_beneath};
use crate::atomic::{Temporary, already_exists, cannot_write, hold, modified};
use crate::batch::Outcome;
use crate::error::{Class, CliError};
use crate::input::{Identity, Links};
use crate::place::{FileTarget, Replace, Spot};

/// The files of several names that were found so far. One whose names have all been found is forgotten, unless links lead
/// to files: such names are not among those that the system counts.
#[derive(Debug)]
pub(super) struct HardLinks {
    /// The top of the tree that is written; paths here are below it.
    root: Arc<OwnedFd>,
    top: PathBuf,
    replace: Replace,
    links: Links,
    seen: Mutex<Seen>,
}

/// What tells one output from another: the file that it is made of, and the [kind](super::copy::Convert::kind) that it is made as.
type Original = (Identity, usize);

#[derive(Debug, Default)]
struct Seen {
    files: HashMap<Identity, Names>,
    /// Names that were found before the file had been written.
    waiting: Vec<(Original, PathBuf)>,
}

/// A file of several names.
#[derive(Debug)]
struct Names {
    /// How many have not been found yet.
    left: u64,
    /// What is made of it: one output, but for names of several kinds.
    outputs: Vec<Output>,
}

/// What is made of a file of several names.
#[derive(Debug)]
struct Output {
    kind: usize,
    /// Its first name.
    first: PathBuf,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Written,
    BeingWritten,
    Failed,
}

/// What is to be done about one name of a file.
#[derive(Debug)]
pub(super) enum Claim {
    /// The file is to be written, and then the claim to be kept.
    Write(Writing),
    /// The name has become a link, or is going to be one.
    Done(Linking),
}

/// What came of a further name of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linking {
    /// It was made a link.
    Made,
    /// It was one already.
    Unchanged,
    /// It is made one when the file has been written.
    Deferred,
}

/// The right to write a file of several names. Dropped before it is kept, it says that the file failed.
#[derive(Debug)]
pub(super) struct Writing {
    links: Arc<HardLinks>,
    original: Option<Original>,
    /// The first name of another output of the same file, which is of another kind.
    apart: Option<PathBuf>,
}

impl HardLinks {
    /// None were found yet, in a tree that is written below `root`.
    pub(super) fn new(root: &OutputFolder, replace: Replace, links: Links) -> Self {
        Self { root: Arc::clone(root.fd()), top: root.path.clone(), replace, links, seen: Mutex::default() }
    }

    /// Finds out what is to be done about a name of the file `stat`, which is `name` in `folder` in the output. `kind` says
    /// what it is made as: names of one file are links to each other where that is the same.
    pub(super) fn claim(
        self: &Arc<Self>,
        stat: &Stat,
        folder: &OutputFolder,
        name: &OsStr,
        kind: impl FnOnce() -> usize,
    ) -> Result<Claim, CliError> {
        let write = |original, apart| Claim::Write(Writing { links: Arc::clone(self), original, apart });
        if stat.st_nlink < 2 {
            return Ok(write(None, None));
        }
        let (identity, kind) = (Identity::of(stat), kind());
        let path = self.below(&folder.path).join(name);
        let mut seen = self.seen();
        let Seen { files, waiting } = &mut *seen;
        let names = files.entry(identity).or_insert_with(|| Names { left: stat.st_nlink, outputs: Vec::new() });
        names.left = names.left.saturating_sub(1);
        let Some(output) = names.output(kind) else {
            let apart = names.outputs.first().map(|other| self.top.join(&other.first));
            names.outputs.push(Output { kind, first: path, state: State::BeingWritten });
            return Ok(write(Some((identity, kind)), apart));
        };
        let first = match output.state {
            State::BeingWritten => {
                waiting.push(((identity, kind), path));
                return Ok(Claim::Done(Linking::Deferred));
            }
            State::Failed => return Err(failed(&self.top.join(&output.first))),
            State::Written => output.first.clone(),
        };
        if names.left == 0 && names.outputs.len() == 1 && self.links == Links::Kept {
            files.remove(&identity);
        }
        drop(seen);
        self.link(&first, folder.fd(), &folder.path, name).map(Claim::Done)
    }

    /// Makes the links that had to wait, now that everything is written. The directories they lie in keep their time.
    pub(super) fn link_waiting(&self, mut tell: impl FnMut(Result<Outcome, CliError>, &Path)) {
        let seen = std::mem::take(&mut *self.seen());
        for ((identity, kind), path) in seen.waiting {
            let label = self.top.join(&path);
            let linked = match seen.files.get(&identity).and_then(|names| names.output(kind)) {
                Some(Output { state: State::Written, first, .. }) => self.link_late(first, &path, &label),
                Some(output) => Err(failed(&self.top.join(&output.first))),
                None => Err(failed(&label)),
            };
            tell(linked.map(Linking::outcome), &label);
        }
    }

    fn link_late(&self, first: &Path, path: &Path, label: &Path) -> Result<Linking, CliError> {
        let cannot = |error: Errno| cannot_write(label, error.into());
        let (parent, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
        let folder = Arc::new(open_beneath(&self.root, parent).map_err(cannot)?);
        hold(&*folder);
        let before = modified(&rustix::fs::fstat(&folder).map_err(cannot)?);
        let linked = self.link(first, &folder, &self.top.join(parent), name)?;
        if matches!(linked, Linking::Unchanged) {
            // Nothing was made in it, so nothing is given back: that would be a change as well.
            return Ok(linked);
        }
        let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let times = Timestamps { last_access: omitted, last_modification: before };
        rustix::fs::futimens(&folder, &times).map_err(cannot)?;
        Ok(linked)
    }

    /// Makes `name` in `folder` another name of the output `first`.
    fn link(&self, first: &Path, folder: &Arc<OwnedFd>, path: &Path, name: &OsStr) -> Result<Linking, CliError> {
        let label = path.join(name);
        let cannot = |error: Errno| cannot_write(&label, error.into());
        let parent = first.parent().unwrap_or(Path::new(""));
        let from = Arc::new(open_beneath(&self.root, parent).map_err(cannot)?);
        let first_name = first.file_name().unwrap_or_default();
        let there = look_at(folder, name).map_err(cannot)?;
        if let Some(there) = there {
            let of = look_at(&from, first_name).map_err(cannot)?;
            if of.is_some_and(|of| Identity::of(&of) == Identity::of(&there)) {
                return Ok(Linking::Unchanged);
            }
            if self.replace == Replace::No {
                return Err(already_exists(&label));
            }
        }
        let target = FileTarget { path: label, directory: Some(Arc::clone(folder)), replace: self.replace };
        let of = Spot { directory: Some(from), name: first_name.into() };
        Temporary::link(target, &of)?.publish()?;
        Ok(Linking::Made)
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.top).unwrap_or(path).to_owned()
    }

    fn set_state(&self, (identity, kind): Original, state: State) {
        let mut seen = self.seen();
        let outputs = seen.files.get_mut(&identity).map(|names| names.outputs.iter_mut());
        if let Some(output) = outputs.into_iter().flatten().find(|output| output.kind == kind) {
            output.state = state;
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    fn output(&self, kind: usize) -> Option<&Output> {
        self.outputs.iter().find(|output| output.kind == kind)
    }
}

impl Linking {
    /// What it counts as.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Made => Outcome::Linked,
            Self::Unchanged => Outcome::Unchanged,
            Self::Deferred => Outcome::Deferred,
        }
    }
}

impl Writing {
    /// Says that the file has been written and stands under its name.
    pub(super) fn keep(mut self) {
        if let Some(original) = self.original.take() {
            self.links.set_state(original, State::Written);
        }
    }

    /// The first name of another output of the same file, if names of it are made as another kind.
    pub(super) fn apart_from(&self) -> Option<&Path> {
        self.apart.as_deref()
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(original) = self.original {
            self.links.set_state(original, State::Failed);
        }
    }
}

fn failed(first: &Path) -> CliError {
    let first = crate::shown::shown(&first.to_string_lossy());
    CliError::new(Class::Output, format!("is another name of {first}, which failed"))
}

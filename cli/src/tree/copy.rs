//! A tree of files to a tree of containers, and back: what `encrypt -r` and `decrypt -r` do.

mod delete;
mod entry;
mod roots;
mod seen;
mod source;
mod visit;

use std::ffi::OsString;
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use waxseal_container::Unlocked;

use self::delete::Copied;
use self::entry::{Entry, Worker};
use self::roots::{Root, Roots};
use self::visit::{Copying, Finding};
use super::hard_links::HardLinks;
use super::output::OutputFolder;
use super::selection::Selection;
use super::walk::Walk;
use crate::atomic::{Attributes, cannot_write};
use crate::batch::{Batch, Durability};
use crate::error::{Class, CliError};
use crate::input::{Input, InputName};
use crate::place::{Direction, Replace};
use crate::report::FileReport;
use crate::tree::folder::Folder;

/// Makes the content of one file.
pub(crate) trait Convert: Sync {
    /// Fills `output`, which messages call `label`, from `input`, which they call `name`: its content, and its extended
    /// attributes. What else it takes over is not its business.
    fn convert(&self, name: &InputName, input: Input, output: &File, label: &Path) -> Result<Converted, CliError>;

    /// What the content of a name is made as, which messages call `name`: names of one file for which that differs become
    /// files of their own.
    fn kind(&self, _name: &Path) -> usize {
        0
    }
}

/// What was made of a file.
#[derive(Debug)]
pub(crate) struct Converted {
    /// What is said about it.
    pub(crate) report: FileReport,
    /// The keys to the container.
    pub(crate) unlocked: Option<Unlocked>,
}

/// What is to be copied where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyPlan<'a> {
    /// Which way the content goes.
    pub(crate) direction: Direction,
    /// Files and directories. One directory's content goes straight into the output, several go each under its own name.
    pub(crate) inputs: &'a [PathBuf],
    /// The directory of the output, made if it is missing.
    pub(crate) output: &'a Path,
    /// What is done about outputs that exist.
    pub(crate) existing: Existing,
    /// What of the inputs is meant.
    pub(crate) selection: &'a Selection,
    /// What is removed.
    pub(crate) removed: Removed,
}

/// What a copy removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Outputs whose source is gone.
    pub(crate) outputs: bool,
    /// Sources whose container is on disk and was verified there.
    pub(crate) sources: bool,
}

/// What is done about outputs that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// They are refused.
    Refused,
    /// They are replaced.
    Replaced,
    /// They are left as they are where size and time of change are the source's, and replaced elsewhere.
    Updated,
}

impl Existing {
    fn replace(self) -> Replace {
        match self {
            Self::Refused => Replace::No,
            Self::Replaced | Self::Updated => Replace::Yes,
        }
    }
}

/// Copies a tree.
pub(crate) fn copy(
    plan: &CopyPlan<'_>,
    batch: &Batch<'_>,
    jobs: NonZeroUsize,
    convert: &impl Convert,
) -> Result<(), CliError> {
    let roots = Roots::open(plan)?;
    let attributes = roots.attributes_of_all();
    let top = Arc::new(OutputFolder::root(plan.output, attributes, batch.late())?);
    batch.count_leftovers(top.leftovers);
    let links = Arc::new(HardLinks::new(&top, plan.existing.replace(), plan.selection.links));
    let top_fd = Arc::clone(top.fd());
    let worker = Worker { plan, batch, links: Arc::clone(&links), convert, outputs: Mutex::default() };
    let found = Finding::default();
    let copies = roots.copies();
    let feed = |queue: &crate::batch::Queue<Entry>| {
        let mut visitor = Copying::new(plan, batch, queue, top, roots.identities(), &found);
        for root in roots.all {
            match root {
                Root::Folder { folder, name } => Walk::run(folder, name.as_deref(), plan.selection, &mut visitor),
                Root::File(found) => visitor.alone(found),
            }
        }
        if queue.count() == 0 && !batch.has_failed() {
            warn_of_nothing(plan, batch);
        }
    };
    let sync = || {
        if batch.durability() == Durability::Synced
            && let Err(error) = rustix::fs::syncfs(&top_fd)
        {
            batch.fail(&cannot_write(plan.output, error.into()));
        }
    };
    let finish = || {
        links.link_waiting(|outcome, label| batch.take(outcome, label));
        // What is new is on disk before anything old is removed.
        sync();
        if plan.removed.outputs {
            delete_gone(plan, batch, copies, &top_fd, &found);
            sync();
        }
    };
    batch.run_fed(jobs, feed, Entry::label, |entry| worker.work(entry), finish)
}

/// Says that there was nothing to copy.
fn warn_of_nothing(plan: &CopyPlan<'_>, batch: &Batch<'_>) {
    let what = match plan.direction {
        Direction::Encrypt => "no file was found",
        Direction::Decrypt => "no container was found",
    };
    let input = plan.inputs.iter().map(|input| crate::shown::shown(&input.to_string_lossy())).collect::<Vec<_>>();
    let hint = "is it the right directory, is its file system mounted, and do the patterns mean what is in it?";
    batch.warn(&format!("{}: {what}", input.join(", ")), Some(hint));
}

/// Removes what has no source any more from the copies of all directories, unless something is amiss.
fn delete_gone(
    plan: &CopyPlan<'_>,
    batch: &Batch<'_>,
    copies: Vec<(Arc<Folder>, Option<OsString>)>,
    top: &OwnedFd,
    found: &Finding,
) {
    if batch.has_failed() {
        let output = crate::shown::shown(&plan.output.to_string_lossy());
        let hint = "what is gone from the source is removed by the next run that has no failure";
        return batch.warn(&format!("{output}: nothing is removed from it, because something has failed"), Some(hint));
    }
    if found.has_empty_input.get() {
        let error = CliError::new(Class::Input, "the tree has no files: nothing is removed from its copy");
        return batch.fail(&error.file(plan.output).hint("is its file system mounted?"));
    }
    let seen = found.seen.borrow();
    for (source, name) in copies {
        let path = name.as_ref().map_or_else(|| plan.output.to_owned(), |name| plan.output.join(name));
        match Folder::open_in(top, name.as_deref(), path.clone()) {
            Ok(output) => delete::delete(Copied { source, name, output }, &seen, plan.selection, batch),
            Err(error) => batch.fail(&cannot_write(&path, error)),
        }
    }
}

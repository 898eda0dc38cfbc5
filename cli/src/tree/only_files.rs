//! Walks that read containers and make nothing: `verify -r`, `inspect -r` and their like.

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;

use super::folder::{Folder, Found};
use super::sample::Sample;
use super::selection::Selection;
use super::walk::{Enter, Visitor, Walk};
use crate::args::TreeOptions;
use crate::atomic::directory_of;
use crate::batch::{Batch, Outcome, Queue};
use crate::error::{Class, CliError};
use crate::input::Links;
use crate::place::{Direction, renamed};

/// Whether there is a tree among the inputs: with `-r`, a directory.
pub(crate) fn has_directory(inputs: &[PathBuf], options: &TreeOptions) -> Result<bool, CliError> {
    let is_tree = options.recursive && inputs.iter().any(|input| input.is_dir());
    if options.files_from.is_some() && !(is_tree && inputs.len() == 1) {
        return Err(CliError::usage("--files-from takes one INPUT, the directory that its names are relative to"));
    }
    Ok(is_tree)
}

/// What it means that a tree has no container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoContainer {
    /// What was to be looked at is not there.
    Fails,
    /// It is worth a warning.
    IsNamed,
}

/// Works on each container in the trees `inputs`, and on each input that is a file, on the threads of a batch. Files whose
/// names do not end in .wax are passed over, and so is everything that is no file.
pub(crate) fn each_container(
    inputs: &[PathBuf],
    selection: &Selection,
    batch: &Batch<'_>,
    jobs: NonZeroUsize,
    none: NoContainer,
    work: impl Fn(Found) -> Result<Outcome, CliError> + Sync,
) -> Result<(), CliError> {
    let feed = |queue: &Queue<Found>| {
        for input in inputs {
            let sample = selection.sample.map(Sample::of);
            let mut visitor = Containers { batch, queue, sample, has_any: false, has_failed: false, depth: 0 };
            match feed_one(input, selection, &mut visitor) {
                Err(error) => batch.fail(&error.file(input)),
                Ok(()) if visitor.has_any || visitor.has_failed => {}
                Ok(()) => tell_none(input, none, inputs.len() == 1, batch),
            }
            visitor.end_sample();
        }
    };
    batch.run_fed(jobs, feed, Found::path, work, || {})
}

/// Says that a tree has no container: as the result of the whole if it is the only input.
fn tell_none(input: &Path, none: NoContainer, is_only: bool, batch: &Batch<'_>) {
    const WHAT: &str = "no container was found in it: no name that is meant ends in .wax";
    const HINT: &str = "is it the right directory, is its file system mounted, and do the patterns mean what is in it?";
    let error = || CliError::new(Class::Input, WHAT).file(input).hint(HINT);
    match none {
        NoContainer::Fails if is_only => batch.take(Err(error().fatal()), input),
        NoContainer::Fails => batch.fail(&error()),
        NoContainer::IsNamed => {
            batch.warn(&format!("{}: {WHAT}", crate::shown::shown(&input.to_string_lossy())), Some(HINT));
        }
    }
}

fn feed_one(input: &Path, selection: &Selection, visitor: &mut Containers<'_>) -> Result<(), CliError> {
    let cannot = |error: std::io::Error| CliError::system(Class::Input, "cannot be opened", &error);
    let stat = rustix::fs::stat(input).map_err(|error| cannot(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        Walk::run(Arc::new(Folder::open(input).map_err(cannot)?), None, selection, visitor);
        return Ok(());
    }
    // What is named is meant, whatever it is called.
    let name = input.file_name().ok_or_else(|| CliError::new(Class::Input, "is no file"))?.to_owned();
    let folder = Arc::new(Folder::open(directory_of(input)).map_err(cannot)?);
    visitor.has_any = true;
    visitor.queue.put(Found { folder, name, kind: FileType::RegularFile, links: Links::Followed });
    Ok(())
}

/// The visitor that is interested in containers.
struct Containers<'a> {
    batch: &'a Batch<'a>,
    queue: &'a Queue<Found>,
    /// The random share of them that is meant, if not all are.
    sample: Option<Sample<Found>>,
    /// Whether there was one, drawn or not.
    has_any: bool,
    /// Whether a part of the tree could not be read.
    has_failed: bool,
    /// Directories that the walk is in.
    depth: usize,
}

impl Containers<'_> {
    /// Takes what a sample has at least, and counts what it leaves out.
    fn end_sample(&mut self) {
        let Some(sample) = self.sample.take() else { return };
        let (least, rest) = sample.end();
        least.into_iter().for_each(|found| self.queue.put(found));
        self.batch.count_not_drawn(rest);
    }
}

impl Visitor for Containers<'_> {
    fn enter(&mut self, _folder: &Arc<Folder>, _name: Option<&OsStr>, _is_meant: bool) -> Enter {
        self.depth += 1;
        self.batch.wait_for_directories(self.queue, self.depth);
        Enter::Yes
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn found(&mut self, found: Found) {
        if found.kind != FileType::RegularFile || renamed(&found.name, Direction::Decrypt).is_none() {
            return;
        }
        self.has_any = true;
        let drawn = match &mut self.sample {
            None => Ok(Some(found)),
            Some(sample) => sample.draw(found),
        };
        match drawn {
            Ok(Some(found)) => self.queue.put(found),
            Ok(None) => {}
            Err(error) => self.batch.end(error),
        }
    }

    fn left_out(&mut self, path: &Path) {
        self.batch.leave_temporary(path);
    }

    fn fail(&mut self, error: CliError) {
        self.has_failed = true;
        self.batch.fail(&error);
    }

    fn is_over(&self) -> bool {
        self.batch.ended()
    }
}

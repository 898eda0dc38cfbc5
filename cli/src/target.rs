//! The outputs of a command: each input's, named before the work begins, resolved when its turn comes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use waxseal_container::{ContainerError, Sink};

use crate::args::Writing;
use crate::atomic::{Attributes, Naming, Temporary};
use crate::batch::{Durability, Outcome, Then};
use crate::error::{Class, CliError};
use crate::input::{Input, InputName};
use crate::library_errors;
use crate::output::Console;
use crate::place::{self, Asked, Direction, Place, Replace};
use crate::report::FileReport;
use crate::stream::widen;

/// How the outputs of a command are named and made.
#[derive(Debug)]
pub(crate) struct Targets {
    direction: Direction,
    asked: Asked,
    replace: Replace,
    umask: Mode,
    naming: Naming,
    /// Names that more than one input would be written to.
    contested: HashSet<PathBuf>,
}

impl Targets {
    /// Plans the outputs of `inputs`.
    pub(crate) fn plan(
        inputs: &[InputName],
        writing: &Writing,
        direction: Direction,
        console: &Console,
    ) -> Result<Self, CliError> {
        let asked = Asked::parse(writing.output.as_deref(), inputs.len())?;
        let replace = if writing.force { Replace::Yes } else { Replace::No };
        // A single output that grows for long is to be seen.
        let naming = if inputs.len() > 1 { Naming::Nameless } else { Naming::Named };
        let mut targets = Self { direction, asked, replace, umask: umask(), naming, contested: HashSet::new() };
        targets.contested = targets.find_contested(inputs);
        if let [only] = inputs
            && targets.name(only)?.is_none()
        {
            console.stdout_carries_data();
        }
        Ok(targets)
    }

    /// The output's name; none is standard output.
    fn name(&self, input: &InputName) -> Result<Option<PathBuf>, CliError> {
        match (input, &self.asked) {
            (InputName::File(path), asked) => place::name(path, self.direction, asked),
            (InputName::Stdin, Asked::Nothing | Asked::Stdout) => Ok(None),
            (InputName::Stdin, Asked::File(path)) => Ok(Some(path.clone())),
            (InputName::Stdin, Asked::Directory(directory)) => {
                Err(CliError::usage("is a directory, and standard input has no name for a file in it")
                    .file(directory)
                    .hint("give -o the name of a file"))
            }
        }
    }

    fn find_contested(&self, inputs: &[InputName]) -> HashSet<PathBuf> {
        let mut seen = HashSet::with_capacity(inputs.len());
        let names = inputs.iter().filter_map(|input| self.name(input).ok().flatten());
        names.filter_map(|name| seen.replace(name)).collect()
    }

    /// Finds the place for one input's output, and refuses what must not be written.
    pub(crate) fn open(&self, name: &InputName, input: &Input) -> Result<Target, CliError> {
        let identity = Some(input.identity);
        let attributes = input.attributes(self.umask);
        let naming = self.naming;
        let Some(path) = self.name(name)? else {
            let place = place::standard_output(self.direction, &self.asked, identity)?;
            return Ok(Target { path: None, place, attributes, naming });
        };
        if self.contested.contains(&path) {
            return Err(CliError::new(Class::Output, "is the output of two inputs")
                .file(&path)
                .hint("name each input once, and those of the same name in separate runs"));
        }
        let place = place::resolve(&path, self.direction, self.replace, identity)?;
        Ok(Target { path: Some(path), place, attributes, naming })
    }
}

/// Whether outputs are synced.
pub(crate) fn durability(writing: &Writing) -> Durability {
    durability_of(writing.no_sync)
}

/// Whether outputs are synced, unless `no_sync` is asked for.
pub(crate) fn durability_of(no_sync: bool) -> Durability {
    if no_sync { Durability::Unsynced } else { Durability::Synced }
}

/// One output, about to be made.
#[derive(Debug)]
pub(crate) struct Target {
    path: Option<PathBuf>,
    place: Place,
    attributes: Attributes,
    naming: Naming,
}

impl Target {
    /// What messages call it.
    pub(crate) fn label(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new("standard output"))
    }

    /// Makes the output with `fill`, which returns what to report.
    pub(crate) fn fill(self, fill: impl FnOnce(Sink<'_>) -> Result<FileReport, CliError>) -> Result<Outcome, CliError> {
        let report = |report: FileReport| FileReport { output: self.path, ..report };
        match self.place {
            Place::Stream(mut file) => {
                widen(&file);
                fill(Sink::Stream(&mut file)).map(report).map(Outcome::Complete)
            }
            Place::File(target) => {
                let temporary = Temporary::create(target, self.naming)?;
                let filled = fill(Sink::File(temporary.file()?))?;
                temporary.set_attributes(self.attributes)?;
                Ok(Outcome::Finished(temporary, report(filled), Then::nothing()))
            }
        }
    }
}

/// Turns a container's error into one of the command, with the names of input and output.
pub(crate) fn failed(error: &ContainerError, input: &InputName, output: &Path) -> CliError {
    library_errors::container(error, input.label(), output)
}

/// The mode of a new file that is made from nothing.
pub(crate) fn new_file_mode() -> Mode {
    Mode::from_raw_mode(0o666) & !umask()
}

/// What new files may not be allowed to do; read once, before there are threads.
fn umask() -> Mode {
    let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::umask(mask);
    mask
}

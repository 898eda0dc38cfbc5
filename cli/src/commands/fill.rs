//! `waxseal encrypt --into`: a prepared container gets its content.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use waxseal_container::{ContainerError, Header, Suite};
use waxseal_envelope::lock_exclusive;

use super::encrypt::{read_for, refuse_changed};
use super::reading::{Opening, Reader};
use crate::args::{Common, Demands, Encrypt};
use crate::batch::{Batch, Outcome, Telling};
use crate::commands::{jobs, threads_a_file};
use crate::error::{Class, CliError};
use crate::input::{Identity, Input, InputName, open_settled};
use crate::library_errors;
use crate::output::Console;
use crate::report::FileReport;
use crate::target::{durability, failed};

/// Runs the command.
pub(super) fn run(common: &Common, args: &Encrypt, prepared: &Path, console: &Console) -> Result<(), CliError> {
    let inputs = InputName::parse_all(&args.inputs)?;
    if inputs.len() > 1 {
        return Err(CliError::usage("a prepared container is filled from one input")
            .hint("prepare one for each of them: 'waxseal prepare FILE...'"));
    }
    // As for reading: the keys and the context that are named are demands on what the container says.
    let (keys, context, aws) = (args.keys.clone(), args.context.clone(), args.aws.clone());
    let demands = Demands { keys, context, discovery: Vec::new(), aws };
    let opening = Opening::new(common, &demands, &args.passphrase)?;
    let jobs = jobs(&args.many, opening.requests_at_once());
    let reader = Reader::new(opening, threads_a_file(Some(1), jobs), console)?;
    let batch = Batch::new(console, durability(&args.writing), "encrypted", Telling::Verbose);
    let fill = |name: &InputName| fill(&reader, name, prepared, args.suite);
    batch.run(&inputs, jobs, |name| fill(name).map_err(|error| error.file(name.label())))
}

fn fill(reader: &Reader<'_>, name: &InputName, prepared: &Path, suite: Option<Suite>) -> Result<Outcome, CliError> {
    let input = open_settled(|| Input::open(name))?;
    let mut file = open(prepared, input.identity)?;
    input.say_if_typed(reader.console);
    let header = Header::read_from(&mut file).map_err(|error| of_prepared(&error, prepared))?;
    check_suite(&header, suite).map_err(|error| error.file(prepared))?;
    let (filling, key_arn) = reader.fill(header, prepared)?;
    let context = filling.header().core().context().clone();
    let seal = |source: waxseal_container::Source<'_>| filling.seal(source, &file, reader.threads);
    let sealed = read_for(name, &input, reader.console, seal).map_err(|error| failed(&error, name, prepared))?;
    refuse_changed(&input).map_err(|error| {
        error.hint(
            "the container holds what was read, which may be neither the old content nor the new: fill another one",
        )
    })?;
    let report = FileReport::new(name.label(), sealed.plaintext_len, [key_arn], &context);
    Ok(Outcome::Complete(FileReport { output: Some(prepared.to_owned()), ..report }))
}

/// Opens the container for writing, with nobody else at it.
fn open(path: &Path, input: Identity) -> Result<File, CliError> {
    let refused = |text: &str| CliError::new(Class::Output, text).file(path);
    let cannot = |error: std::io::Error| CliError::system(Class::Output, "cannot be opened", &error).file(path);
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
        let error = cannot(error.into());
        if path.exists() { error } else { error.hint("'waxseal prepare FILE' makes one") }
    })?);
    let stat = rustix::fs::fstat(&file).map_err(|error| cannot(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refused("is no regular file"));
    }
    if input.is(&stat) {
        return Err(refused("is the input itself"));
    }
    if !lock_exclusive(&file).map_err(cannot)? {
        return Err(refused("is in use by another process").hint("two fillings of one container are never merged"));
    }
    Ok(file)
}

/// Checks that a container is of the suite that was named. The key service does not vouch for the suite of a prepared one.
fn check_suite(header: &Header, wanted: Option<Suite>) -> Result<(), CliError> {
    let found = header.core().suite();
    match wanted {
        Some(wanted) if wanted != found => {
            Err(CliError::new(Class::ContextMismatch, format!("its suite is {found}, not {wanted}"))
                .hint("it is not the container you meant, or was changed: have another one prepared"))
        }
        _ => Ok(()),
    }
}

/// An error of the container that is to be filled, which is an output here.
fn of_prepared(error: &ContainerError, path: &Path) -> CliError {
    library_errors::container(error, path, path)
}

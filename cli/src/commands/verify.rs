//! `waxseal verify`.

mod findings;
mod repair;
mod salvage;

use std::path::Path;

use waxseal_container::{Interrupted, Sink};
use waxseal_envelope::{EnvelopeError, Finding, Fsck};

use crate::args::{Common, Verify};
use crate::batch::{Batch, Durability, Outcome, Telling};
use crate::commands::reading::{OpenContainer, Opening, Reader, of_device};
use crate::commands::{failure_log, jobs, threads_a_file};
use crate::error::{Class, CliError};
use crate::input::{Input, InputName};
use crate::output::Console;
use crate::place::Direction;
use crate::report::FileReport;
use crate::stream::draw_if_long;
use crate::tree::{NoContainer, Selection, each_container, has_directory};

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Verify, console: &Console) -> Result<(), CliError> {
    let inputs: Vec<InputName> = args.files.iter().map(|file| InputName::parse(file)).collect();
    let opening = Opening::of(common, &args.reading, &args.passphrase)?;
    let jobs = jobs(&args.many, opening.requests_at_once());
    let is_tree = has_directory(&args.files, &args.tree)?;
    let selection = Selection::new(&args.tree, Direction::Decrypt)?.with_sample(args.sample);
    let threads = threads_a_file((!is_tree).then_some(inputs.len()), jobs);
    let reader = Reader::new(opening, threads, console)?;
    if let Some(output) = &args.salvage {
        let [name] = inputs.as_slice() else {
            return Err(CliError::usage("--salvage takes one file").hint("run it once for each file"));
        };
        return salvage::run(&reader, name, output, args.force);
    }
    let log = failure_log(&args.many)?;
    // Of a tree what is well goes without saying.
    let telling = if is_tree { Telling::Verbose } else { Telling::Always };
    let batch =
        Batch::new(console, Durability::Unsynced, "verified", telling).with_log(log.as_ref()).with_keys(reader.keys());
    if is_tree {
        return each_container(&args.files, &selection, &batch, jobs, NoContainer::Fails, |found| {
            let cannot = |error| CliError::system(Class::Input, "cannot be opened", &error);
            one(&reader, args, &InputName::File(found.path()), found.open().map_err(cannot)?)
        });
    }
    batch.run(&inputs, jobs, |name| one(&reader, args, name, Input::open(name)?))
}

/// Verifies one container, or repairs it.
fn one(reader: &Reader<'_>, args: &Verify, name: &InputName, input: Input) -> Result<Outcome, CliError> {
    if args.repair {
        refuse_pipe(name, &input)?;
    }
    let container = open(reader, name, input)?;
    let report = match (args.repair, container.input.regular) {
        (true, _) => repair::run(reader, container),
        (false, Some(_)) => check(reader, &container),
        (false, None) => check_stream(reader, &container),
    };
    report.map(Outcome::Complete)
}

/// Opens a container; one whose header is damaged is told like any other that is.
fn open<'a>(reader: &'a Reader<'a>, name: &'a InputName, input: Input) -> Result<OpenContainer<'a>, CliError> {
    reader.open(name, input).map_err(findings::of_opening)
}

/// Checks a container in a file, without changing it.
fn check(reader: &Reader<'_>, container: &OpenContainer<'_>) -> Result<FileReport, CliError> {
    let OpenContainer { name, input, opened, .. } = container;
    let label = name.label();
    match fsck(reader, input, label, |fsck| fsck.check(&opened.unlocked, &input.file))? {
        Finding::Clean { plaintext_len } => {
            Ok(FileReport { details: findings::clean(), ..container.report(plaintext_len) })
        }
        Finding::Interrupted(found) if reader.interrupted == Interrupted::Recover => {
            reader.say_recovered(name, found.plaintext_len);
            Ok(FileReport { details: findings::recovered(&found), ..container.report(found.plaintext_len) })
        }
        Finding::Interrupted(found) => Err(findings::interrupted_error(&found, label)),
        Finding::Damaged(found) => Err(findings::damaged_error(&found, label)),
    }
}

/// Checks a container that comes as a stream: no more can be said of it than where it fails.
fn check_stream(reader: &Reader<'_>, container: &OpenContainer<'_>) -> Result<FileReport, CliError> {
    let OpenContainer { name, input, opened, .. } = container;
    let read = reader.read_whole(name, &opened.unlocked, input, Sink::Discard);
    let read = read.map_err(|error| {
        let told = findings::stream_error(&error, name.label());
        if input.is_block_device() { of_device(told, &error, name) } else { told }
    })?;
    let details = if read.interrupted { findings::recovered_stream() } else { findings::clean() };
    Ok(FileReport { details, ..container.report(read.plaintext_len) })
}

/// Works on the file of a container, called `label`, and shows how far it is.
fn fsck<T>(
    reader: &Reader<'_>,
    input: &Input,
    label: &Path,
    work: impl FnOnce(Fsck<'_>) -> Result<T, EnvelopeError>,
) -> Result<T, CliError> {
    fsck_to(reader, input, label, label, work)
}

/// The same with an `output`, which is what errors of writing name.
fn fsck_to<T>(
    reader: &Reader<'_>,
    input: &Input,
    label: &Path,
    output: &Path,
    work: impl FnOnce(Fsck<'_>) -> Result<T, EnvelopeError>,
) -> Result<T, CliError> {
    draw_if_long(input.regular.map_or(0, |regular| regular.size), reader.console);
    let progress = |bytes| reader.console.advance_bytes(bytes);
    work(Fsck { threads: reader.threads, progress: &progress }).map_err(|error| findings::failed(&error, label, output))
}

fn refuse_pipe(name: &InputName, input: &Input) -> Result<(), CliError> {
    match input.regular {
        Some(_) => Ok(()),
        None => Err(CliError::new(Class::Input, "is not named as a regular file, so it can only be checked")
            .file(name.label())
            .hint(
                "--repair and --salvage need a file that can be read at any place: name it, or save the stream first",
            )),
    }
}

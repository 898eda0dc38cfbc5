//! `waxseal verify`.

use std::path::Path;

use waxseal_container::Sink;

use crate::args::{Common, Verify};
use crate::batch::{Batch, Durability, Outcome, Telling};
use crate::commands::reading::Reader;
use crate::commands::{jobs, threads_a_file};
use crate::error::CliError;
use crate::input::{Input, InputName};
use crate::output::Console;

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Verify, console: &Console) -> Result<(), CliError> {
    let inputs: Vec<InputName> = args.files.iter().map(|file| InputName::parse(file)).collect();
    let jobs = jobs(&args.many);
    let threads = threads_a_file(inputs.len(), jobs);
    let reader = Reader::new(common, &args.reading, &args.passphrase, threads, console)?;
    let batch = Batch::new(console, Durability::Unsynced, "verified", Telling::Always);
    batch.run(&inputs, jobs, |name| {
        let container = reader.open(name, Input::open(name)?)?;
        container.read(None, Sink::Discard, Path::new("")).map(Outcome::Complete)
    })
}

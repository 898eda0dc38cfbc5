//! `waxseal cat`.

use std::fs::File;
use std::path::Path;

use waxseal_container::Sink;

use crate::args::{Cat, Common};
use crate::commands::cores;
use crate::commands::reading::{Opening, Reader};
use crate::error::{Class, CliError};
use crate::input::{Input, InputName};
use crate::output::Console;
use crate::place::{self, Asked, Direction, Place};
use crate::stream::widen;

/// Runs the command. It ends with the first file that fails: what follows would be joined over a gap.
pub(crate) fn run(common: &Common, args: &Cat, console: &Console) -> Result<(), CliError> {
    if args.range.is_some() && args.files.len() > 1 {
        return Err(CliError::usage("--range takes one file").hint("run it once for each file"));
    }
    console.stdout_carries_data();
    let reader = Reader::new(Opening::of(common, &args.reading, &args.passphrase)?, cores(), console)?;
    for file in &args.files {
        let name = InputName::parse(file);
        let written = write(&reader, &name, args);
        match written {
            Ok(report) => console.done(|| report.text("written"), || report.json("written"))?,
            Err(error) if args.files.len() == 1 || error.class() == Class::ClosedPipe => return Err(error),
            Err(error) => {
                console.error(&error);
                return Err(CliError::new(Class::Partial, "the files after it were not written"));
            }
        }
    }
    Ok(())
}

fn write(reader: &Reader<'_>, name: &InputName, args: &Cat) -> Result<crate::report::FileReport, CliError> {
    let input = Input::open(name)?;
    let mut stdout = standard_output(&input)?;
    let container = reader.open(name, input)?;
    container.read(args.range, Sink::Stream(&mut stdout), Path::new("standard output"))
}

fn standard_output(input: &Input) -> Result<File, CliError> {
    match place::standard_output(Direction::Decrypt, &Asked::Stdout, Some(input.identity))? {
        Place::Stream(file) => {
            widen(&file);
            Ok(file)
        }
        Place::File(_) => Err(CliError::new(Class::Other, "standard output is no stream")),
    }
}

//! `waxseal decrypt`.

use crate::args::{Common, Decrypt};
use crate::batch::{Batch, Telling};
use crate::commands::reading::{Opening, Reader};
use crate::commands::{jobs, threads_a_file};
use crate::error::CliError;
use crate::input::{Input, InputName};
use crate::output::Console;
use crate::place::Direction;
use crate::target::{Targets, durability};

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Decrypt, console: &Console) -> Result<(), CliError> {
    let inputs = InputName::parse_all(&args.inputs)?;
    let targets = Targets::plan(&inputs, &args.writing, Direction::Decrypt, console)?;
    let opening = Opening::new(common, &args.reading, &args.passphrase)?;
    let jobs = jobs(&args.many, opening.requests_at_once());
    let reader = Reader::new(opening, threads_a_file(inputs.len(), jobs), console)?;
    let batch = Batch::new(console, durability(&args.writing), "decrypted", Telling::Verbose);
    batch.run(&inputs, jobs, |name| {
        let input = Input::open(name)?;
        let target = targets.open(name, &input)?;
        input.say_if_typed(console);
        let output = target.label().to_owned();
        // The output is made only once the header is verified: most failures touch no directory.
        let container = reader.open(name, input)?;
        target.fill(|sink| container.read(args.range, sink, &output))
    })
}

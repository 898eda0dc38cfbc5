//! `waxseal decrypt`.

use std::fs::File;
use std::path::Path;

use waxseal_container::Sink;

use crate::args::{Common, Decrypt};
use crate::batch::{Batch, Telling};
use crate::commands::reading::{Opening, Reader};
use crate::commands::{failure_log, jobs, threads_a_file, tree_plan};
use crate::error::CliError;
use crate::input::{Input, InputName};
use crate::output::Console;
use crate::place::Direction;
use crate::target::{Targets, durability};
use crate::tree::{Convert, Converted, Selection, SparseSink, copy, has_directory, open_xattrs};

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Decrypt, console: &Console) -> Result<(), CliError> {
    let inputs = InputName::parse_all(&args.inputs)?;
    let is_tree = has_directory(&args.inputs, &args.tree)?;
    let selection = Selection::new(&args.tree, Direction::Decrypt)?;
    let log = failure_log(&args.many)?;
    let opening = Opening::of(common, &args.reading, &args.passphrase)?;
    let jobs = jobs(&args.many, opening.requests_at_once());
    let threads = threads_a_file((!is_tree).then_some(inputs.len()), jobs);
    let reader = Reader::new(opening, threads, console)?;
    let batch = Batch::new(console, durability(&args.writing), "decrypted", Telling::Verbose)
        .with_log(log.as_ref())
        .with_keys(reader.keys());
    if is_tree {
        let plan = tree_plan(Direction::Decrypt, &args.inputs, &args.writing, &args.copy, &selection)?;
        let decryption = Decryption { reader: &reader, keep_xattrs: !args.copy.no_xattrs };
        return copy(&plan, &batch, jobs, &decryption);
    }
    let targets = Targets::plan(&inputs, &args.writing, Direction::Decrypt, console)?;
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

/// What the files of a tree share.
struct Decryption<'a> {
    reader: &'a Reader<'a>,
    keep_xattrs: bool,
}

impl Convert for Decryption<'_> {
    fn convert(&self, name: &InputName, input: Input, output: &File, label: &Path) -> Result<Converted, CliError> {
        let is_sparse = input.is_sparse();
        let container = self.reader.open(name, input)?;
        if self.keep_xattrs {
            open_xattrs(&container.opened.unlocked, &container.input.file, output)?;
        }
        let sparse = SparseSink(output);
        let report = container.read(None, if is_sparse { Sink::File(&sparse) } else { Sink::File(output) }, label)?;
        Ok(Converted { report, unlocked: None })
    }
}

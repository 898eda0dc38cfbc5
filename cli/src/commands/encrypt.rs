//! `waxseal encrypt`.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::num::NonZeroUsize;
use std::path::Path;

use waxseal_container::{ContainerError, MAGIC, Sealed, Sink, Source};

use super::new_files::{NewFiles, Planned, Sources};
use crate::args::{Common, Encrypt};
use crate::batch::{Batch, Outcome, Telling};
use crate::commands::{failure_log, fill, jobs, threads_a_file, tree_plan};
use crate::error::{Class, CliError};
use crate::input::{Input, InputName, open_settled, peek};
use crate::output::Console;
use crate::place::Direction;
use crate::shown::shown;
use crate::stream::{CountedFile, CountedStream, widen};
use crate::target::{Targets, durability, failed};
use crate::tree::{Convert, Converted, CopyPlan, Removed, Selection, Xattrs, copy, has_directory, seal_sparse};

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Encrypt, console: &Console) -> Result<(), CliError> {
    if let Some(prepared) = &args.into {
        return fill::run(common, args, prepared, console);
    }
    let inputs = InputName::parse_all(&args.inputs)?;
    let (context, suite, passphrase, aws) =
        (&args.context, args.suite.unwrap_or_default(), &args.passphrase, &args.aws);
    let is_tree = has_directory(&args.inputs, &args.tree)?;
    let selection = Selection::new(&args.tree, Direction::Encrypt)?;
    let output = args.writing.output.as_deref();
    let sources = if is_tree { Sources::Trees(&args.inputs) } else { Sources::Files { inputs: &inputs, output } };
    let new = NewFiles::new(&Planned { common, keys: &args.keys, context, suite, passphrase, aws, sources }, console)?
        .verifying_keys(args.verify_keys || args.remove_source);
    let jobs = jobs(&args.many, new.requests_at_once);
    if !is_tree && (args.remove_source || args.delete) {
        return Err(CliError::usage("--remove-source and --delete are for directories")
            .hint("name a directory and add -r; what was encrypted from a file is checked with 'waxseal verify'"));
    }
    let log = failure_log(&args.many)?;
    let encryption = Encryption {
        new,
        threads: threads_a_file((!is_tree).then_some(inputs.len()), jobs),
        keep_xattrs: is_tree && !args.copy.no_xattrs,
        removes_source: args.remove_source,
        console,
    };
    let batch = Batch::new(console, durability(&args.writing), "encrypted", Telling::Verbose).with_log(log.as_ref());
    if is_tree {
        let removed = Removed { outputs: args.delete, sources: args.remove_source };
        let plan = tree_plan(Direction::Encrypt, &args.inputs, &args.writing, &args.copy, &selection)?;
        return copy(&CopyPlan { removed, ..plan }, &batch, jobs, &encryption);
    }
    let targets = Targets::plan(&inputs, &args.writing, Direction::Encrypt, console)?;
    batch.run(&inputs, jobs, |input| encryption.encrypt(input, &targets).map_err(|error| error.file(input.label())))
}

/// Everything that the inputs of one command share.
struct Encryption<'a> {
    new: NewFiles<'a>,
    threads: NonZeroUsize,
    /// Whether extended attributes are kept, as they are in trees.
    keep_xattrs: bool,
    /// Whether the keys are needed once more, for reading what was written.
    removes_source: bool,
    console: &'a Console,
}

impl Encryption<'_> {
    fn encrypt(&self, name: &InputName, targets: &Targets) -> Result<Outcome, CliError> {
        let input = open_settled(|| Input::open(name))?;
        let target = targets.open(name, &input)?;
        input.say_if_typed(self.console);
        let new = self.new.at(name.label());
        let sealer = new.make()?;
        let output = target.label().to_owned();
        target.fill(|sink| {
            let seal = |source: Source<'_>| sealer.seal(source, sink, self.threads);
            let sealed = read_for(name, &input, self.console, seal).map_err(|error| failed(&error, name, &output))?;
            refuse_changed(&input)?;
            new.report(sealed.plaintext_len)
        })
    }
}

impl Convert for Encryption<'_> {
    fn convert(&self, name: &InputName, input: Input, output: &File, label: &Path) -> Result<Converted, CliError> {
        let xattrs = if self.keep_xattrs { Xattrs::of(&input.file)? } else { Xattrs::none() };
        let new = self.new.at(name.label());
        let sealer = new.make()?;
        let wants_keys = self.removes_source || !xattrs.is_empty();
        let unlocked = wants_keys.then(|| sealer.unlocked().clone());
        if let Some(unlocked) = &unlocked {
            xattrs.seal(unlocked, output)?;
        }
        let size = input.regular.map_or(0, |regular| regular.size);
        let sealed = if input.is_sparse() {
            seal_sparse(sealer, &input.file, size, output, |bytes| self.console.advance_bytes(bytes))
        } else {
            let seal = |source: Source<'_>| sealer.seal(source, Sink::File(output), self.threads);
            read_for(name, &input, self.console, seal)
        };
        let sealed = sealed.map_err(|error| failed(&error, name, label))?;
        refuse_changed(&input)?;
        Ok(Converted { report: new.report(sealed.plaintext_len)?, unlocked })
    }

    fn kind(&self, name: &Path) -> usize {
        self.new.kind(name)
    }
}

/// Refuses a file that was written while it was read.
pub(super) fn refuse_changed(input: &Input) -> Result<(), CliError> {
    match input.is_unchanged() {
        Ok(true) => Ok(()),
        Ok(false) => Err(CliError::new(Class::Input, "was changed while it was read").hint(
            "run it again when nobody writes it: what was read may be neither the old content nor the new; what there \
                 is of a file that always grows is taken by 'waxseal encrypt <FILE >OUT'",
        )),
        Err(error) => Err(CliError::system(Class::Input, "cannot be looked at", &error)),
    }
}

/// Reads an input for `seal`, by position where that is possible, and warns if it is a container already.
pub(super) fn read_for(
    name: &InputName,
    input: &Input,
    console: &Console,
    seal: impl FnOnce(Source<'_>) -> Result<Sealed, ContainerError>,
) -> Result<Sealed, ContainerError> {
    let (sealed, is_container) = match input.regular {
        // The files of /proc say that they are empty, and are not.
        Some(regular) if regular.size > 0 => {
            let file = CountedFile::new(&input.file, regular.size, console);
            let sealed = seal(Source::File(&file))?;
            (sealed, file.is_container())
        }
        _ => {
            widen(&input.file);
            let mut stream = CountedStream::new(&input.file, console);
            let begin = peek(&mut stream, MAGIC.len()).map_err(ContainerError::Read)?;
            let is_container = begin == MAGIC;
            let mut stream = Cursor::new(begin).chain(stream);
            (seal(Source::Stream(&mut stream))?, is_container)
        }
    };
    if is_container {
        let name = shown(&name.label().to_string_lossy());
        console.warning(&format!("{name}: is encrypted already, and is encrypted once more"), None);
    }
    Ok(sealed)
}

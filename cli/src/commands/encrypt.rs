//! `waxseal encrypt`.

use std::fs::File;
use std::io::{Cursor, Read as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use waxseal_container::{ContainerError, Core, MAGIC, Sealed, Sealer, Sink, Source, Suite};
use waxseal_envelope::NewContainer;
use waxseal_key_service::{EncryptionContext, KeyReference};

use crate::args::{Common, Encrypt};
use crate::batch::{Batch, Outcome, Telling};
use crate::commands::{fill, jobs, keys, threads_a_file, tree_plan};
use crate::config::Config;
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::input::{Input, InputName, peek};
use crate::library_errors;
use crate::output::Console;
use crate::place::Direction;
use crate::report::{Details, FailureLog, FileReport};
use crate::session::{Missing, Session, Setup};
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
    let home = Home::find(common.home.as_deref())?;
    let keys = keys::for_new_files(&args.keys, &Config::load(&home)?)?;
    let reach = keys::reach_of(&keys);
    let jobs = jobs(&args.many, keys::requests_at_once(reach, &args.aws));
    let setup = Setup { home: &home, passphrase: &args.passphrase, aws: &args.aws, missing: Missing::Create, reach };
    let selection = Selection::new(&args.tree)?;
    let is_tree = has_directory(&args.inputs, &args.tree)?;
    let log = args.many.report.as_deref().map(FailureLog::create).transpose()?;
    let encryption = Encryption {
        keys,
        context: parse_context(&args.context, args.suite)?,
        suite: args.suite,
        session: Session::new(&setup, console)?,
        threads: threads_a_file(if is_tree { usize::MAX } else { inputs.len() }, jobs),
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

/// Parses the pairs, and refuses what no container can hold before anything is made.
pub(super) fn parse_context(pairs: &[String], suite: Suite) -> Result<EncryptionContext, CliError> {
    let context = EncryptionContext::from_pairs(pairs).map_err(|error| CliError::usage(shown(&error.to_string())))?;
    Core::new(suite, context.clone(), None).map_err(|error| library_errors::context(&error))?;
    Ok(context)
}

/// Everything that the inputs of one command share.
struct Encryption<'a> {
    keys: Vec<KeyReference>,
    context: EncryptionContext,
    suite: Suite,
    session: Session<'a>,
    threads: NonZeroUsize,
    /// Whether extended attributes are kept, as they are in trees.
    keep_xattrs: bool,
    /// Whether the keys are needed once more, for reading what was written.
    removes_source: bool,
    console: &'a Console,
}

impl Encryption<'_> {
    fn encrypt(&self, name: &InputName, targets: &Targets) -> Result<Outcome, CliError> {
        let input = Input::open(name)?;
        let target = targets.open(name, &input)?;
        input.say_if_typed(self.console);
        let sealer = self.sealer(name)?;
        let output = target.label().to_owned();
        target.fill(|sink| {
            let seal = |source: Source<'_>| sealer.seal(source, sink, self.threads);
            let sealed = read_for(name, &input, self.console, seal).map_err(|error| failed(&error, name, &output))?;
            self.report(name, sealed)
        })
    }

    /// Has a data key made for a new container.
    fn sealer(&self, name: &InputName) -> Result<Sealer, CliError> {
        let new = NewContainer {
            keys: self.session.resolve(&self.keys)?.to_vec(),
            context: self.context.clone(),
            suite: self.suite,
            created: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
        };
        self.session.make(&new).map_err(|error| {
            let error = library_errors::envelope(&error, name.label());
            // All files have the same keys and context: what is refused for one of them is refused for all.
            if matches!(error.class(), Class::KeyRefused | Class::Usage) { error.fatal() } else { error }
        })
    }

    fn report(&self, name: &InputName, sealed: Sealed) -> Result<FileReport, CliError> {
        Ok(FileReport {
            file: name.label().to_owned(),
            output: None,
            plaintext_bytes: sealed.plaintext_len,
            keys: self.session.resolve(&self.keys)?.iter().map(|key| key.key.to_string()).collect(),
            context: self.context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            details: Details::default(),
        })
    }
}

impl Convert for Encryption<'_> {
    fn convert(&self, name: &InputName, input: Input, output: &File, label: &Path) -> Result<Converted, CliError> {
        let xattrs = if self.keep_xattrs { Xattrs::of(&input.file)? } else { Xattrs::none() };
        let sealer = self.sealer(name)?;
        let wants_keys = self.removes_source || !xattrs.is_empty();
        let unlocked =
            wants_keys.then(|| sealer.unlocked().map_err(|error| failed(&error, name, label))).transpose()?;
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
        let unchanged = input.is_unchanged();
        if !unchanged.map_err(|error| CliError::system(Class::Input, "cannot be looked at", &error))? {
            return Err(CliError::new(Class::Input, "was changed while it was read")
                .hint("run it again when nobody writes it: what was read may be neither the old content nor the new"));
        }
        Ok(Converted { report: self.report(name, sealed)?, unlocked })
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

//! `waxseal encrypt`.

use std::io::{Cursor, Read as _};
use std::num::NonZeroUsize;
use std::time::{SystemTime, UNIX_EPOCH};

use waxseal_container::{ContainerError, Core, MAGIC, Sealed, Sealer, Sink, Source, Suite};
use waxseal_envelope::NewContainer;
use waxseal_key_service::{EncryptionContext, KeyReference};

use crate::args::{Common, Encrypt};
use crate::batch::{Batch, Outcome, Telling};
use crate::commands::{jobs, keys, threads_a_file};
use crate::config::Config;
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::input::{Input, InputName, peek};
use crate::library_errors;
use crate::output::Console;
use crate::place::Direction;
use crate::report::{Details, FileReport};
use crate::session::{Missing, Session, Setup};
use crate::shown::shown;
use crate::stream::{CountedFile, CountedStream, widen};
use crate::target::{Targets, durability, failed};

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Encrypt, console: &Console) -> Result<(), CliError> {
    let inputs = InputName::parse_all(&args.inputs)?;
    let home = Home::find(common.home.as_deref())?;
    let keys = keys::for_new_files(&args.keys, &Config::load(&home)?)?;
    let reach = keys::reach_of(&keys);
    let jobs = jobs(&args.many, keys::requests_at_once(reach, &args.aws));
    let setup = Setup { home: &home, passphrase: &args.passphrase, aws: &args.aws, missing: Missing::Create, reach };
    let encryption = Encryption {
        keys,
        context: parse_context(&args.context, args.suite)?,
        suite: args.suite,
        targets: Targets::plan(&inputs, &args.writing, Direction::Encrypt, console)?,
        session: Session::new(&setup, console)?,
        threads: threads_a_file(inputs.len(), jobs),
        console,
    };
    let batch = Batch::new(console, durability(&args.writing), "encrypted", Telling::Verbose);
    batch.run(&inputs, jobs, |input| encryption.encrypt(input).map_err(|error| error.file(input.label())))
}

/// Parses the pairs, and refuses what no container can hold before anything is made.
fn parse_context(pairs: &[String], suite: Suite) -> Result<EncryptionContext, CliError> {
    let context = EncryptionContext::from_pairs(pairs).map_err(|error| CliError::usage(shown(&error.to_string())))?;
    Core::new(suite, context.clone(), None).map_err(|error| library_errors::context(&error))?;
    Ok(context)
}

/// Everything that the inputs of one command share.
struct Encryption<'a> {
    keys: Vec<KeyReference>,
    context: EncryptionContext,
    suite: Suite,
    targets: Targets,
    session: Session<'a>,
    threads: NonZeroUsize,
    console: &'a Console,
}

impl Encryption<'_> {
    fn encrypt(&self, name: &InputName) -> Result<Outcome, CliError> {
        let input = Input::open(name)?;
        let target = self.targets.open(name, &input)?;
        input.say_if_typed(self.console);
        let keys = self.session.resolve(&self.keys)?;
        let new = NewContainer {
            keys: keys.to_vec(),
            context: self.context.clone(),
            suite: self.suite,
            created: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
        };
        let sealer = self.session.make(&new).map_err(|error| {
            let error = library_errors::envelope(&error, name.label());
            // All files have the same keys and context: what is refused for one of them is refused for all.
            if matches!(error.class(), Class::KeyRefused | Class::Usage) { error.fatal() } else { error }
        })?;
        let output = target.label().to_owned();
        target.fill(|sink| {
            let sealed = self.seal(name, sealer, &input, sink).map_err(|error| failed(&error, name, &output))?;
            Ok(FileReport {
                file: name.label().to_owned(),
                output: None,
                plaintext_bytes: sealed.plaintext_len,
                keys: keys.iter().map(|key| key.key.to_string()).collect(),
                context: self.context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                details: Details::default(),
            })
        })
    }

    fn seal(&self, name: &InputName, sealer: Sealer, input: &Input, sink: Sink<'_>) -> Result<Sealed, ContainerError> {
        let (sealed, is_container) = match input.regular {
            // The files of /proc say that they are empty, and are not.
            Some(regular) if regular.size > 0 => {
                let file = CountedFile::new(&input.file, regular.size, self.console);
                let sealed = sealer.seal(Source::File(&file), sink, self.threads)?;
                (sealed, file.is_container())
            }
            _ => {
                widen(&input.file);
                let mut stream = CountedStream::new(&input.file, self.console);
                let begin = peek(&mut stream, MAGIC.len()).map_err(ContainerError::Read)?;
                let is_container = begin == MAGIC;
                let mut stream = Cursor::new(begin).chain(stream);
                (sealer.seal(Source::Stream(&mut stream), sink, self.threads)?, is_container)
            }
        };
        if is_container {
            let name = shown(&name.label().to_string_lossy());
            self.console.warning(&format!("{name}: is encrypted already, and is encrypted once more"), None);
        }
        Ok(sealed)
    }
}

//! `waxseal prepare`.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use waxseal_container::WriteAt as _;
use waxseal_envelope::NewContainer;

use super::encrypt::parse_context;
use crate::args::{Common, Prepare};
use crate::atomic::{Attributes, Naming, Temporary};
use crate::batch::{Batch, Outcome, Telling, Then};
use crate::commands::{jobs, keys};
use crate::config::Config;
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::input::InputName;
use crate::library_errors;
use crate::output::Console;
use crate::place::{self, Direction, Place, Replace};
use crate::report::{Details, FileReport};
use crate::session::{Missing, Session, Setup};
use crate::target::{durability_of, new_file_mode};

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Prepare, console: &Console) -> Result<(), CliError> {
    let outputs: Vec<InputName> = args.files.iter().cloned().map(InputName::File).collect();
    let home = Home::find(common.home.as_deref())?;
    let keys = keys::for_new_files(&args.keys, &Config::load(&home)?)?;
    let reach = keys::reach_of(&keys);
    let jobs: NonZeroUsize = jobs(&args.many, keys::requests_at_once(reach, &args.aws));
    let context = parse_context(&args.context, args.suite)?;
    let setup = Setup { home: &home, passphrase: &args.passphrase, aws: &args.aws, missing: Missing::Create, reach };
    let session = Session::new(&setup, console)?;
    let replace = if args.force { Replace::Yes } else { Replace::No };
    let mode = new_file_mode();
    let prepare = |path: &Path| {
        let Place::File(target) = place::resolve(path, Direction::Encrypt, replace, None)? else {
            return Err(CliError::new(Class::Output, "is no regular file"));
        };
        let keys = session.resolve(&keys)?;
        let new = NewContainer {
            keys: keys.to_vec(),
            context: context.clone(),
            suite: args.suite,
            created: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
        };
        let page = session.prepare(&new).map_err(|error| {
            let error = library_errors::envelope(&error, path);
            // All have the same key and context: what is refused for one of them is refused for all.
            if matches!(error.class(), Class::KeyRefused | Class::Usage) { error.fatal() } else { error }
        })?;
        let temporary = Temporary::create(target, Naming::Nameless)?;
        let written = temporary.file()?.write_all_at(&page, 0);
        written.map_err(|error| CliError::system(Class::Output, "cannot be written", &error))?;
        temporary.set_attributes(Attributes { mode, modified: None, owner: None })?;
        let report = FileReport {
            file: path.to_owned(),
            output: None,
            plaintext_bytes: 0,
            keys: keys.iter().map(|key| key.key.to_string()).collect(),
            context: context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            details: Details::default(),
        };
        Ok(Outcome::Finished(temporary, report, Then::nothing()))
    };
    let batch = Batch::new(console, durability_of(args.no_sync), "prepared", Telling::Verbose);
    batch.run(&outputs, jobs, |name| prepare(name.label()).map_err(|error| error.file(name.label())))
}

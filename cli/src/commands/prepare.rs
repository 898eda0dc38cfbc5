//! `waxseal prepare`.

use std::num::NonZeroUsize;
use std::path::Path;

use waxseal_container::WriteAt as _;

use super::new_files::{NewFiles, Planned, Sources};
use crate::args::{Common, Prepare};
use crate::atomic::{Attributes, Naming, Temporary};
use crate::batch::{Batch, Outcome, Telling, Then};
use crate::commands::jobs;
use crate::error::{Class, CliError};
use crate::input::InputName;
use crate::output::Console;
use crate::place::{self, Direction, Place, Replace};
use crate::target::{durability_of, new_file_mode};

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Prepare, console: &Console) -> Result<(), CliError> {
    let outputs: Vec<InputName> = args.files.iter().cloned().map(InputName::File).collect();
    let (context, suite, passphrase, aws) = (&args.context, args.suite, &args.passphrase, &args.aws);
    let sources = Sources::Containers(&outputs);
    let new = NewFiles::new(&Planned { common, keys: &args.keys, context, suite, passphrase, aws, sources }, console)?;
    let jobs: NonZeroUsize = jobs(&args.many, new.requests_at_once);
    let replace = if args.force { Replace::Yes } else { Replace::No };
    let mode = new_file_mode();
    let prepare = |path: &Path| {
        let Place::File(target) = place::resolve(path, Direction::Encrypt, replace, None)? else {
            return Err(CliError::new(Class::Output, "is no regular file"));
        };
        let new = new.at(path);
        let page = new.prepare()?;
        let temporary = Temporary::create(target, Naming::Nameless)?;
        let written = temporary.file()?.write_all_at(&page, 0);
        written.map_err(|error| CliError::system(Class::Output, "cannot be written", &error))?;
        temporary.set_attributes(Attributes { mode, modified: None, owner: None })?;
        Ok(Outcome::Finished(temporary, new.report(0)?, Then::nothing()))
    };
    let batch = Batch::new(console, durability_of(args.no_sync), "prepared", Telling::Verbose);
    batch.run(&outputs, jobs, |name| prepare(name.label()).map_err(|error| error.file(name.label())))
}

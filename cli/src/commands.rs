//! The commands, one file each.

mod cat;
mod completions;
mod config;
mod credentials;
mod decrypt;
mod doctor;
mod encrypt;
mod fill;
mod inspect;
mod keys;
mod kms;
mod lock;
mod man;
#[cfg(feature = "fuse")]
mod mount;
mod new_files;
mod prepare;
mod reading;
mod rewrap;
mod seal;
mod serve;
mod status;
#[cfg(feature = "fuse")]
mod umount;
mod verify;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::args::{Cli, Command, CopyOptions, Many, Writing};
use crate::error::CliError;
use crate::output::Console;
use crate::place::Direction;
use crate::report::FailureLog;
use crate::tree::{CopyPlan, Existing, Removed, Selection};
use crate::{descriptors, hardening, interrupt};

/// Whether the command goes on in the background, in a process of its own.
#[cfg(feature = "fuse")]
pub(crate) fn goes_into_the_background(cli: &Cli) -> bool {
    matches!(&cli.command, Command::Mount(args) if !args.foreground)
}

/// Runs the command.
pub(crate) fn run(cli: Cli, console: &Console) -> Result<(), CliError> {
    let common = &cli.common;
    match cli.command {
        Command::Encrypt(args) => {
            descriptors::make_room(if args.tree.recursive { usize::MAX } else { args.inputs.len() });
            guarded(|| encrypt::run(common, &args, console))
        }
        Command::Decrypt(args) => {
            descriptors::make_room(if args.tree.recursive { usize::MAX } else { args.inputs.len() });
            guarded(|| decrypt::run(common, &args, console))
        }
        Command::Prepare(args) => {
            descriptors::make_room(args.files.len());
            guarded(|| prepare::run(common, &args, console))
        }
        Command::Rewrap(args) => {
            descriptors::make_room(if args.tree.recursive { usize::MAX } else { args.files.len() });
            guarded(|| rewrap::run(common, &args, console))
        }
        Command::Doctor(args) => guarded(|| doctor::run(common, &args, console)),
        Command::Cat(args) => guarded(|| cat::run(common, &args, console)),
        Command::Verify(args) => {
            descriptors::make_room(if args.tree.recursive { usize::MAX } else { args.files.len() });
            guarded(|| verify::run(common, &args, console))
        }
        Command::Kms(args) => guarded(|| kms::run(common, &args.command, console)),
        #[cfg(feature = "fuse")]
        Command::Mount(args) => {
            let stay = if args.foreground { mount::Stay::Foreground } else { mount::Stay::Background };
            guarded(|| mount::run(common, &args, stay, console))
        }
        #[cfg(not(feature = "fuse"))]
        Command::Mount(_) | Command::Umount(_) => Err(CliError::usage("this waxseal was built without the mount")
            .hint("use a waxseal that was built with the feature fuse; decrypt, cat and encrypt need no mount")),
        // These hold no key and make no file: nothing to protect, nothing to clean up, and they start at once.
        Command::Inspect(args) => {
            descriptors::make_room(if args.tree.recursive { usize::MAX } else { 0 });
            inspect::run(&args, console)
        }
        #[cfg(feature = "fuse")]
        Command::Umount(args) => umount::run(&args, console),
        Command::Status(args) => status::run(common, &args, console),
        Command::Config(args) => config::run(common, &args.command, console),
        Command::Completions(args) => completions::run(&args, console),
        Command::Man(args) => man::run(&args, console),
    }
}

/// Runs a command that holds keys or makes files.
pub(crate) fn guarded(command: impl FnOnce() -> Result<(), CliError>) -> Result<(), CliError> {
    hardening::forbid_core_dumps();
    interrupt::watch()?;
    command()
}

/// What `encrypt -r` and `decrypt -r` are to do.
fn tree_plan<'a>(
    direction: Direction,
    inputs: &'a [PathBuf],
    writing: &'a Writing,
    options: &CopyOptions,
    selection: &'a Selection,
) -> Result<CopyPlan<'a>, CliError> {
    let output = writing.output.as_deref().filter(|output| *output != Path::new("-")).ok_or_else(|| {
        CliError::usage("a tree needs a directory that it goes into")
            .hint("name it with -o DIR; it is made if it is missing")
    })?;
    let existing = match (options.update, writing.force) {
        (true, _) => Existing::Updated,
        (false, true) => Existing::Replaced,
        (false, false) => Existing::Refused,
    };
    Ok(CopyPlan { direction, inputs, output, existing, selection, removed: Removed::default() })
}

/// The file that failures are written to, if one is asked for.
fn failure_log(many: &Many) -> Result<Option<FailureLog>, CliError> {
    many.report.as_deref().map(FailureLog::create).transpose()
}

/// Most threads that one command starts by itself: memory is bounded by their number, and disks are full before.
const MAX_THREADS: usize = 16;

/// Files that are read and written while others wait for a key service.
const BESIDE_REQUESTS: usize = 8;

/// How many files are worked on at once: as asked, else one a core; or as many as requests to key services can be under
/// way, because a thread that waits for an answer leaves its core to others, and some more.
fn jobs(many: &Many, requests_at_once: usize) -> NonZeroUsize {
    let asked = many.jobs.and_then(|jobs| NonZeroUsize::new(jobs.into()));
    let beside = if requests_at_once > 1 { BESIDE_REQUESTS } else { 0 };
    let waiting = NonZeroUsize::new(requests_at_once + beside).unwrap_or(NonZeroUsize::MIN);
    let most = NonZeroUsize::new(descriptors::most_jobs()).unwrap_or(NonZeroUsize::MIN);
    asked.unwrap_or_else(|| cores().max(waiting)).min(most)
}

/// How many threads work on each of `count` files, or of those of a tree: the cores are shared among those that are worked on
/// at once.
fn threads_a_file(count: Option<usize>, jobs: NonZeroUsize) -> NonZeroUsize {
    let at_once = count.map_or(jobs.get(), |count| count.clamp(1, jobs.get()));
    NonZeroUsize::new(cores().get().div_ceil(at_once)).unwrap_or(NonZeroUsize::MIN)
}

/// The number of cores to use.
fn cores() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.min(NonZeroUsize::new(MAX_THREADS).unwrap_or(cores))
}

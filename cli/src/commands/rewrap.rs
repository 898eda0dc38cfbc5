//! `waxseal rewrap`: other keys for containers that are there.

mod at_work;

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde_json::{Map, json};
use waxseal_container::{SizeClaim, State, size_claim};
use waxseal_envelope::{Act, EnvelopeError, KeyChange, KeyName, Rewrap, Rewrapped, Selection};
use waxseal_key_service::{KeyId, KeyReference};

use self::at_work::AtWork;
use super::keys::parse_key;
use super::reading::{Opening, Reader};
use crate::args::{self, Common};
use crate::batch::{Batch, Durability, Outcome, Telling};
use crate::commands::{failure_log, jobs, keys};
use crate::error::{Class, CliError};
use crate::input::{InputName, is_a_directory};
use crate::library_errors;
use crate::output::Console;
use crate::place::Direction;
use crate::report::{Details, FileReport};
use crate::tree::{NoContainer, Selection as TreeSelection, each_container, has_directory};

/// Files that wait for the disk beside those that wait for a key service.
const WAITING_FOR_THE_DISK: usize = 32;

/// Runs the command.
pub(crate) fn run(common: &Common, args: &args::Rewrap, console: &Console) -> Result<(), CliError> {
    let named = Named::parse(args)?;
    let opening = Opening::new(common, &args.demands, &args.passphrase)?.reaching(keys::reach_of(named.keys()));
    let jobs = jobs(&args.many, opening.requests_at_once() + WAITING_FOR_THE_DISK);
    let is_tree = has_directory(&args.files, &args.tree)?;
    let meant = TreeSelection::new(&args.tree, Direction::Decrypt)?;
    let reader = Reader::new(opening, NonZeroUsize::MIN, console)?.verifying_keys(args.verify_keys);
    let rewrap = Rewrap {
        change: named.find(&reader)?,
        selection: if args.stale { Selection::Stale } else { Selection::Wrong },
        act: if args.dry_run { Act::Look } else { Act::Replace },
        reading: reader.reading().clone(),
    };
    let (verb, telling) = match rewrap.act {
        Act::Replace => ("rewrapped", Telling::Verbose),
        Act::Look => ("to be rewrapped", Telling::Always),
    };
    let files: Vec<InputName> = args.files.iter().cloned().map(InputName::File).collect();
    // What was written is on disk before a file counts as done: there is nothing left to sync.
    let log = failure_log(&args.many)?;
    let batch = Batch::new(console, Durability::Unsynced, verb, telling).with_log(log.as_ref());
    let work = Work { reader: &reader, rewrap: &rewrap, at_work: AtWork::default() };
    if is_tree {
        return each_container(&args.files, &meant, &batch, jobs, NoContainer::IsNamed, |found| {
            work.one(&found.path(), |flags| found.open_as(flags))
        });
    }
    batch.run(&files, jobs, |name| {
        let path = name.label();
        let open = |flags| rustix::fs::open(path, flags, Mode::empty()).map(File::from);
        work.one(path, open).map_err(|error| error.file(path))
    })
}

/// The change as it was typed.
enum Named {
    To(Vec<KeyReference>),
    Add(Vec<KeyReference>),
    Remove(Vec<KeyReference>),
}

impl Named {
    /// Exactly one of the three has keys.
    fn parse(args: &args::Rewrap) -> Result<Self, CliError> {
        let parse = |keys: &[String]| keys.iter().map(|key| parse_key(key)).collect::<Result<Vec<_>, _>>();
        let (to, add, remove) = (parse(&args.to)?, parse(&args.add)?, parse(&args.remove)?);
        Ok(match (to.is_empty(), add.is_empty()) {
            (false, _) => Self::To(to),
            (true, false) => Self::Add(add),
            (true, true) => Self::Remove(remove),
        })
    }

    fn keys(&self) -> &[KeyReference] {
        match self {
            Self::To(keys) | Self::Add(keys) | Self::Remove(keys) => keys,
        }
    }

    /// Finds the keys, once for all files.
    fn find(&self, reader: &Reader<'_>) -> Result<KeyChange, CliError> {
        let found = |keys: &[KeyReference]| keys.iter().map(|key| found(reader, key)).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Self::To(keys) => KeyChange::To(found(keys)?),
            Self::Add(keys) => KeyChange::Add(found(keys)?),
            Self::Remove(keys) => {
                KeyChange::Remove(keys.iter().map(|key| removed(reader, key)).collect::<Result<_, _>>()?)
            }
        })
    }
}

/// The key that is meant, by its ARN.
fn found(reader: &Reader<'_>, key: &KeyReference) -> Result<KeyName, CliError> {
    match reader.find(key)? {
        KeyReference { provider, key: KeyId::Arn(arn) } => Ok(KeyName { provider, arn }),
        other => Err(CliError::new(Class::Other, format!("{other}: the key service gives no ARN for it")).fatal()),
    }
}

/// A key that may be gone: only an alias has to be looked up.
fn removed(reader: &Reader<'_>, key: &KeyReference) -> Result<KeyReference, CliError> {
    match key.key {
        KeyId::Arn(_) | KeyId::Id(_) => Ok(key.clone()),
        KeyId::Alias(_) | KeyId::AliasArn { .. } => reader.find(key),
    }
}

/// What all files have in common.
struct Work<'a> {
    reader: &'a Reader<'a>,
    rewrap: &'a Rewrap,
    at_work: AtWork,
}

impl Work<'_> {
    /// Works on the container that is called `path` and opened by `open`.
    fn one(&self, path: &Path, open: impl Fn(OFlags) -> rustix::io::Result<File>) -> Result<Outcome, CliError> {
        let Opened { file, stat, cannot_write } = Opened::new(path, self.rewrap.act, open)?;
        // Another name of the same file is left alone once this one is done, and is no other process.
        let identity = (stat.st_dev, stat.st_ino);
        let _alone = self.at_work.begin(identity);
        let mut rewrapped = self.reader.rewrap(&file, self.rewrap).map_err(|error| match (error, cannot_write) {
            (EnvelopeError::Lock(_), Some(why)) => {
                let error = CliError::system(Class::Output, "cannot be opened for writing", &why.into());
                match why {
                    Errno::ACCESS => error.hint("the header is replaced in place: if the file is yours, chmod u+w it"),
                    _ => error,
                }
            }
            (error, _) => library_errors::envelope(&error, path),
        })?;
        // Where nothing is replaced, another name of the same file is as it was: it is counted once all the same.
        let is_counted = || self.rewrap.act == Act::Replace || stat.st_nlink == 1 || self.at_work.count(identity);
        rewrapped.changed = rewrapped.changed && is_counted();
        let report = report(path, stat.st_size.cast_unsigned(), &rewrapped);
        Ok(if rewrapped.changed { Outcome::Complete(report) } else { Outcome::LeftAlone(report) })
    }
}

/// A container that was opened for reading, and for writing where that is possible: what has its keys already need not be
/// writable.
struct Opened {
    file: File,
    stat: Stat,
    cannot_write: Option<Errno>,
}

impl Opened {
    fn new(path: &Path, act: Act, open: impl Fn(OFlags) -> rustix::io::Result<File>) -> Result<Self, CliError> {
        let flags = OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let (opened, cannot_write) = match act {
            Act::Look => (open(flags | OFlags::RDONLY), None),
            Act::Replace => match open(flags | OFlags::RDWR) {
                Err(error @ (Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY)) => {
                    (open(flags | OFlags::RDONLY), Some(error))
                }
                opened => (opened, None),
            },
        };
        let cannot = |what: &str, error: Errno| CliError::system(Class::Input, what, &error.into());
        let file = opened.map_err(|error| match error {
            Errno::ISDIR => is_a_directory(path),
            error => cannot("cannot be opened", error),
        })?;
        let stat = rustix::fs::fstat(&file).map_err(|error| cannot("cannot be read", error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Self { file, stat, cannot_write }),
            FileType::Directory => Err(is_a_directory(path)),
            _ => Err(CliError::new(Class::Input, "is no regular file")),
        }
    }
}

/// What is said of one container.
fn report(path: &Path, size: u64, rewrapped: &Rewrapped) -> FileReport {
    let core = rewrapped.header.core();
    let old: Vec<&str> = rewrapped.header.current_data_keys().iter().map(|key| key.key_arn.as_str()).collect();
    let mut members = Map::new();
    members.insert("changed".into(), json!(rewrapped.changed));
    members.insert("old_key_arns".into(), json!(old));
    let plaintext_bytes = match (rewrapped.header.state(), size_claim(size)) {
        (State::Filled, SizeClaim::Plaintext(bytes)) => bytes,
        _ => 0,
    };
    let keys = rewrapped.keys.iter().map(|key| &key.arn);
    let report = FileReport::new(path, plaintext_bytes, keys, core.context());
    FileReport { details: Details { lines: Vec::new(), members }, ..report }
}

//! `waxseal mount`: keys first, then the mount, then the background.

mod log;
mod place;
mod stop;

use std::path::Path;
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::process::umask;
use serde_json::{Value, json};
use waxseal_envelope::{ContextAssertion, LocalKeys, NewContainer, Reading};
use waxseal_fuse::{Level, Log, MountError, Options};
use waxseal_key_service::{KeyReference, Provider};

use self::log::MountLog;
use self::place::Place;
use self::stop::{Ending, Signals};
use crate::args::{Common, Mount};
use crate::commands::keys;
use crate::commands::new_files::{Choice, Chosen, real};
use crate::config::Config;
use crate::error::{Class, CliError, reason};
use crate::home::Home;
use crate::library_errors;
use crate::mounts::{MountEntry, Teller};
use crate::output::Console;
use crate::session::{Missing, Reach, Session, Setup};
use crate::shown::shown;
use crate::{background, descriptors, mounts};

/// Where a mount goes on when it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// In this process, where it was started.
    Foreground,
    /// In this process, out of sight of whoever started it.
    Background,
}

/// Mounts, and returns when it is unmounted and everything is written.
pub(crate) fn run(common: &Common, args: &Mount, stay: Stay, console: &Console) -> Result<(), CliError> {
    let home = Home::find(common.home.as_deref())?;
    let mut demands = Demands::parse(args, Config::load(&home)?, &args.directory)?;
    let place = Place::take(args, &home.kms(), console)?;
    let log: Arc<dyn Log> = Arc::new(open_log(common, args, stay)?);
    let missing = if args.read_only { Missing::Refuse } else { Missing::Create };
    let reach = Reach::Network;
    let setup = Setup { home: &home, passphrase: &args.passphrase, aws: &args.aws, missing, reach };
    let session = Session::new(&setup, console)?;
    let options = Options {
        read_only: args.read_only,
        allow_other: args.allow_other,
        no_exec: args.noexec,
        key_ttl: args.key_ttl,
        threads: args.threads,
        new: demands.new_container(args, &session)?,
        reading: demands.reading,
        log: Arc::clone(&log),
    };
    descriptors::raise_limit();
    // The modes of new files are those that the mount's users ask for, less their own masks.
    umask(Mode::empty());

    let signals = Signals::keep();
    let mount =
        waxseal_fuse::mount(&place.directory, &place.mountpoint, session.envelope(), session.runtime(), options)
            .map_err(|error| cannot_mount(&error))?;
    let entry = mounts::topmost(&place.mountpoint).ok().flatten();
    let teller = listen(entry.as_ref(), &*log);
    let ending = Ending {
        unmounter: mount.unmounter(),
        mountpoint: place.mountpoint.clone(),
        minor: entry.map(|entry| entry.minor),
        log: Arc::clone(&log),
    };
    signals.end(ending)?;
    let announced = announce(args, &place, stay, console);
    if announced.is_err() {
        // Nobody would know of this mount.
        mount.unmounter().unmount().ok();
    }
    let served = mount.wait().map_err(|error| cannot_mount(&error));
    // In the foreground the command itself says it, unless the log is elsewhere.
    if let Err(error) = served.as_ref().map_err(|error| error.to_string())
        && (stay == Stay::Background || args.log.is_some())
    {
        log.line(Level::Error, &error);
    }
    if let Some(teller) = teller {
        teller.tell(served.is_ok());
    }
    // Only now whoever waits for the lock may rely on everything being written.
    drop(place.lock);
    announced.and(served)
}

/// Listens for whoever will unmount it. Without that nothing but the log tells how it ends.
fn listen(entry: Option<&MountEntry>, log: &dyn Log) -> Option<Teller> {
    let missing = || std::io::Error::other("it is not in the table of mounts");
    let teller = entry.ok_or_else(missing).and_then(Teller::listen);
    let tell = |error: &std::io::Error| {
        let text = format!("'waxseal umount' cannot be told how this mount ends: {}", reason(error));
        log.line(Level::Warning, &text);
    };
    teller.inspect_err(tell).ok()
}

/// Says that the mount is there, and leaves whoever started it.
fn announce(args: &Mount, place: &Place, stay: Stay, console: &Console) -> Result<(), CliError> {
    let (directory, mountpoint) = (place.directory.to_string_lossy(), place.mountpoint.to_string_lossy());
    console.done(
        || format!("mounted {} at {}", shown(&directory), shown(&mountpoint)),
        || report(args, &directory, &mountpoint),
    )?;
    match stay {
        Stay::Foreground => Ok(()),
        Stay::Background => {
            background::leave().map_err(|error| CliError::system(Class::Other, "cannot go into the background", &error))
        }
    }
}

fn report(args: &Mount, directory: &str, mountpoint: &str) -> Value {
    json!({
        "v": 1, "status": "ok", "operation": "mounted", "directory": directory, "mountpoint": mountpoint,
        "read_only": args.read_only, "process": std::process::id(),
    })
}

fn open_log(common: &Common, args: &Mount, stay: Stay) -> Result<MountLog, CliError> {
    match (&args.log, stay) {
        (Some(path), _) => MountLog::file(path),
        (None, Stay::Foreground) => {
            let console = Console::for_common(common);
            // Standard output is for the command's one answer.
            console.stdout_carries_data();
            Ok(MountLog::Terminal(console))
        }
        (None, Stay::Background) => MountLog::system(),
    }
}

/// What is demanded of files that are opened, and given to those that are made.
struct Demands {
    reading: Reading,
    /// The keys that were named.
    named: Vec<KeyReference>,
    /// The keys of new files, and their context.
    new: Chosen,
}

impl Demands {
    /// Reads the options; `directory` is that of the containers.
    fn parse(args: &Mount, config: Config, directory: &Path) -> Result<Self, CliError> {
        let named = args.keys.iter().map(|text| keys::parse_key(text)).collect::<Result<_, _>>()?;
        let opening = keys::for_opening(&args.keys, &args.discovery, &config)?;
        let assertions = args.context.iter().map(|text| ContextAssertion::parse(text));
        let context = assertions.collect::<Result<_, _>>().map_err(|error| library_errors::pairs(&error))?;
        let pairs: Vec<String> = args.context.iter().filter(|text| text.contains('=')).cloned().collect();
        let chosen = of_new_files(args, &pairs, config, directory)?;
        let new = &chosen.context.value;
        // A name alone asks for a pair that new files would not have: they could be written, and never opened.
        let missing = args.context.iter().find(|text| !text.contains('=') && new.get(text).is_none());
        if let Some(name) = missing.filter(|_| !args.read_only) {
            return Err(CliError::usage(format!("-c {} gives new files no value", shown(name)))
                .hint("give the value (-c NAME=VALUE), or mount with --read-only"));
        }
        let reading = Reading { keys: opening, context };
        Ok(Self { reading, named, new: chosen })
    }

    /// Opens the key store if its keys are used, finds every key that was named, and says what new files are made as: under
    /// the keys themselves, because an alias may be given to another key while the mount is there.
    fn new_container(&mut self, args: &Mount, session: &Session<'_>) -> Result<NewContainer, CliError> {
        match &self.reading.keys.local {
            LocalKeys::Only(keys) if keys.is_empty() => {}
            LocalKeys::Only(_) | LocalKeys::Every => session.open_store()?,
        }
        session.find_all(&self.named)?;
        // Where nothing is made, the default key may be gone.
        let keys: Vec<KeyReference> = if args.read_only {
            self.new.all_keys().cloned().collect()
        } else {
            self.new.find(session)?.into_iter().map(|key| key.value).collect()
        };
        if args.keys.is_empty() && !args.read_only {
            // What is made here is to be opened here.
            let own = session.find_all(&self.new.keys.value)?.into_iter().filter(|key| key.provider == Provider::Aws);
            self.reading.keys.aws.extend(own.map(|key| key.key));
        }
        Ok(NewContainer { keys, context: self.new.context.value.clone(), suite: args.suite, created: None })
    }
}

/// What new files are made with: what was typed, else what the configuration has for the directory, which has to be the same
/// for all that is in it.
fn of_new_files(args: &Mount, pairs: &[String], config: Config, directory: &Path) -> Result<Chosen, CliError> {
    let choice = Choice::new(&args.keys, pairs, config)?;
    let directory = real(directory);
    let chosen = choice.chosen(choice.rule_of(&directory));
    let differs = |rule: &usize| {
        let other = choice.chosen(Some(*rule));
        (&other.keys.value, &other.context.value) != (&chosen.keys.value, &chosen.context.value)
    };
    let other = choice.rules_within(&directory).into_iter().find(differs).filter(|_| !args.read_only);
    match other.and_then(|rule| choice.rules().get(rule)) {
        None => Ok(chosen),
        Some(rule) => {
            let (pattern, line) = (shown(&rule.path.value), rule.path.line);
            let text = format!(
                "a rule is of a part of it, {pattern:?} in line {line} of config.toml, and new files of a mount are all alike"
            );
            Err(CliError::usage(text)
                .file(&args.directory)
                .hint("mount that part by itself, or say what all new files get: -k KEY and -c NAME=VALUE"))
        }
    }
}

fn cannot_mount(error: &MountError) -> CliError {
    let failed = |class: Class, doing: &str, path: &Path, source: &std::io::Error| {
        CliError::system(class, doing, &in_one_line(source)).file(path)
    };
    match error {
        MountError::Directory { path, source } => failed(Class::Input, "cannot be opened", path, source),
        MountError::Mount { path, source } => {
            with_hint(failed(Class::Output, "cannot be mounted on", path, source), source)
        }
        _ => CliError::new(Class::Other, shown(&error.to_string())),
    }
}

/// What the system or `fusermount3` says, in one line.
fn in_one_line(error: &std::io::Error) -> std::io::Error {
    match error.raw_os_error() {
        Some(number) => std::io::Error::from_raw_os_error(number),
        None => {
            let text = error.to_string();
            std::io::Error::new(error.kind(), text.trim().trim_start_matches("fusermount3: ").replace('\n', "; "))
        }
    }
}

fn with_hint(error: CliError, source: &std::io::Error) -> CliError {
    match source.kind() {
        std::io::ErrorKind::NotFound => {
            error.hint("/dev/fuse or fusermount3 is missing: install the package fuse3, and 'modprobe fuse'")
        }
        std::io::ErrorKind::PermissionDenied if source.to_string().contains("user_allow_other") => {
            error.hint("--allow-other needs the line user_allow_other in /etc/fuse.conf, unless you are root")
        }
        std::io::ErrorKind::PermissionDenied => error.hint("you need to be allowed to use /dev/fuse and fusermount3"),
        _ => error,
    }
}

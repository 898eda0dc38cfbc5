//! `waxseal kms`: making, backing up and restoring the key store.

use std::path::Path;

use serde_json::json;
use waxseal_kms_local::{
    CreateOptions, LocalKms, NewSeal, Overwrite, Passphrase, PassphraseCost, Region, SealingKey, StoreError,
};

use super::{credentials, lock, seal, serve};
use crate::args::{
    AwsOptions, BackupPassphrase, Common, KmsBackup, KmsCommand, KmsInit, KmsRestore, PassphraseOptions, SealName,
};
use crate::atomic::directory_of;
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::kms_place::KmsPlace;
use crate::library_errors;
use crate::output::Console;
use crate::passphrase::{Purpose, Source, Whose};
use crate::session::{Missing, ask, generate, open_store, store_passphrase};
use crate::shown::shown;

/// Runs the command.
pub(crate) fn run(common: &Common, command: &KmsCommand, console: &Console) -> Result<(), CliError> {
    let directory = Home::find(common.home.as_deref())?.kms();
    if let Some(name) = of_the_store_itself(command) {
        KmsPlace::refuse(name, &directory)?;
    }
    match command {
        KmsCommand::Init(args) => init(&directory, args, console),
        KmsCommand::Backup(args) => backup(&directory, args, console),
        KmsCommand::Restore(args) => restore(&directory, args, console),
        KmsCommand::Seal(args) => seal::run(&directory, args, console),
        KmsCommand::Serve(args) => serve::run(&directory, common, args, console),
        KmsCommand::Credentials(args) => credentials::run(&directory, &args.command, console),
        KmsCommand::Lock(_) => lock::lock(&directory, console),
        KmsCommand::Unlock(args) => lock::unlock(&directory, &args.passphrase, console),
    }
}

/// The name of a command that cannot be meant for a store that is served elsewhere. The others are about servers that run
/// here.
fn of_the_store_itself(command: &KmsCommand) -> Option<&'static str> {
    match command {
        KmsCommand::Init(_) => Some("init"),
        KmsCommand::Backup(_) => Some("backup"),
        KmsCommand::Restore(_) => Some("restore"),
        KmsCommand::Seal(_) => Some("seal"),
        KmsCommand::Credentials(_) => Some("credentials"),
        KmsCommand::Serve(_) | KmsCommand::Lock(_) | KmsCommand::Unlock(_) => None,
    }
}

fn init(directory: &Path, args: &KmsInit, console: &Console) -> Result<(), CliError> {
    let home_region = match &args.region {
        Some(text) => text.parse().map_err(|error: waxseal_kms_local::RegionError| {
            CliError::usage(shown(&error.to_string())).hint("a region looks like eu-central-1")
        })?,
        None => Region::default(),
    };
    refuse_existing(directory)?;
    let passphrase = seal_passphrase(&args.seal, || ask(&store_passphrase(&args.passphrase), Purpose::Set))?;
    let kms = with_seal(&args.seal, passphrase.as_ref(), |seal| {
        LocalKms::create(directory, &CreateOptions { home_region, seal })
    });
    let kms = kms.map_err(|error| library_errors::store(&error))?;
    let default_key = kms.default_key().map_err(|error| library_errors::store(&error))?.map(|arn| arn.to_string());
    let place = shown(&directory.to_string_lossy());
    console.result(
        || format!("made a key store in {place}\nback it up with 'waxseal kms backup FILE': without it nothing opens"),
        || {
            json!({
                "v": 1, "status": "ok", "operation": "init", "directory": directory.to_string_lossy(),
                "default_key": default_key, "home_region": kms.home_region().as_str(),
            })
        },
    )
}

fn backup(directory: &Path, args: &KmsBackup, console: &Console) -> Result<(), CliError> {
    // Nobody should think up a passphrase for a file that cannot be written.
    refuse_place(directory, args)?;
    let kms = open_store(directory, Missing::Refuse, &store_passphrase(&args.passphrase), &AwsOptions::default());
    let kms = kms.map_err(|error| library_errors::store(&error))?.into_kms();
    let passphrase = backup_passphrase(&args.backup, &args.passphrase, Purpose::Set)?;
    let overwrite = if args.force { Overwrite::Replace } else { Overwrite::Refuse };
    let report = kms
        .backup(&args.file, &passphrase, PassphraseCost::default(), overwrite)
        .map_err(|error| library_errors::writing_backup(&error, &args.file, directory))?;
    if let Some(error) = &report.not_recorded {
        console.warning(&format!("the backup is good, but the key store could not take note of it: {error}"), None);
    }
    let keys = if report.keys == 1 { "1 key".to_owned() } else { format!("{} keys", report.keys) };
    let file = shown(&args.file.to_string_lossy());
    console.result(
        || format!("{file}: backup of {keys}\nkeep its passphrase elsewhere: the file is of no use without it"),
        || {
            json!({
                "v": 1, "status": "ok", "operation": "backup", "file": args.file.to_string_lossy(), "keys": report.keys,
                "created": report.at.as_millis() / 1000,
            })
        },
    )
}

fn restore(directory: &Path, args: &KmsRestore, console: &Console) -> Result<(), CliError> {
    refuse_existing(directory)?;
    let new = seal_passphrase(&args.seal, || ask(&store_passphrase(&args.passphrase), Purpose::Set))?;
    let mut old = || backup_passphrase(&args.backup, &args.passphrase, Purpose::Open).map_err(Into::into);
    let restored =
        with_seal(&args.seal, new.as_ref(), |seal| waxseal_kms_local::restore(directory, &args.file, &mut old, seal));
    let kms = restored.map_err(|error| library_errors::reading_backup(&error, &args.file))?;
    let default_key = kms.default_key().map_err(|error| library_errors::store(&error))?.map(|arn| arn.to_string());
    let place = shown(&directory.to_string_lossy());
    console.result(
        || format!("restored the key store in {place}"),
        || {
            json!({
                "v": 1, "status": "ok", "operation": "restore", "directory": directory.to_string_lossy(),
                "default_key": default_key,
            })
        },
    )
}

/// Refuses a backup that would stand where no backup can: on standard output, over a directory or another file, or in
/// the store's own directory, where it is lost with the store, or even replaces a part of it.
fn refuse_place(directory: &Path, args: &KmsBackup) -> Result<(), CliError> {
    let file = args.file.as_path();
    if file == Path::new("-") {
        return Err(CliError::usage("a backup goes into a file, not to standard output").hint("./- is a file called -"));
    }
    if file.is_dir() {
        return Err(CliError::new(Class::Output, "is a directory").file(file).hint("name a file in it"));
    }
    // A name that leads nowhere yet is looked up by its directory; one that leads nowhere at all fails when written.
    let leads_to = file.canonicalize().or_else(|_| directory_of(file).canonicalize());
    if let (Ok(place), Ok(store)) = (leads_to, directory.canonicalize())
        && place.starts_with(store)
    {
        return Err(CliError::new(
            Class::Output,
            "is in the key store's own directory: what loses the one loses the other",
        )
        .file(file)
        .hint("write the backup elsewhere, best of all to another disk"));
    }
    if !args.force && file.symlink_metadata().is_ok() {
        return Err(library_errors::store(&StoreError::TargetExists { path: file.to_owned() }));
    }
    Ok(())
}

/// Refuses to make a store where one is, before anybody types a passphrase.
fn refuse_existing(directory: &Path) -> Result<(), CliError> {
    match waxseal_kms_local::status(directory) {
        Err(StoreError::NotThere { .. }) => Ok(()),
        Err(error @ StoreError::Io { .. }) => Err(library_errors::store(&error)),
        // A store that is damaged or of another version is one all the same.
        Err(_) | Ok(_) => Err(library_errors::store(&StoreError::AlreadyThere { path: directory.to_owned() })),
    }
}

/// Does something with the seal that was asked for. AWS KMS is asked for a data key by whoever makes the seal.
pub(super) fn with_seal<T>(name: &SealName, passphrase: Option<&Passphrase>, act: impl FnOnce(NewSeal<'_>) -> T) -> T {
    match (name, passphrase) {
        (SealName::Key(key), _) => {
            act(NewSeal::KeyService(SealingKey(&|context| generate(&AwsOptions::default(), key, context))))
        }
        (_, Some(passphrase)) => act(NewSeal::Passphrase { passphrase, cost: PassphraseCost::default() }),
        (_, None) => act(NewSeal::KeyFile),
    }
}

/// The passphrase that is to seal a store, if one is.
pub(super) fn seal_passphrase(
    seal: &SealName,
    ask: impl FnOnce() -> Result<Passphrase, CliError>,
) -> Result<Option<Passphrase>, CliError> {
    match seal {
        SealName::Keyfile | SealName::Key(_) => Ok(None),
        SealName::Passphrase => ask().map(Some),
    }
}

/// The passphrase of a backup: its own, else the one given for the store, else what is typed.
fn backup_passphrase(
    own: &BackupPassphrase,
    store: &PassphraseOptions,
    purpose: Purpose,
) -> Result<Passphrase, CliError> {
    let source = match Source::choose(own.backup_passphrase_file.as_deref(), own.backup_passphrase_command.as_deref()) {
        Source::Terminal => store_passphrase(store),
        given => given,
    };
    let bytes = source.get(Whose::Backup, purpose)?;
    Passphrase::new(bytes).map_err(|error| library_errors::store(&error))
}

//! `waxseal status`: where the keys are, and whether they are safe.

use std::path::Path;

use serde_json::{Value, json};
use waxseal_key_service::{ErrorCode, KeyArn, Provider};
use waxseal_kms_local::{SealKind, StoreError, StoreStatus};

use super::guarded;
use super::keys::{DEFAULT_KEY, parse_key};
use crate::args::{AwsOptions, Common, PassphraseOptions, Status};
use crate::error::CliError;
use crate::home::Home;
use crate::kms_place::KmsPlace;
use crate::library_errors;
use crate::output::Console;
use crate::session::{Missing, Reach, Session, Setup};
use crate::shown::{shown, utc};

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Status, console: &Console) -> Result<(), CliError> {
    let home = Home::find(common.home.as_deref())?;
    match args.served.place()? {
        Some(place) => guarded(|| served(&home, args, &place, console)),
        None => of_store(&home.kms(), console),
    }
}

/// Tells about a key store that is served: what only its owner knows is not told.
fn served(home: &Home, args: &Status, place: &KmsPlace, console: &Console) -> Result<(), CliError> {
    #[cfg_attr(not(feature = "aws"), expect(clippy::needless_update, reason = "without AWS there are no others"))]
    let aws = AwsOptions { served: args.served.clone(), ..AwsOptions::default() };
    let passphrase = &PassphraseOptions::default();
    let setup = Setup { home, passphrase, aws: &aws, missing: Missing::Refuse, reach: Reach::Machine };
    let session = Session::new(&setup, console)?;
    let envelope = session.envelope();
    let service = envelope.service(Provider::Local).expect("a session has the embedded KMS, wherever that is");
    let default_key = match session.wait(service.resolve_key(&parse_key(DEFAULT_KEY)?.key)) {
        Ok(arn) => Some(arn),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => {
            return Err(library_errors::key_service(&error).within(&format!("{}: ", shown(&place.to_string()))));
        }
    };
    let place = place.to_string();
    console.result(
        || {
            let default_key = default_key.as_ref().map_or("none: there is no alias/default", KeyArn::as_str);
            format!("key store    served at {}\nanswers      yes\ndefault key  {default_key}", shown(&place))
        },
        || {
            let default_key = default_key.as_ref().map(KeyArn::as_str);
            json!({"v": 1, "status": "ok", "exists": true, "served": place, "default_key": default_key})
        },
    )
}

fn of_store(directory: &Path, console: &Console) -> Result<(), CliError> {
    match waxseal_kms_local::status(directory) {
        Ok(status) => console.result(|| text(&status), || json(&status)),
        Err(StoreError::NotThere { .. }) => console.result(|| absent_text(directory), || absent_json(directory)),
        Err(error) => Err(library_errors::store(&error)),
    }
}

fn text(status: &StoreStatus) -> String {
    let sealed = match status.seal {
        SealKind::Passphrase => "by a passphrase".to_owned(),
        SealKind::KeyService => {
            format!("by the key {}", status.seal_key.as_ref().map_or("of AWS KMS", |key| key.as_str()))
        }
        _ => "by a key file beside it: whoever can copy both can open everything".to_owned(),
    };
    let default_key = status.default_key.as_ref().map_or("none: alias/default is gone", |key| key.as_str());
    let backup = status.last_backup_at.map_or_else(
        || "never: without one, losing the store loses everything ('waxseal kms backup FILE')".to_owned(),
        |at| {
            let since = match status.keys_since_backup {
                0 => String::new(),
                keys => format!("; {}", since_backup(keys)),
            };
            format!("{}{since}", utc(at.as_millis() / 1000))
        },
    );
    [
        format!("key store    {}", shown(&status.directory.to_string_lossy())),
        format!("default key  {default_key}"),
        format!("keys         {}", status.keys),
        format!("home region  {}", status.home_region),
        format!("sealed       {sealed}"),
        format!("made         {}", utc(status.created_at.as_millis() / 1000)),
        format!("last backup  {backup}"),
    ]
    .join("\n")
}

/// What is said of keys that the last backup does not have.
pub(super) fn since_backup(keys: u64) -> String {
    let were = if keys == 1 { "key was" } else { "keys were" };
    format!("{keys} {were} made or rotated since, so it does not open everything")
}

fn json(status: &StoreStatus) -> Value {
    json!({
        "v": 1,
        "status": "ok",
        "exists": true,
        "directory": status.directory.to_string_lossy(),
        "schema_version": status.schema_version,
        "home_region": status.home_region.as_str(),
        "seal": status.seal.name(),
        "seal_key": status.seal_key.as_ref().map(waxseal_key_service::KeyArn::as_str),
        "default_key": status.default_key.as_ref().map(waxseal_key_service::KeyArn::as_str),
        "keys": status.keys,
        "created": status.created_at.as_millis() / 1000,
        "last_backup": status.last_backup_at.map(|at| at.as_millis() / 1000),
        "keys_since_backup": status.keys_since_backup,
    })
}

fn absent_text(directory: &Path) -> String {
    format!(
        "key store    none yet in {}\nThe first 'waxseal encrypt' makes it; 'waxseal kms restore FILE' makes it from a backup.",
        shown(&directory.to_string_lossy())
    )
}

fn absent_json(directory: &Path) -> Value {
    json!({"v": 1, "status": "ok", "exists": false, "directory": directory.to_string_lossy()})
}

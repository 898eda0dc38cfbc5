//! `waxseal status`: where the keys are, and whether they are safe.

use std::path::Path;

use serde_json::{Value, json};
use waxseal_kms_local::{SealKind, StoreError, StoreStatus};

use crate::args::Common;
use crate::error::CliError;
use crate::home::Home;
use crate::library_errors;
use crate::output::Console;
use crate::shown::{shown, utc};

/// Runs the command.
pub(crate) fn run(common: &Common, console: &Console) -> Result<(), CliError> {
    let directory = Home::find(common.home.as_deref())?.kms();
    match waxseal_kms_local::status(&directory) {
        Ok(status) => console.result(|| text(&status), || json(&status)),
        Err(StoreError::NotThere { .. }) => console.result(|| absent_text(&directory), || absent_json(&directory)),
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
        |at| utc(at.as_millis() / 1000),
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

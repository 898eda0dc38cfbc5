//! `waxseal kms credentials`: the access keys of a served KMS.

use std::path::Path;

use serde_json::json;
use waxseal_kms_local::{CredentialError, CredentialInfo};

use super::serve::open_or_create;
use crate::args::{CredentialsCommand, CredentialsCreate};
use crate::error::{Class, CliError};
use crate::library_errors;
use crate::output::Console;
use crate::session::store_passphrase;
use crate::shown::{shown, utc};

/// Runs the command.
pub(super) fn run(directory: &Path, command: &CredentialsCommand, console: &Console) -> Result<(), CliError> {
    match command {
        CredentialsCommand::Create(args) => create(directory, args, console),
        CredentialsCommand::List => list(directory, console),
        CredentialsCommand::Delete(args) => delete(directory, &args.access_key_id, console),
    }
}

/// Makes an access key. The text is JSON too: it is what the AWS CLI takes from a `credential_process`.
fn create(directory: &Path, args: &CredentialsCreate, console: &Console) -> Result<(), CliError> {
    let kms = open_or_create(directory, &store_passphrase(&args.passphrase), console)?;
    let made = kms.create_credential(&args.name).map_err(|error| cannot_create(&error))?;
    let object = json!({
        "Version": 1, "AccessKeyId": made.access_key_id(), "SecretAccessKey": made.expose_secret(),
        "Name": made.name(),
    });
    let with_status = || {
        let mut object = object.clone();
        for (name, value) in [("v", json!(1)), ("status", json!("ok")), ("operation", json!("credentials-create"))] {
            object[name] = value;
        }
        object
    };
    console.answer(|| format!("{object:#}"), with_status)
}

fn list(directory: &Path, console: &Console) -> Result<(), CliError> {
    let credentials = waxseal_kms_local::credentials(directory).map_err(|error| library_errors::store(&error))?;
    let line = |credential: &CredentialInfo| {
        let made = utc(credential.created_at.as_millis() / 1000);
        format!("{} {made} {}", credential.access_key_id, shown(&credential.name))
    };
    let object = |credential: &CredentialInfo| {
        json!({
            "AccessKeyId": credential.access_key_id, "Name": credential.name,
            "created": credential.created_at.as_millis() / 1000,
        })
    };
    if credentials.is_empty() {
        console.note("there are no access keys", Some("make one with 'waxseal kms credentials create --name NAME'"));
    }
    console.answer(
        || credentials.iter().map(line).collect::<Vec<_>>().join("\n"),
        || {
            let listed: Vec<_> = credentials.iter().map(object).collect();
            json!({ "v": 1, "status": "ok", "operation": "credentials-list", "credentials": listed })
        },
    )
}

fn delete(directory: &Path, access_key_id: &str, console: &Console) -> Result<(), CliError> {
    let deleted = waxseal_kms_local::delete_credential(directory, access_key_id);
    if !deleted.map_err(|error| library_errors::store(&error))? {
        let text = format!("there is no access key {}", shown(access_key_id));
        return Err(CliError::new(Class::KeyRefused, text).hint("'waxseal kms credentials list' shows those there are"));
    }
    console.result(
        || format!("deleted {access_key_id}"),
        || json!({ "v": 1, "status": "ok", "operation": "credentials-delete", "AccessKeyId": access_key_id }),
    )
}

fn cannot_create(error: &CredentialError) -> CliError {
    match error {
        CredentialError::Name(_) => CliError::usage(shown(&error.to_string())),
        CredentialError::Taken(_) => CliError::new(Class::Output, shown(&error.to_string()))
            .hint("choose another name, or delete that one with 'waxseal kms credentials delete'"),
        CredentialError::Store(error) => library_errors::store(error),
        _ => CliError::new(Class::Other, shown(&error.to_string())),
    }
}

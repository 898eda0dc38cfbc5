//! `waxseal kms seal`: another seal for the same keys.

use std::path::Path;

use serde_json::json;
use waxseal_key_service::KeyArn;
use waxseal_kms_local::Passphrase;

use super::kms::{seal_passphrase, with_seal};
use crate::args::{AwsOptions, KmsSeal, NewPassphrase};
use crate::error::CliError;
use crate::library_errors;
use crate::output::Console;
use crate::passphrase::{Purpose, Source, Whose};
use crate::session::{Missing, open_store, store_passphrase};
use crate::shown::shown;

/// Runs the command.
pub(super) fn run(directory: &Path, args: &KmsSeal, console: &Console) -> Result<(), CliError> {
    let store_error = |error| library_errors::store(&error);
    let opened = open_store(directory, Missing::Refuse, &store_passphrase(&args.passphrase), &AwsOptions::default());
    let kms = opened.map_err(store_error)?.into_kms();
    let new = seal_passphrase(&args.seal, || new_passphrase(&args.new))?;
    with_seal(&args.seal, new.as_ref(), |seal| kms.reseal(seal)).map_err(store_error)?;
    let status = waxseal_kms_local::status(directory).map_err(store_error)?;
    let (seal, key) = (status.seal.name(), status.seal_key.as_ref().map(KeyArn::as_str));
    let place = directory.to_string_lossy();
    let by = key.map_or_else(|| format!("a {seal}"), |key| format!("the key {key}"));
    console.result(
        || format!("the key store in {} is sealed by {by} now", shown(&place)),
        || json!({ "v": 1, "status": "ok", "operation": "seal", "directory": place, "seal": seal, "seal_key": key }),
    )
}

/// The passphrase that is to seal the store.
fn new_passphrase(options: &NewPassphrase) -> Result<Passphrase, CliError> {
    let source = Source::choose(options.new_passphrase_file.as_deref(), options.new_passphrase_command.as_deref());
    let bytes = source.get(Whose::NewStore, Purpose::Set)?;
    Passphrase::new(bytes).map_err(|error| library_errors::store(&error))
}

//! `waxseal kms seal`: another seal for the same keys.

use std::path::Path;

use serde_json::json;
use waxseal_kms_local::{LocalKms, Passphrase};

use super::kms::new_seal;
use crate::args::{KmsSeal, NewPassphrase, SealName};
use crate::error::CliError;
use crate::library_errors;
use crate::output::Console;
use crate::passphrase::{Purpose, Source};
use crate::session::{ask, store_passphrase};
use crate::shown::shown;

/// Runs the command.
pub(super) fn run(directory: &Path, args: &KmsSeal, console: &Console) -> Result<(), CliError> {
    let store_error = |error| library_errors::store(&error);
    let mut old = || ask(&store_passphrase(&args.passphrase), Purpose::Open).map_err(Into::into);
    let kms = LocalKms::open(directory, &mut old).map_err(store_error)?;
    let new = match args.seal {
        SealName::Keyfile => None,
        SealName::Passphrase => Some(new_passphrase(&args.new)?),
    };
    kms.reseal(new_seal(new.as_ref())).map_err(store_error)?;
    let seal = waxseal_kms_local::status(directory).map_err(store_error)?.seal.name();
    let place = directory.to_string_lossy();
    console.result(
        || format!("the key store in {} is sealed by a {seal} now", shown(&place)),
        || json!({ "v": 1, "status": "ok", "operation": "seal", "directory": place, "seal": seal }),
    )
}

/// The passphrase that is to seal the store.
fn new_passphrase(options: &NewPassphrase) -> Result<Passphrase, CliError> {
    let source = Source::choose(options.new_passphrase_file.as_deref(), options.new_passphrase_command.as_deref());
    let bytes = source.get("the key store, from now on", Purpose::Set)?;
    Passphrase::new(bytes).map_err(|error| library_errors::store(&error))
}

//! `waxseal kms lock` and `waxseal kms unlock`: the keys of running servers.

use std::path::Path;

use serde_json::json;
use waxseal_kms_local::SealKind;
use waxseal_kms_server::{Command, ControlError, Report, send};
use zeroize::Zeroizing;

use crate::args::PassphraseOptions;
use crate::error::{Class, CliError};
use crate::library_errors;
use crate::output::Console;
use crate::passphrase::{Purpose, Whose};
use crate::session::store_passphrase;
use crate::shown::shown;

/// Has every running server of the store take its keys out of memory.
pub(super) fn lock(directory: &Path, console: &Console) -> Result<(), CliError> {
    exists(directory)?;
    let reports = send(directory, Command::Lock).map_err(|error| cannot_tell(&error))?;
    if reports.iter().any(|report| report.calls_remain) {
        console.warning("a call that was begun before still uses keys; no new one finds any", None);
    }
    finish("lock", &reports, console)
}

/// Has every running server of the store open it again.
pub(super) fn unlock(directory: &Path, options: &PassphraseOptions, console: &Console) -> Result<(), CliError> {
    let passphrase: Option<Zeroizing<Vec<u8>>> = match exists(directory)? {
        SealKind::Passphrase => Some(store_passphrase(options).get(Whose::Store, Purpose::Open)?),
        _ => None,
    };
    let command = Command::Unlock(passphrase.as_ref().map(|passphrase| passphrase.as_slice()));
    let reports = send(directory, command).map_err(|error| cannot_tell(&error))?;
    finish("unlock", &reports, console)
}

/// What seals the store, if there is one.
fn exists(directory: &Path) -> Result<SealKind, CliError> {
    waxseal_kms_local::status(directory).map(|status| status.seal).map_err(|error| library_errors::store(&error))
}

fn finish(operation: &str, reports: &[Report], console: &Console) -> Result<(), CliError> {
    if let Some((text, is_wrong)) = reports.iter().find_map(|report| report.refused.as_ref()) {
        let class = if *is_wrong { Class::KeyRefused } else { Class::KeyUnavailable };
        return Err(CliError::new(class, shown(text)));
    }
    let count = if reports.len() == 1 { "1 server".to_owned() } else { format!("{} servers", reports.len()) };
    console.result(
        || format!("{operation}ed {count}"),
        || {
            let processes: Vec<_> = reports.iter().map(|report| report.process).collect();
            json!({ "v": 1, "status": "ok", "operation": operation, "processes": processes })
        },
    )
}

fn cannot_tell(error: &ControlError) -> CliError {
    let built = CliError::new(Class::KeyUnavailable, shown(&error.to_string()));
    match error {
        ControlError::NoServer => built.hint("'waxseal kms serve' starts one"),
        _ => built,
    }
}

//! `waxseal inspect -r`: the claims of all containers in a tree, or the keys that it depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use waxseal_key_service::EncryptedDataKey;

use super::Claims;
use crate::args::Inspect;
use crate::batch::{Batch, Durability, Outcome, Telling};
use crate::commands::{failure_log, jobs};
use crate::error::{Class, CliError};
use crate::input::InputName;
use crate::output::Console;
use crate::shown::shown;
use crate::tree::{NoContainer, Selection, each_container};

/// How many files each key opens, by the service and the ARN that the files claim.
type Keys = BTreeMap<(&'static str, String), u64>;

/// Runs the command.
pub(super) fn run(args: &Inspect, selection: &Selection, console: &Console) -> Result<(), CliError> {
    let log = failure_log(&args.many)?;
    let batch = Batch::new(console, Durability::Unsynced, "inspected", Telling::Always).with_log(log.as_ref());
    let keys = Mutex::new(Keys::new());
    let inspected =
        each_container(&args.files, selection, &batch, jobs(&args.many, 1), NoContainer::IsNamed, |found| {
            let cannot = |error| CliError::system(Class::Input, "cannot be opened", &error);
            let claims = Claims::of(&InputName::File(found.path()), found.open().map_err(cannot)?)?;
            if args.keys {
                count(&mut keys.lock().unwrap_or_else(PoisonError::into_inner), &claims);
            } else {
                console.result(|| format!("{}\n", claims.text(false)), || claims.json()).map_err(CliError::fatal)?;
            }
            Ok(Outcome::Told(claims.plaintext_bytes().unwrap_or(0)))
        });
    for ((provider, arn), files) in keys.into_inner().unwrap_or_else(PoisonError::into_inner) {
        console.result(
            || format!("{files} {provider} {}", shown(&arn)),
            || json!({"v": 1, "status": "ok", "provider": provider, "key_arn": arn, "files": files}),
        )?;
    }
    inspected
}

fn count(keys: &mut Keys, claims: &Claims) {
    // A file that names a key twice is one file, and what an interrupted rewrap has left is nothing to depend on.
    let name = |key: &EncryptedDataKey| (key.provider.name(), key.key_arn.to_string());
    let names: BTreeSet<_> = claims.header.current_data_keys().iter().map(name).collect();
    for name in names {
        *keys.entry(name).or_default() += 1;
    }
}

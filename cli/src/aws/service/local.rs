//! The embedded KMS, opened when the request is ready.

use std::env;

use waxseal_key_service::{ErrorCode, KeyServiceError, LOCAL_ACCOUNT};
use waxseal_kms_local::model::Operation;
use waxseal_kms_local::{CreateOptions, LocalKms, Opened, Region, StoreError};
use zeroize::Zeroizing;

use super::failed;
use crate::args::AwsOptions;
use crate::aws::data::Data;
use crate::aws::words::Words;
use crate::error::CliError;
use crate::home::Home;
use crate::library_errors;
use crate::output::Console;
use crate::passphrase::Source;
use crate::session::{Missing, open_store, say_created};
use crate::shown::shown;

/// The operations that need a new data key, before which a store is made if there is none.
const NEED_A_DATA_KEY: [&str; 2] = ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"];

/// The embedded KMS in one of its regions.
pub(crate) struct Local {
    kms: LocalKms,
    region: Region,
}

impl Local {
    /// Opens the key store.
    ///
    /// # Errors
    /// There is none, or it cannot be opened, or the region is none.
    pub(super) fn open(words: &Words, params: &[(String, Data)], console: &Console) -> Result<Self, CliError> {
        let region = asked_region(words)?;
        let directory = Home::find(words.value("home").map(AsRef::as_ref))?.kms();
        let source =
            Source::choose(words.value("passphrase-file").map(AsRef::as_ref), words.value("passphrase-command"));
        let may_make = may_make_a_store(words.operation, params, region.as_ref());
        let missing = if may_make { Missing::Create } else { Missing::Refuse };
        let opened = open_store(&directory, missing, &source, &AwsOptions::default()).map_err(|error| match error {
            StoreError::NotThere { .. } => library_errors::store(&error).hint(
                "make one with 'waxseal kms init', restore a backup with 'waxseal kms restore FILE', or say where the \
                 store is with --home DIR",
            ),
            error => failed(words.operation.name, &error.into()),
        })?;
        if matches!(opened, Opened::Created(_)) {
            say_created(console, &directory);
        }
        let kms = opened.into_kms();
        let region = region.unwrap_or_else(|| kms.home_region().clone());
        Ok(Self { kms, region })
    }

    /// Performs an operation.
    ///
    /// # Errors
    /// The service refuses or fails: the error is the AWS CLI's line.
    pub(super) fn call(&self, operation: &Operation, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, CliError> {
        self.kms.call(&self.region, operation.name, body).map_err(|error| self.refusal(operation, body, &error))
    }

    fn refusal(&self, operation: &Operation, body: &[u8], error: &KeyServiceError) -> CliError {
        let failed = failed(operation.name, error);
        let hint = (error.code() == ErrorCode::NotFound).then(|| self.other_region(body)).flatten();
        match hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }

    /// Names a region that does have the alias of a request.
    fn other_region(&self, body: &[u8]) -> Option<String> {
        let request: serde_json::Value = serde_json::from_slice(body).ok()?;
        let names = ["KeyId", "AliasName", "TargetKeyId", "SourceKeyId", "DestinationKeyId"];
        names.iter().filter_map(|name| request[*name].as_str()).find_map(|text| {
            let alias = text.parse().ok()?;
            let regions = self.kms.regions_with_alias(&alias).ok()?;
            let region = regions.into_iter().find(|region| *region != self.region)?;
            Some(format!("region {region} has {}: --region {region}", shown(text)))
        })
    }
}

/// The region that the command line or the environment names.
pub(super) fn asked_region(words: &Words) -> Result<Option<Region>, CliError> {
    let named = words.value("region").map(ToOwned::to_owned);
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let named = named.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    let parse = |text: String| {
        text.parse().map_err(|error: waxseal_kms_local::RegionError| {
            CliError::usage(shown(&error.to_string())).hint("a region looks like eu-central-1")
        })
    };
    named.map(parse).transpose()
}

/// Whether a store that is missing is made: only for a data key, and only where the new store would have the key.
fn may_make_a_store(operation: &Operation, params: &[(String, Data)], region: Option<&Region>) -> bool {
    let home = CreateOptions::default().home_region;
    let alias = "alias/default";
    let arn = format!("arn:aws:kms:{home}:{LOCAL_ACCOUNT}:{alias}");
    let is_there = |key: &Data| matches!(key, Data::Text(text) if text.as_str() == alias || text.as_str() == arn);
    let is_dry_run = params.iter().any(|(name, value)| name == "DryRun" && *value == Data::Bool(true));
    NEED_A_DATA_KEY.contains(&operation.name)
        && region.is_none_or(|region| *region == home)
        && params.iter().any(|(name, value)| name == "KeyId" && is_there(value))
        && !is_dry_run
}

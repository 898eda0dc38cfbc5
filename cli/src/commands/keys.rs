//! Which keys a command works with: those that are typed, and those that the configuration adds.

use waxseal_envelope::{AllowedKeys, AwsAccount};
use waxseal_key_service::{KeyId, KeyReference, Provider};

use crate::args::AwsOptions;
use crate::config::Config;
use crate::error::CliError;
use crate::origin::variable;
use crate::session::Reach;
use crate::shown::shown;

/// The key that new containers are made under unless another is named.
pub(super) const DEFAULT_KEY: &str = "alias/default";

/// The variable that names keys of new files.
pub(super) const KEY_VARIABLE: &str = "WAXSEAL_KEY";

/// Parses a key as it was typed.
pub(super) fn parse_key(text: &str) -> Result<KeyReference, CliError> {
    text.parse().map_err(|error: waxseal_key_service::KeyIdError| {
        CliError::usage(shown(&error.to_string()))
            .hint("-k takes a key id, a key ARN, or an alias such as alias/default")
    })
}

/// The keys that containers may be opened with: only those that are named, else all of the store and those of AWS KMS that
/// the configuration trusts, or that the user makes new files under; and those of accounts that are to be discovered.
pub(super) fn for_opening(
    typed: &[String],
    discovery: &[AwsAccount],
    config: &Config,
) -> Result<AllowedKeys, CliError> {
    let keys = typed.iter().map(|key| parse_key(key)).collect::<Result<Vec<_>, _>>()?;
    let allowed = if keys.is_empty() {
        let own = of_environment()?.unwrap_or_default();
        let own = own.iter().chain(config.chosen_keys()).filter_map(trusted);
        let aws = config.trusted_keys.iter().map(|key| key.value.clone()).chain(own).collect();
        AllowedKeys { aws, ..AllowedKeys::default() }
    } else {
        AllowedKeys::only(keys)
    };
    Ok(AllowedKeys { discovery: discovery.to_vec(), ..allowed })
}

/// What a key of AWS KMS is trusted by that somebody has chosen for new files: its ARN. What an alias stands for is for others
/// to change.
fn trusted(key: &KeyReference) -> Option<KeyId> {
    match key {
        KeyReference { provider: Provider::Aws, key: key @ KeyId::Arn(_) } => Some(key.clone()),
        _ => None,
    }
}

/// The keys of new files that the environment names, separated by commas.
pub(super) fn of_environment() -> Result<Option<Vec<KeyReference>>, CliError> {
    let Some(text) = variable(KEY_VARIABLE)? else { return Ok(None) };
    let of_variable = |error: CliError| error.within(&format!("{KEY_VARIABLE}: "));
    text.split(',').map(|key| parse_key(key.trim()).map_err(of_variable)).collect::<Result<_, _>>().map(Some)
}

/// Whether keys of AWS KMS are among those that files are made for.
pub(super) fn reach_of(keys: &[KeyReference]) -> Reach {
    if keys.iter().any(|key| key.provider == Provider::Aws) { Reach::Network } else { Reach::Machine }
}

/// Whether keys of AWS KMS are among those that files may be opened with.
pub(super) fn reach_to(allowed: &AllowedKeys) -> Reach {
    if allowed.aws.is_empty() && allowed.discovery.is_empty() { Reach::Machine } else { Reach::Network }
}

/// How many requests to key services can be under way at once: that many files are worked on by default.
pub(super) fn requests_at_once(reach: Reach, options: &AwsOptions) -> usize {
    match reach {
        // A variable that names no place is refused when the first key is used.
        Reach::Machine if options.kms_place().is_ok_and(|place| place.is_none()) => 1,
        Reach::Machine | Reach::Network => crate::session::concurrency(options),
    }
}

//! Which keys a command works with: those that are typed, and those that the configuration adds.

use waxseal_envelope::{AllowedKeys, AwsAccount};
use waxseal_key_service::{KeyReference, Provider};

use crate::args::AwsOptions;
use crate::config::Config;
use crate::error::CliError;
use crate::session::Reach;
use crate::shown::shown;

/// The key that new containers are made under unless another is named.
pub(super) const DEFAULT_KEY: &str = "alias/default";

/// Parses a key as it was typed.
pub(super) fn parse_key(text: &str) -> Result<KeyReference, CliError> {
    text.parse().map_err(|error: waxseal_key_service::KeyIdError| {
        CliError::usage(shown(&error.to_string()))
            .hint("-k takes a key id, a key ARN, or an alias such as alias/default")
    })
}

/// The keys that new containers are to be opened by: those that are named, else the default one, and those that the
/// configuration wants in every file. The first one generates the data keys.
pub(super) fn for_new_files(typed: &[String], config: &Config) -> Result<Vec<KeyReference>, CliError> {
    let mut keys = typed.iter().map(|key| parse_key(key)).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        keys.push(parse_key(DEFAULT_KEY)?);
    }
    keys.extend(config.always_keys.iter().cloned());
    Ok(keys)
}

/// The keys that containers may be opened with: only those that are named, else all of the store and those that the
/// configuration trusts; and those of accounts that are to be discovered.
pub(super) fn for_opening(
    typed: &[String],
    discovery: &[AwsAccount],
    config: &Config,
) -> Result<AllowedKeys, CliError> {
    let keys = typed.iter().map(|key| parse_key(key)).collect::<Result<Vec<_>, _>>()?;
    let allowed = if keys.is_empty() {
        AllowedKeys { aws: config.trusted_keys.clone(), ..AllowedKeys::default() }
    } else {
        AllowedKeys::only(keys)
    };
    Ok(AllowedKeys { discovery: discovery.to_vec(), ..allowed })
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

//! The words about key services that all commands have which use keys.

#[cfg(feature = "aws")]
use std::num::NonZeroU32;

use clap::Args;

use crate::error::CliError;
use crate::kms_place::KmsPlace;

/// Where the embedded KMS is, and how AWS KMS is spoken to, where a key of it is used. A program without AWS KMS has
/// nothing to be told about it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AwsOptions {
    #[command(flatten)]
    pub(crate) served: ServedOption,
    /// Speak to the service at this URL [default: $AWS_ENDPOINT_URL_KMS, else the region's own]
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "URL", help_heading = HEADING)]
    pub(crate) endpoint_url: Option<String>,
    /// Show this token of a grant that was made just now (repeatable)
    #[cfg(feature = "aws")]
    #[arg(long = "grant-token", value_name = "TOKEN", help_heading = HEADING)]
    pub(crate) grant_tokens: Vec<String>,
    /// Begin at most this many requests a second
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "N", help_heading = HEADING)]
    pub(crate) kms_rate: Option<NonZeroU32>,
    /// Have at most this many requests under way at once [default: 32]
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "N", help_heading = HEADING, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) kms_concurrency: Option<u16>,
}

/// Where the embedded KMS is.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServedOption {
    /// The key store is served there: unix:PATH, or a URL [default: $WAXSEAL_KMS, else the key store of --home]
    #[arg(long, value_name = "WHERE", help_heading = "Key store")]
    kms: Option<KmsPlace>,
}

#[cfg(feature = "aws")]
const HEADING: &str = "AWS KMS (for keys of it; region, profile and login as in every AWS tool)";

impl ServedOption {
    /// Where the embedded KMS is served, if it is not the key store of this user.
    ///
    /// # Errors
    /// The environment names no place.
    pub(crate) fn place(&self) -> Result<Option<KmsPlace>, CliError> {
        KmsPlace::choose(self.kms.as_ref())
    }
}

impl AwsOptions {
    /// Where the embedded KMS is served, if it is not the key store of this user.
    ///
    /// # Errors
    /// The environment names no place.
    pub(crate) fn kms_place(&self) -> Result<Option<KmsPlace>, CliError> {
        self.served.place()
    }
}

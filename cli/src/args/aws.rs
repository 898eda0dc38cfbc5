//! The words about AWS KMS that all commands have which use keys.

#[cfg(feature = "aws")]
use std::num::NonZeroU32;

use clap::Args;

/// A program without AWS KMS has nothing to be told about it.
#[cfg(not(feature = "aws"))]
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AwsOptions {}

/// How AWS KMS is spoken to, where a key of it is used.
#[cfg(feature = "aws")]
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "AWS KMS (for keys of it; region, profile and login as in every AWS tool)")]
pub(crate) struct AwsOptions {
    /// Speak to the service at this URL [default: $AWS_ENDPOINT_URL_KMS, else the region's own]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Show this token of a grant that was made just now (repeatable)
    #[arg(long = "grant-token", value_name = "TOKEN")]
    pub(crate) grant_tokens: Vec<String>,
    /// Begin at most this many requests a second
    #[arg(long, value_name = "N")]
    pub(crate) kms_rate: Option<NonZeroU32>,
    /// Have at most this many requests under way at once [default: 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) kms_concurrency: Option<u16>,
}

//! The words of `waxseal doctor`.

use clap::Args;

use super::{AwsOptions, PassphraseOptions};

/// `waxseal doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is changed. Keys of AWS KMS are asked for dry runs, which need the permission in question
and do nothing. The exit code is 1 if there is a problem.

Examples:
  waxseal doctor
  waxseal doctor -k arn:aws:kms:eu-west-1:111122223333:key/..."
)]
pub(crate) struct Doctor {
    /// Look at this KMS key too, beside those of the configuration: key id, ARN or alias (repeatable)
    #[arg(short, long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Ask as for files with this pair in their encryption context (repeatable)
    #[arg(short, long = "context", value_name = "NAME=VALUE")]
    pub(crate) context: Vec<String>,
    #[command(flatten)]
    pub(crate) aws: AwsOptions,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

//! The words of `waxseal prepare`.

use std::path::PathBuf;

use clap::Args;
use waxseal_container::Suite;

use super::{AwsOptions, Many, PassphraseOptions, suite_parser};

/// `waxseal prepare`.
#[derive(Debug, Args)]
#[command(
    after_help = "A prepared container is filled once, by 'waxseal encrypt --into FILE', where its key may be used to
decrypt. Here it takes no more than the right to GenerateDataKeyWithoutPlaintext.

Examples:
  waxseal prepare -k alias/backup monday.wax tuesday.wax
  tar c project | waxseal encrypt --into monday.wax"
)]
pub(crate) struct Prepare {
    /// Containers to make; their names end in .wax
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// KMS key that opens the files: key id, ARN or alias
    /// [default: $WAXSEAL_KEY, else as the configuration says, else alias/default]
    #[arg(short, long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Bind the files to this pair; it is stored in the clear and can be insisted on later (repeatable)
    /// [default: $WAXSEAL_CONTEXT, else as the configuration says]
    #[arg(short, long = "context", value_name = "NAME=VALUE")]
    pub(crate) context: Vec<String>,
    /// Cipher suite
    #[arg(long, value_name = "SUITE", value_parser = suite_parser(), default_value_t)]
    pub(crate) suite: Suite,
    /// Replace files that exist
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Do not wait until the files are safely on disk
    #[arg(long)]
    pub(crate) no_sync: bool,
    #[command(flatten)]
    pub(crate) many: Many,
    #[command(flatten)]
    pub(crate) aws: AwsOptions,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

//! The words of `waxseal rewrap`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{Demands, Many, PassphraseOptions, TreeOptions};

/// `waxseal rewrap`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("change").required(true),
    after_help = "Only the encrypted data keys in the header are replaced, in place: content and time of change stay,
and a large file takes no longer than a small one. Where old and new keys are of one key service and
region, the data key is never seen here: the right to ReEncrypt is enough. Else it is decrypted,
checked and encrypted.

Files that have their keys already are left alone: an interrupted run is simply run again.
Check with 'waxseal verify' that the files open with their new keys before the old ones are
deleted.

Examples:
  waxseal rewrap --to alias/new vault/*.wax
  waxseal rewrap --to alias/new --dry-run vault/*.wax
  waxseal rewrap --to alias/default --stale -r vault
  waxseal rewrap -k arn:aws:kms:eu-west-1:111122223333:key/... --to arn:... report.pdf.wax
  waxseal rewrap --add arn:aws:kms:eu-central-1:999900001111:key/... report.pdf.wax
  waxseal rewrap --remove alias/old report.pdf.wax"
)]
pub(crate) struct Rewrap {
    /// Containers whose keys are to be replaced; with -r also directories of them
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// KMS key that opens the files from now on, in place of all others; repeated, each of them does
    #[arg(long, value_name = "KEY", group = "change")]
    pub(crate) to: Vec<String>,
    /// KMS key that opens the files as well (repeatable)
    #[arg(long, value_name = "KEY", group = "change")]
    pub(crate) add: Vec<String>,
    /// KMS key that does not open the files any more (repeatable); it may be gone already
    #[arg(long, value_name = "KEY", group = "change")]
    pub(crate) remove: Vec<String>,
    /// Take only files of which a key was rotated since, and put them under its newest version. For keys of AWS KMS
    /// this is one request a file and key
    #[arg(long, conflicts_with_all = ["add", "remove"])]
    pub(crate) stale: bool,
    /// Have each new key open the file's data key before the old ones go: one Decrypt for each new key and file
    #[arg(long, conflicts_with = "remove")]
    pub(crate) verify_keys: bool,
    /// List what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) many: Many,
    #[command(flatten)]
    pub(crate) tree: TreeOptions,
    #[command(flatten)]
    pub(crate) demands: Demands,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

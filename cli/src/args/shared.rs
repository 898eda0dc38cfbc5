//! Words that several commands have: how containers are opened, where outputs go, how many are worked on at once.

use std::path::PathBuf;

use clap::Args;
use waxseal_envelope::AwsAccount;

use super::AwsOptions;

/// What containers have to be, and which keys may be asked about them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Opening")]
pub(crate) struct Demands {
    /// Open only with this KMS key: key id, ARN or alias (repeatable) [default: any key of the store, and keys
    /// of AWS KMS that the configuration trusts]
    #[arg(short, long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Open with any key of AWS KMS that belongs to this account (repeatable)
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) discovery: Vec<AwsAccount>,
    /// Insist on this pair, or on a pair of this name, in the file's encryption context (repeatable)
    #[arg(short, long = "context", value_name = "NAME[=VALUE]")]
    pub(crate) context: Vec<String>,
    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

/// How a container is read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Opening")]
pub(crate) struct Reading {
    #[command(flatten)]
    pub(crate) demands: Demands,
    /// Read an interrupted container as far as it was certainly written
    #[arg(long)]
    pub(crate) recover: bool,
}

/// How an output file is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Writing {
    /// Write this file, or into this directory (-r makes it); - is standard output
    #[arg(short, long = "output", value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Replace outputs that exist
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Do not wait until the outputs are safely on disk
    #[arg(long)]
    pub(crate) no_sync: bool,
}

/// How several inputs are worked on.
#[derive(Debug, Args)]
pub(crate) struct Many {
    /// Work on this many files at once [default: the number of cores, and more where answers of AWS KMS are waited for]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Write every failure to FILE as a line of JSON, and at the end the summary
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

/// Where the passphrase of the key store comes from.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Passphrase of the key store, if it has one (asked on the terminal otherwise)")]
pub(crate) struct PassphraseOptions {
    /// Read it from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_command")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Read it from the first line that this shell command prints
    #[arg(long, value_name = "COMMAND")]
    pub(crate) passphrase_command: Option<String>,
}

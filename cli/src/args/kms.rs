//! The words of `waxseal kms`, less those of its server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{KmsCredentials, KmsLock, KmsSeal, KmsServe, KmsUnlock, PassphraseOptions, SealName};

/// `waxseal kms`.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = crate::aws::help_for_operations()
)]
pub(crate) struct Kms {
    #[command(subcommand)]
    pub(crate) command: KmsCommand,
}

/// The commands of `waxseal kms`.
#[derive(Debug, Subcommand)]
pub(crate) enum KmsCommand {
    /// Make the key store now, and choose how it is sealed
    Init(KmsInit),
    /// Write all keys to one file, sealed by a passphrase
    Backup(KmsBackup),
    /// Make the key store of this machine from a backup
    Restore(KmsRestore),
    /// Change how the key store is sealed, without touching its keys
    Seal(KmsSeal),
    /// Serve the key store to the AWS CLI, the AWS SDKs and other machines
    Serve(KmsServe),
    /// Manage the access keys with which requests to a server are signed
    Credentials(KmsCredentials),
    /// Take the keys of running servers out of memory
    Lock(KmsLock),
    /// Let running servers use their keys again
    Unlock(KmsUnlock),
}

/// `waxseal kms init`.
#[derive(Debug, Args)]
#[command(after_help = "The first 'waxseal encrypt' makes a store by itself, sealed by a key file beside it. That
protects a copied database only. A passphrase protects against everyone who does not know it.

Examples:
  waxseal kms init --seal passphrase
  waxseal kms init --seal arn:aws:kms:eu-west-1:111122223333:key/...")]
pub(crate) struct KmsInit {
    /// What protects the keys
    #[arg(long, value_name = "SEAL", default_value_t = SealName::Keyfile, long_help = SealName::HELP)]
    pub(crate) seal: SealName,
    /// Home region of the keys
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal kms backup`.
#[derive(Debug, Args)]
#[command(after_help = "Keep the file and its passphrase in different places. Make a new backup after adding keys.

Example:
  waxseal kms backup keys.backup")]
pub(crate) struct KmsBackup {
    /// File to write
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace the file if it exists
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) backup: BackupPassphrase,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal kms restore`.
#[derive(Debug, Args)]
#[command(after_help = "A store that exists is never overwritten.

Example:
  waxseal kms restore keys.backup")]
pub(crate) struct KmsRestore {
    /// Backup to read
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What protects the keys on this machine
    #[arg(long, value_name = "SEAL", default_value_t = SealName::Keyfile, long_help = SealName::HELP)]
    pub(crate) seal: SealName,
    #[command(flatten)]
    pub(crate) backup: BackupPassphrase,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// Where the passphrase of a backup comes from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Passphrase of the backup (else that of the store, else asked on the terminal)")]
pub(crate) struct BackupPassphrase {
    /// Read it from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "backup_passphrase_command")]
    pub(crate) backup_passphrase_file: Option<PathBuf>,
    /// Read it from the first line that this shell command prints
    #[arg(long, value_name = "COMMAND")]
    pub(crate) backup_passphrase_command: Option<String>,
}

//! The words of `waxseal kms serve` and of what goes with a served KMS.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use waxseal_kms_server::Listen;

use super::{PassphraseOptions, SealName};

/// `waxseal kms serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "The AWS CLI and every AWS SDK use it unchanged. Requests have to be signed with a credential that
'waxseal kms credentials create' has made. It serves until SIGTERM or SIGINT. GET /healthz says
whether it is well, and GET /metrics counts.

Example:
  waxseal kms credentials create --name me
  waxseal kms serve
  AWS_ENDPOINT_URL_KMS=http://127.0.0.1:8181 aws kms list-keys"
)]
pub(crate) struct KmsServe {
    /// Listen at this address and port (port 0: any), or at unix:PATH
    #[arg(long, value_name = "WHERE", default_value = "127.0.0.1:8181")]
    pub(crate) listen: Listen,
    /// Speak HTTPS, with this certificate and what lies between it and its root (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Let other machines connect without TLS, so that whoever sees the network sees the keys
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Begin locked: no key is in memory until 'waxseal kms unlock'
    #[arg(long)]
    pub(crate) locked: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal kms credentials`.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct KmsCredentials {
    #[command(subcommand)]
    pub(crate) command: CredentialsCommand,
}

/// The commands of `waxseal kms credentials`.
#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Make an access key, and print it: its secret is shown this once
    Create(CredentialsCreate),
    /// List access keys, without their secrets
    List,
    /// Delete an access key: what it signs is refused from the next request on
    Delete(CredentialsDelete),
}

/// `waxseal kms credentials create`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  waxseal kms credentials create --name build-server")]
pub(crate) struct CredentialsCreate {
    /// Whose it is: 1 to 64 of A-Z a-z 0-9 + = , . @ _ -
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal kms credentials delete`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  waxseal kms credentials delete WAXKABCDEFGHIJKLMNOP")]
pub(crate) struct CredentialsDelete {
    /// The access key id
    #[arg(value_name = "ACCESS-KEY-ID")]
    pub(crate) access_key_id: String,
}

/// `waxseal kms lock`.
#[derive(Debug, Args)]
#[command(after_help = "Every running server of this key store answers KeyUnavailableException until it is unlocked.")]
pub(crate) struct KmsLock {}

/// `waxseal kms unlock`.
#[derive(Debug, Args)]
#[command(after_help = "Every running server of this key store opens it again.")]
pub(crate) struct KmsUnlock {
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal kms seal`.
#[derive(Debug, Args)]
#[command(after_help = "Keys, and everything encrypted under them, stay as they are. Running servers and mounts go on.
Backups keep their own passphrase. A key file that sealed the store stays beside it: it opens older
copies of the database, and nothing else any more.

Examples:
  waxseal kms seal --seal passphrase
  waxseal kms seal --seal arn:aws:kms:eu-west-1:111122223333:key/...
  waxseal kms seal --seal passphrase --passphrase-file old --new-passphrase-file new")]
pub(crate) struct KmsSeal {
    /// What protects the keys from now on
    #[arg(long, value_name = "SEAL", long_help = SealName::HELP)]
    pub(crate) seal: SealName,
    #[command(flatten)]
    pub(crate) new: NewPassphrase,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// Where the new passphrase of the key store comes from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "New passphrase (asked on the terminal otherwise)")]
pub(crate) struct NewPassphrase {
    /// Read it from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase_command")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// Read it from the first line that this shell command prints
    #[arg(long, value_name = "COMMAND")]
    pub(crate) new_passphrase_command: Option<String>,
}

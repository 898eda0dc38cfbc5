//! The words of `waxseal mount` and `waxseal umount`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use waxseal_container::Suite;
use waxseal_envelope::AwsAccount;

use super::{AwsOptions, PassphraseOptions, suite_parser};
use crate::duration::parse_duration;

/// `waxseal mount`.
#[derive(Debug, Args)]
#[command(after_help = "DIR holds the containers, and MOUNTPOINT shows them as ordinary files: DIR/notes.txt.wax is
MOUNTPOINT/notes.txt. Without --foreground the command returns when the mount is ready. The mount
goes on in the background until 'waxseal umount MOUNTPOINT', SIGTERM or SIGINT.

Examples:
  waxseal mount vault ~/clear
  waxseal mount --read-only -c project=apollo vault ~/clear
  waxseal umount ~/clear")]
pub(crate) struct Mount {
    /// Directory of containers
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Directory to mount on
    #[arg(value_name = "MOUNTPOINT")]
    pub(crate) mountpoint: PathBuf,
    /// Change nothing in DIR
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Stay in the foreground, and print the log on standard error
    #[arg(long)]
    pub(crate) foreground: bool,
    /// Let other users use the mount, as far as owners and modes let them
    #[arg(long)]
    pub(crate) allow_other: bool,
    /// Mount on a directory that is not empty; what is in it is hidden meanwhile
    #[arg(long)]
    pub(crate) nonempty: bool,
    /// Ask the key service again when a file is opened after this time, and wipe keys not used since
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "5m")]
    pub(crate) key_ttl: Duration,
    /// Threads that answer requests [default: two a core, at least 6]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Append the log to this file [default: the system's log]
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Cipher suite of new files
    #[arg(long, value_name = "SUITE", value_parser = suite_parser(), default_value_t)]
    pub(crate) suite: Suite,
    /// Open only with this KMS key, and make new files for each that is named: key id, ARN or alias (repeatable)
    /// [default: any key of the store and keys of AWS KMS that the configuration trusts open; $WAXSEAL_KEY, else as the
    /// configuration says, else alias/default makes]
    #[arg(short, long = "key", value_name = "KEY", help_heading = "Opening")]
    pub(crate) keys: Vec<String>,
    /// Open with any key of AWS KMS that belongs to this account (repeatable)
    #[arg(long, value_name = "ACCOUNT", help_heading = "Opening")]
    pub(crate) discovery: Vec<AwsAccount>,
    /// Insist on this pair, or on a pair of this name, in each file's encryption context, and bind new files to the
    /// pairs that have a value (repeatable) [default: insist on nothing; bind to $WAXSEAL_CONTEXT, else as the
    /// configuration says]
    #[arg(short, long = "context", value_name = "NAME[=VALUE]", help_heading = "Opening")]
    pub(crate) context: Vec<String>,
    /// Let nobody run programs from the mount
    #[arg(long, hide = true)]
    pub(crate) noexec: bool,
    #[command(flatten)]
    pub(crate) aws: AwsOptions,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal umount`.
#[derive(Debug, Args)]
#[command(after_help = "Returns when everything that was written through the mount is on disk.

Example:
  waxseal umount ~/clear")]
pub(crate) struct Umount {
    /// Where it is mounted
    #[arg(value_name = "MOUNTPOINT")]
    pub(crate) mountpoint: PathBuf,
}

/// More threads than this only take memory.
const MAX_THREADS: usize = 256;

fn parse_threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads: NonZeroUsize = text.parse().map_err(|_| "a number from 1 on is expected".to_owned())?;
    if threads.get() > MAX_THREADS { Err(format!("at most {MAX_THREADS} threads")) } else { Ok(threads) }
}

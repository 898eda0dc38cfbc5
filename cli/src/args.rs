//! The command line's words: subcommands, options, and their help.

mod aws;
mod doctor;
#[cfg(feature = "fuse")]
mod mount;
mod prepare;
mod rewrap;
mod seal;
mod serve;
mod tree;
mod verify;
#[cfg(not(feature = "fuse"))]
mod without_mount;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use waxseal_container::Suite;
use waxseal_envelope::AwsAccount;

pub(crate) use self::aws::AwsOptions;
pub(crate) use self::doctor::Doctor;
#[cfg(feature = "fuse")]
pub(crate) use self::mount::{Mount, Umount};
pub(crate) use self::prepare::Prepare;
pub(crate) use self::rewrap::Rewrap;
pub(crate) use self::seal::SealName;
pub(crate) use self::serve::{
    CredentialsCommand, CredentialsCreate, KmsCredentials, KmsLock, KmsSeal, KmsServe, KmsUnlock, NewPassphrase,
};
pub(crate) use self::tree::{CopyOptions, TreeOptions};
pub(crate) use self::verify::Verify;
#[cfg(not(feature = "fuse"))]
pub(crate) use self::without_mount::{Mount, Umount};
use crate::range::Range;

/// Encrypts files with envelope encryption.
#[derive(Debug, Parser)]
#[command(
    name = "waxseal",
    version,
    about = "Encrypts files. Each gets its own data key from a key store that is made for you.",
    after_help = "Examples:
  waxseal encrypt report.pdf              writes report.pdf.wax
  waxseal decrypt report.pdf.wax          writes report.pdf
  tar c project | waxseal encrypt > project.tar.wax
  waxseal kms backup keys.backup          do this once: without the keys nothing opens

'waxseal COMMAND --help' says more about a command.",
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Common {
    /// Keep the key store under this directory [default: $WAXSEAL_HOME, else the user's data directory]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) home: Option<PathBuf>,
    /// Print JSON instead of text: one object a line, one for each file
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say what was done
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Encrypt files, or standard input
    Encrypt(Encrypt),
    /// Decrypt files, or standard input
    Decrypt(Decrypt),
    /// Write the plaintext of files to standard output
    Cat(Cat),
    /// Check that files are whole and authentic; repair them, or save what is left of them
    Verify(Verify),
    /// Show what a file says about itself; needs no key
    Inspect(Inspect),
    /// Make containers that hold a data key which nobody here has seen, to be filled elsewhere
    Prepare(Prepare),
    /// Put files under other keys, or under the newest version of theirs, without touching their content
    Rewrap(Rewrap),
    /// Show a directory of encrypted files as ordinary files
    Mount(Mount),
    /// Unmount, and wait until everything is written
    Umount(Umount),
    /// Show where the keys are, how they are protected, and when they were last backed up
    Status,
    /// Find out what works here and what does not: keys, permissions, the mount, the backup
    Doctor(Doctor),
    /// Manage the key store
    Kms(Kms),
}

/// `waxseal encrypt`.
#[derive(Debug, Args)]
#[command(after_help = "Without INPUT, or with -, standard input is encrypted to standard output.
FILE becomes FILE.wax; the original stays. Several inputs with -o need a directory. With -r what is
in a directory INPUT goes into the directory OUT, which is made if it is missing.

Examples:
  waxseal encrypt report.pdf
  waxseal encrypt -c project=apollo *.csv -o vault/
  waxseal encrypt -r --update --exclude cache/ ~/documents -o vault
  waxseal encrypt -k alias/default -k arn:aws:kms:eu-west-1:111122223333:key/... report.pdf
  pg_dump db | waxseal encrypt -o db.sql.wax")]
pub(crate) struct Encrypt {
    /// Files to encrypt
    #[arg(value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// KMS key that opens the files: key id, ARN or alias; repeated, each of them opens them
    /// [default: alias/default]
    #[arg(short, long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Bind the file to this pair; it is stored in the clear and can be insisted on later
    #[arg(short, long = "context", value_name = "NAME=VALUE")]
    pub(crate) context: Vec<String>,
    /// Cipher suite [default: aes-256-gcm-siv]
    #[arg(long, value_name = "SUITE", value_parser = suite_parser())]
    pub(crate) suite: Option<Suite>,
    /// Fill this prepared container instead of making a new one; -k, -c and --suite are then what it has to have
    #[arg(long, value_name = "PREPARED", conflicts_with_all = ["output", "force", "no_sync", "jobs", "recursive"])]
    pub(crate) into: Option<PathBuf>,
    /// Have each key open the file's data key again before anything is written: one Decrypt for each key and file. Implied
    /// by --remove-source
    #[arg(long, conflicts_with = "into")]
    pub(crate) verify_keys: bool,
    #[command(flatten)]
    pub(crate) many: Many,
    #[command(flatten)]
    pub(crate) tree: TreeOptions,
    #[command(flatten)]
    pub(crate) copy: CopyOptions,
    /// Remove containers, links and directories from OUT whose source is gone, once all of the source has been listed
    #[arg(long, requires = "recursive", conflicts_with = "files_from", help_heading = "Trees")]
    pub(crate) delete: bool,
    /// Remove each file once its container is on disk and was verified there; files of several names and links stay
    #[arg(long, requires = "recursive", conflicts_with_all = ["no_sync", "delete"], help_heading = "Trees")]
    pub(crate) remove_source: bool,
    #[command(flatten)]
    pub(crate) writing: Writing,
    #[command(flatten)]
    pub(crate) aws: AwsOptions,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal decrypt`.
#[derive(Debug, Args)]
#[command(after_help = "Without INPUT, or with -, standard input is decrypted to standard output.
FILE.wax becomes FILE; the container stays. An output file appears only when it is complete and
verified. To a pipe, each piece is released once it is verified: check the exit code.

Examples:
  waxseal decrypt report.pdf.wax
  waxseal decrypt vault/*.wax -o plain/
  waxseal decrypt -r vault -o plain --include 'letters/**'
  waxseal decrypt < project.tar.wax | tar x")]
pub(crate) struct Decrypt {
    /// Files to decrypt
    #[arg(value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Decrypt only LENGTH bytes from OFFSET on; without LENGTH, to the end
    #[arg(long, value_name = "OFFSET:LENGTH", allow_hyphen_values = true, conflicts_with = "recursive")]
    pub(crate) range: Option<Range>,
    #[command(flatten)]
    pub(crate) many: Many,
    #[command(flatten)]
    pub(crate) tree: TreeOptions,
    #[command(flatten)]
    pub(crate) copy: CopyOptions,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) writing: Writing,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal cat`.
#[derive(Debug, Args)]
#[command(after_help = "Several files are written one after the other; - is standard input.
A range reads only the pages it needs. What lies beyond the end is left out.

Examples:
  waxseal cat notes.txt.wax | grep budget
  waxseal cat --range 1048576:4096 database.wax")]
pub(crate) struct Cat {
    /// Files to read
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write only LENGTH bytes from OFFSET on; without LENGTH, to the end
    #[arg(long, value_name = "OFFSET:LENGTH", allow_hyphen_values = true)]
    pub(crate) range: Option<Range>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

/// `waxseal inspect`.
#[derive(Debug, Args)]
#[command(after_help = "What is shown are the file's claims: they are proven when it is opened.

Example:
  waxseal inspect report.pdf.wax
  waxseal inspect -r --keys vault         which keys the files depend on, and how many of them")]
pub(crate) struct Inspect {
    /// Files to look at
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Show only the keys, one a line; with -r each once, behind the number of files that it opens
    #[arg(long)]
    pub(crate) keys: bool,
    #[command(flatten)]
    pub(crate) many: Many,
    #[command(flatten)]
    pub(crate) tree: TreeOptions,
}

/// How a container is opened.
#[derive(Debug, Args)]
#[command(next_help_heading = "Opening")]
pub(crate) struct Reading {
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
    /// Read an interrupted container as far as it was certainly written
    #[arg(long)]
    pub(crate) recover: bool,
    #[command(flatten)]
    pub(crate) aws: AwsOptions,
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
    /// Work on this many files at once [default: the number of cores, or 8 more than --kms-concurrency allows where
    /// keys of AWS KMS are used]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Write every failure to FILE as a line of JSON, and at the end the summary
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

/// Where the passphrase of the key store comes from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Passphrase of the key store, if it has one (asked on the terminal otherwise)")]
pub(crate) struct PassphraseOptions {
    /// Read it from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_command")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Read it from the first line that this shell command prints
    #[arg(long, value_name = "COMMAND")]
    pub(crate) passphrase_command: Option<String>,
}

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

/// Parses a suite, and lists them in the help.
fn suite_parser() -> impl TypedValueParser<Value = Suite> {
    PossibleValuesParser::new(Suite::ALL.map(Suite::name)).try_map(|name| name.parse::<Suite>())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

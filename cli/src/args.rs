//! The command line's words: subcommands, options, and their help.

mod aws;
mod config;
mod doctor;
mod documents;
mod kms;
#[cfg(feature = "fuse")]
mod mount;
mod prepare;
mod rewrap;
mod seal;
mod serve;
mod shared;
mod tree;
mod verify;
#[cfg(not(feature = "fuse"))]
mod without_mount;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use waxseal_container::Suite;

pub(crate) use self::aws::{AwsOptions, ServedOption};
pub(crate) use self::config::{ConfigCommand, ConfigShow, Configuration};
pub(crate) use self::doctor::Doctor;
pub(crate) use self::documents::{Completions, Man};
pub(crate) use self::kms::{BackupPassphrase, Kms, KmsBackup, KmsCommand, KmsInit, KmsRestore};
#[cfg(feature = "fuse")]
pub(crate) use self::mount::{Mount, Umount};
pub(crate) use self::prepare::Prepare;
pub(crate) use self::rewrap::Rewrap;
pub(crate) use self::seal::SealName;
pub(crate) use self::serve::{
    CredentialsCommand, CredentialsCreate, KmsCredentials, KmsLock, KmsSeal, KmsServe, KmsUnlock, NewPassphrase,
};
pub(crate) use self::shared::{Demands, Many, PassphraseOptions, Reading, Writing};
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
    long_version = crate::version::long(),
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
    /// Look for the key store and the configuration in this directory [default: $WAXSEAL_HOME, else the user's own
    /// directories for data and configuration]
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
    /// Show a directory of encrypted files as ordinary files, which programs read and write
    Mount(Mount),
    /// Unmount, and wait until everything is written
    Umount(Umount),
    /// Show where the keys are, how they are protected, and when they were last backed up
    Status(Status),
    /// Find out what works here and what does not: keys, permissions, the mount, the backup
    Doctor(Doctor),
    /// Show what the configuration and the environment come to
    Config(Configuration),
    /// Make, back up, restore, seal and serve the key store; manage its keys as 'aws kms' does
    Kms(Kms),
    /// Print the script that makes a shell complete commands, options and files
    Completions(Completions),
    /// Write the manual pages, one for each command
    Man(Man),
}

/// `waxseal status`.
#[derive(Debug, Args)]
#[command(after_help = "Of a key store that is served somewhere, it shows whether it answers, and its default key.")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) served: ServedOption,
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
    /// Files to encrypt; with -r also directories
    #[arg(value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// KMS key that opens the files: key id, ARN or alias (repeatable: each of them opens them)
    /// [default: $WAXSEAL_KEY, else as the configuration says, else alias/default]
    #[arg(short, long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Bind the files to this pair; it is stored in the clear and can be insisted on later (repeatable)
    /// [default: $WAXSEAL_CONTEXT, else as the configuration says]
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
    /// Files to decrypt; with -r also directories
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

Examples:
  waxseal inspect report.pdf.wax          suite, size, context and keys
  waxseal inspect -r --keys vault         which keys the files depend on, and how many of them")]
pub(crate) struct Inspect {
    /// Files to look at; with -r also directories
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

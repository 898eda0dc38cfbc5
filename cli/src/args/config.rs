//! The words of `waxseal config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `waxseal config`.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Configuration {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// The commands of `waxseal config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show each setting, and where it is from: an option, a variable, a line of the configuration
    Show(ConfigShow),
}

/// `waxseal config show`.
#[derive(Debug, Args)]
#[command(
    after_help = "With PATH: the rule that a file there falls under when it is encrypted, its keys and its context.
Nothing is changed, no key is used, and PATH need not exist.

Examples:
  waxseal config show
  waxseal config show ~/documents/letter.odt"
)]
pub(crate) struct ConfigShow {
    /// File that would be encrypted, or directory with everything in it
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
}

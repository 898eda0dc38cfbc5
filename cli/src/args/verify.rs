//! The words of `waxseal verify`.

use std::path::PathBuf;

use clap::Args;

use super::{Many, PassphraseOptions, Reading, TreeOptions};
use crate::tree::Share;

/// `waxseal verify`.
#[derive(Debug, Args)]
#[command(after_help = "Every byte is read and authenticated. Nothing is written without --repair or --salvage.

A file whose last writer was killed is interrupted: nothing in it is damaged, each part is as it was
before or as it was to be, and --repair leaves it so. A damaged file is never changed; --salvage
saves the rest of it, also from a disk that does not give all of it.

Examples:
  waxseal verify vault/*.wax
  waxseal verify -c project=apollo report.pdf.wax
  waxseal verify -r vault
  waxseal verify -r --sample 5 --report failures.json vault
  waxseal verify --repair vault/*.wax
  waxseal verify --salvage rest.pdf report.pdf.wax")]
pub(crate) struct Verify {
    /// Files to check; with -r also directories
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Make files clean whose last writer was interrupted
    #[arg(long)]
    pub(crate) repair: bool,
    /// Write what is still whole of one file to OUT, with zeros in place of the rest
    #[arg(long, value_name = "OUT", conflicts_with_all = ["repair", "recursive"])]
    pub(crate) salvage: Option<PathBuf>,
    /// Replace OUT if it exists
    #[arg(short, long, requires = "salvage")]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) many: Many,
    #[command(flatten)]
    pub(crate) tree: TreeOptions,
    /// Check only a random share of the files, in percent, another one each time, and at least one of each input
    #[arg(long, value_name = "PERCENT", requires = "recursive", conflicts_with = "repair", help_heading = "Trees")]
    pub(crate) sample: Option<Share>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
}

//! The words for trees: what all commands have that take `-r`.

use std::path::PathBuf;

use clap::Args;

/// Which parts of a tree are meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trees")]
pub(crate) struct TreeOptions {
    /// Go into directories
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Follow symbolic links
    #[arg(short = 'L', long, requires = "recursive")]
    pub(crate) dereference: bool,
    /// Leave out what matches this pattern, and everything in it: *.o matches names at any depth, /cache and a/b paths
    /// below the input, cache/ directories only (repeatable)
    #[arg(long, value_name = "PATTERN", requires = "recursive")]
    pub(crate) exclude: Vec<String>,
    /// Take only what matches this pattern, and everything in it; what matches --exclude is left out of that (repeatable)
    #[arg(long, value_name = "PATTERN", requires = "recursive")]
    pub(crate) include: Vec<String>,
    /// Take only the names in this file, one a line, relative to the one input; - is standard input
    #[arg(long, value_name = "FILE", requires = "recursive")]
    pub(crate) files_from: Option<PathBuf>,
    /// Names in that file end with a zero byte, not with a line
    #[arg(long, requires = "files_from")]
    pub(crate) from0: bool,
}

/// How a tree is copied.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trees")]
pub(crate) struct CopyOptions {
    /// Skip what is there already with the same size and time of change; replace what is there and differs
    #[arg(short, long, requires = "recursive", conflicts_with = "force")]
    pub(crate) update: bool,
    /// Leave extended attributes out
    #[arg(long, requires = "recursive")]
    pub(crate) no_xattrs: bool,
}

//! The words of `waxseal mount` and `waxseal umount` in a program that was built without the mount.

use std::ffi::OsString;

use clap::Args;

/// `waxseal mount` or `waxseal umount`, which cannot be carried out whatever is asked for.
#[derive(Debug, Args)]
#[command(about = "Not in this program: it was built without the mount")]
pub(crate) struct Mount {
    /// Whatever is asked for
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

pub(crate) use Mount as Umount;

//! A file system that passes every request on to a directory below: the yardstick of
//! `cargo bench -p waxseal --bench mount`.
//!
//! `passthrough DIR MOUNTPOINT [FAULTS]` mounts, prints `ready`, and serves until somebody unmounts. What it asks of the kernel
//! is what Waxseal asks of it (`waxseal_fuse::mount`), so that the difference between the two is Waxseal's own work.
//! Like Waxseal it keeps no descriptor of a file that nobody has open, and reaches everything by a name in a directory.
//! With a third argument, a file's name, calls fail as that file says: what stands on it can be seen on a failing disk.
//! It is bare: it serves one user, leaves nothing behind for a crash to find, and follows only the latest name of a
//! file.

mod faults;
mod passing;
mod requests;
mod tree;

use std::error::Error;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use fuser::{Config, MountOption, Session};
use rustix::fs::Mode;

use crate::faults::Faults;
use crate::passing::Passthrough;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(directory), Some(mountpoint), faults, None) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: passthrough DIR MOUNTPOINT [FAULTS]".into());
    };
    // The modes of new files are those that programs ask for, less their own masks.
    rustix::process::umask(Mode::empty());
    let cores = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let mut config = Config::default();
    config.mount_options =
        vec![MountOption::FSName("passthrough".into()), MountOption::DefaultPermissions, MountOption::RW];
    config.n_threads = Some((2 * cores).max(6));
    config.clone_fd = true;
    let session = Session::new(Passthrough::new(&directory, Faults::told_by(faults))?, &mountpoint, &config)?;
    let mut output = std::io::stdout();
    writeln!(output, "ready")?;
    output.flush()?;
    Ok(session.run()?)
}

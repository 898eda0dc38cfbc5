//! `waxseal umount`.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use serde_json::json;

use crate::args::Umount;
use crate::error::{Class, CliError};
use crate::mounts::{self, FILESYSTEM_TYPE, PlaceLock, Users};
use crate::output::Console;
use crate::shown::shown;

/// How long the process that served the mount may take to write what is left.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
pub(crate) fn run(args: &Umount, console: &Console) -> Result<(), CliError> {
    let asked = &args.mountpoint;
    let no_place = |error: io::Error| CliError::system(Class::Input, "cannot be found", &error).file(asked);
    let mountpoint = mounts::mountpoint_path(asked).map_err(no_place)?;
    refuse_others(&mountpoint)?;
    mounts::unmount(&mountpoint, Users::Respect).map_err(|error| cannot_unmount(&error, &mountpoint))?;
    wait_for_the_rest(&mountpoint, console)?;
    console.done(
        || format!("unmounted {}", shown(&mountpoint.to_string_lossy())),
        || json!({"v": 1, "status": "ok", "operation": "unmounted", "mountpoint": mountpoint.to_string_lossy()}),
    )
}

/// Refuses what is not a mount of ours: other file systems are not ours to take away.
fn refuse_others(mountpoint: &Path) -> Result<(), CliError> {
    let no_table = |error: io::Error| CliError::system(Class::Other, "cannot read the table of mounts", &error);
    let hint = format!("'findmnt -t {FILESYSTEM_TYPE}' shows what is mounted, and where");
    let refused = |text: String| Err(CliError::new(Class::Input, text).file(mountpoint).hint(hint.as_str()));
    match mounts::topmost(mountpoint).map_err(no_table)? {
        None => refused("nothing is mounted there".to_owned()),
        Some(entry) if entry.filesystem != FILESYSTEM_TYPE => {
            refused(format!("what is mounted there is of type {}, not waxseal's", shown(&entry.filesystem)))
        }
        Some(_) => Ok(()),
    }
}

fn cannot_unmount(error: &io::Error, mountpoint: &Path) -> CliError {
    let built = CliError::system(Class::Other, "cannot be unmounted", error).file(mountpoint);
    if error.raw_os_error() == Some(Errno::BUSY.raw_os_error()) {
        return built.hint("programs have files open there, or are in there: 'fuser -vm' and the place show which");
    }
    built
}

/// Waits until the process that served the mount has written everything and let go of the directory beneath.
fn wait_for_the_rest(mountpoint: &Path, console: &Console) -> Result<(), CliError> {
    let waited = PlaceLock::open(mountpoint).and_then(|lock| lock.wait_until_free(PATIENCE));
    match waited {
        Ok(true) => Ok(()),
        Ok(false) => {
            let text = format!("is unmounted, but not everything is written after {} s", PATIENCE.as_secs());
            Err(CliError::new(Class::Other, text).file(mountpoint).hint("it goes on; its log says if something fails"))
        }
        Err(error) => {
            let place = shown(&mountpoint.to_string_lossy());
            let text = format!("{place}: is unmounted, but whether everything is written cannot be told: {error}");
            console.warning(&text, None);
            Ok(())
        }
    }
}

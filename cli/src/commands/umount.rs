//! `waxseal umount`.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use serde_json::json;

use crate::args::Umount;
use crate::error::{Class, CliError, reason};
use crate::mounts::{self, Asker, FILESYSTEM_TYPE, MountEntry, Outcome, PlaceLock, Users};
use crate::output::Console;
use crate::shown::shown;

/// How long the process that served the mount may take to write what is left.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
pub(crate) fn run(args: &Umount, console: &Console) -> Result<(), CliError> {
    let asked = &args.mountpoint;
    let no_place = |error: io::Error| CliError::system(Class::Input, "cannot be found", &error).file(asked);
    let mountpoint = mounts::mountpoint_path(asked).map_err(no_place)?;
    let entry = our_mount(&mountpoint)?;
    let process = Asker::connect(&entry);
    // A process that has died says nothing any more, and has nothing left to write.
    let is_dead = process.is_err() && mounts::is_dead(&mountpoint);
    mounts::unmount(&mountpoint, Users::Respect).map_err(|error| cannot_unmount(&error, &mountpoint))?;
    if !is_dead {
        wait_for_the_rest(process, &mountpoint, console)?;
    }
    console.done(
        || format!("unmounted {}", shown(&mountpoint.to_string_lossy())),
        || json!({"v": 1, "status": "ok", "operation": "unmounted", "mountpoint": mountpoint.to_string_lossy()}),
    )
}

/// Finds the mount, and refuses what is not ours: other file systems are not ours to take away.
fn our_mount(mountpoint: &Path) -> Result<MountEntry, CliError> {
    let no_table = |error: io::Error| CliError::system(Class::Other, "cannot read the table of mounts", &error);
    let hint = format!("'findmnt -t {FILESYSTEM_TYPE}' shows what is mounted, and where");
    let refused = |text: String| Err(CliError::new(Class::Input, text).file(mountpoint).hint(hint.as_str()));
    match mounts::topmost(mountpoint).map_err(no_table)? {
        None => refused("nothing is mounted there".to_owned()),
        Some(entry) if entry.filesystem != FILESYSTEM_TYPE => {
            refused(format!("what is mounted there is of type {}, not waxseal's", shown(&entry.filesystem)))
        }
        Some(entry) => Ok(entry),
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
fn wait_for_the_rest(process: io::Result<Asker>, mountpoint: &Path, console: &Console) -> Result<(), CliError> {
    let failed = |text: &str, hint: &str| Err(CliError::new(Class::Other, text).file(mountpoint).hint(hint));
    let slow = || {
        let text = format!("is unmounted, but not everything is written after {} s", PATIENCE.as_secs());
        failed(&text, "it goes on; its log says if something fails")
    };
    let let_go = || PlaceLock::open(mountpoint).and_then(|lock| lock.wait_until_free(PATIENCE));
    match process.and_then(|process| process.wait(PATIENCE)) {
        Ok(Outcome::Written) => {
            // It lets go at once. A directory that may not be read is nobody's to mount on either.
            let_go().ok();
            Ok(())
        }
        Ok(Outcome::Failed) => failed(
            "is unmounted, but not everything that was written there could be brought to the disk",
            "the mount's log says which files, and why",
        ),
        Ok(Outcome::Died) => failed(
            "is unmounted, but its process died before everything was written",
            "every file opens; the last two seconds of writing may be missing where nothing was synced",
        ),
        Ok(Outcome::Pending) => slow(),
        Err(_) if matches!(let_go(), Ok(false)) => slow(),
        Err(error) => {
            let (place, why) = (shown(&mountpoint.to_string_lossy()), reason(&error));
            let text = format!("{place}: is unmounted, but whether everything is written cannot be told: {why}");
            console.warning(&text, Some("the mount's log says if something failed"));
            Ok(())
        }
    }
}

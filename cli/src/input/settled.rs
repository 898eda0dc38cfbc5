//! Files that were changed just now are waited for.
//!
//! A change that follows within one tick of the clock leaves the time of change as it is, and would not be seen: not while the
//! file is read, and not by the next `--update`.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

use super::Input;
use crate::atomic::modified;

/// Two ticks of the clock of file systems, which ticks 100 times a second at the slowest.
const TICK: Duration = Duration::from_millis(20);

/// Opens a file by `open`, and once more a moment later if it was changed just now. A stream is opened once.
pub(crate) fn open_settled<E>(open: impl Fn() -> Result<Input, E>) -> Result<Input, E> {
    let input = open()?;
    match age(&input.stat).and_then(|age| TICK.checked_sub(age)) {
        Some(left) if input.regular.is_some() => {
            sleep(left);
            open()
        }
        _ => Ok(input),
    }
}

/// How long ago a file was changed; none if it says that it was not yet.
fn age(stat: &Stat) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let modified = modified(stat);
    now.checked_sub(Duration::new(modified.tv_sec.try_into().ok()?, modified.tv_nsec.try_into().ok()?))
}

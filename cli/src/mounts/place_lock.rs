//! What ties a mount to the directory beneath it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

/// How often a lock is asked for while it is waited for.
const POLL: Duration = Duration::from_millis(20);

/// How long a directory has to be held for writing before nobody waits for it any longer: commands that clear what a killed
/// one has left there hold it for a moment only.
const WRITING: Duration = Duration::from_secs(1);

/// A lock that the process that serves a mount holds from before it mounts until everything is written.
///
/// It is a flock(2) on the directory beneath itself, so that it leaves nothing behind, and goes when the process dies. The
/// commands that write files hold the directories that they write into by a shared one (`atomic::hold`).
#[derive(Debug)]
pub(crate) struct PlaceLock {
    directory: File,
}

/// What became of an attempt to take a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is ours.
    Ours,
    /// Another process mounts or unmounts there.
    ByMount,
    /// Commands write files into the directory.
    ByWriters,
}

impl PlaceLock {
    /// Opens the directory that is at `mountpoint` now.
    pub(crate) fn open(mountpoint: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(mountpoint, flags, Mode::empty())?;
        Ok(Self { directory: File::from(directory) })
    }

    /// Takes it for a mount, waiting at most so long for another mount to end.
    pub(crate) fn take(&self, patience: Duration) -> io::Result<Taken> {
        let deadline = Instant::now() + patience;
        let mut written_since = None;
        loop {
            if self.try_lock(FlockOperation::NonBlockingLockExclusive)? {
                return Ok(Taken::Ours);
            }
            // Who writes files shares it with others, and a mount does not.
            if self.try_lock(FlockOperation::NonBlockingLockShared)? {
                flock(&self.directory, FlockOperation::Unlock)?;
                let since = *written_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= WRITING.min(patience) {
                    return Ok(Taken::ByWriters);
                }
            } else {
                written_since = None;
            }
            if Instant::now() >= deadline {
                return Ok(Taken::ByMount);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until no mount holds it, at most so long; false if one does still.
    pub(crate) fn wait_until_free(&self, patience: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + patience;
        // Several may wait at once.
        while !self.try_lock(FlockOperation::NonBlockingLockShared)? {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(POLL);
        }
        Ok(true)
    }

    fn try_lock(&self, operation: FlockOperation) -> io::Result<bool> {
        loop {
            match flock(&self.directory, operation) {
                Ok(()) => return Ok(true),
                Err(Errno::WOULDBLOCK) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_by_one_and_waited_for_by_others() {
        let scratch = tempfile::tempdir().unwrap();
        let holder = PlaceLock::open(scratch.path()).unwrap();
        let other = PlaceLock::open(scratch.path()).unwrap();
        assert_eq!(holder.take(Duration::ZERO).unwrap(), Taken::Ours);
        assert_eq!(other.take(Duration::ZERO).unwrap(), Taken::ByMount);
        assert!(!other.wait_until_free(Duration::ZERO).unwrap());
        drop(holder);
        assert!(other.wait_until_free(Duration::ZERO).unwrap());
    }

    #[test]
    fn who_writes_into_the_directory_is_told_from_a_mount() {
        let scratch = tempfile::tempdir().unwrap();
        let [writer, other, mount] = [(); 3].map(|()| PlaceLock::open(scratch.path()).unwrap());
        flock(&writer.directory, FlockOperation::NonBlockingLockShared).unwrap();
        flock(&other.directory, FlockOperation::NonBlockingLockShared).unwrap();
        assert_eq!(mount.take(Duration::ZERO).unwrap(), Taken::ByWriters);
        drop((writer, other));
        assert_eq!(mount.take(Duration::ZERO).unwrap(), Taken::Ours);
    }
}

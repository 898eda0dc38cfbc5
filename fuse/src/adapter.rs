//! FUSE, spoken for the file system: requests become calls, results become replies, and a panic becomes `EIO`.

mod requests;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType as Kind, Generation, INodeNo, Request, TimeOrNow};
use rustix::fs::FileType;
use rustix::io::Errno;
use tokio::runtime::Handle;

use crate::attributes::Attributes;
use crate::filesystem::{Caller, Filesystem, Known};

/// How long the kernel believes what it was told: the backing directory may change by other hands.
const TTL: Duration = Duration::from_secs(1);

/// Between the kernel and the file system.
#[derive(Debug)]
pub(crate) struct Adapter {
    filesystem: Arc<Filesystem>,
    runtime: Handle,
}

impl Adapter {
    pub(crate) fn new(filesystem: Arc<Filesystem>, runtime: Handle) -> Self {
        Self { filesystem, runtime }
    }

    /// Calls the file system. A panic costs the caller an `EIO`, and nobody else anything.
    fn call<T>(&self, call: impl FnOnce(&Filesystem) -> Result<T, Errno>) -> Result<T, fuser::Errno> {
        match catch_unwind(AssertUnwindSafe(|| call(&self.filesystem))) {
            Ok(result) => result.map_err(number),
            Err(_) => Err(self.fault()),
        }
    }

    /// Answers a request that may have to wait for the key service: at once if it does not, else from another thread, so that
    /// no other request waits with it.
    fn answer<T: 'static>(
        &self,
        request: impl Future<Output = Result<T, Errno>> + Send + 'static,
        reply: impl FnOnce(Result<T, fuser::Errno>) + Send + 'static,
    ) {
        let mut request: Pin<Box<dyn Future<Output = Result<T, Errno>> + Send>> = Box::pin(request);
        let polled = {
            let _runtime = self.runtime.enter();
            let mut context = Context::from_waker(Waker::noop());
            catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(&mut context)))
        };
        match polled {
            Ok(Poll::Ready(result)) => reply(result.map_err(number)),
            Ok(Poll::Pending) => {
                // A panic there drops the reply, which tells the caller `EIO`.
                drop(self.runtime.spawn(async move { reply(request.await.map_err(number)) }));
            }
            Err(_) => reply(Err(self.fault())),
        }
    }

    fn fault(&self) -> fuser::Errno {
        self.filesystem.reporter.error("a fault of the program: one request was answered with EIO");
        fuser::Errno::EIO
    }
}

fn number(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw_os_error())
}

fn caller(request: &Request) -> Caller {
    Caller { uid: request.uid(), gid: request.gid() }
}

fn point(time: TimeOrNow) -> SystemTime {
    match time {
        TimeOrNow::SpecificTime(time) => as_meant(time),
        TimeOrNow::Now => SystemTime::now(),
    }
}

/// The time that the kernel sent: seconds, of which there may be less than none, and the nanoseconds after them. fuser 0.18
/// takes them for nanoseconds before, where it is before 1970.
fn as_meant(time: SystemTime) -> SystemTime {
    let Err(before) = time.duration_since(UNIX_EPOCH) else { return time };
    let fraction = Duration::from_nanos(before.duration().subsec_nanos().into());
    time.checked_add(2 * fraction).unwrap_or(time)
}

fn generation(known: &Known) -> Generation {
    Generation(known.generation)
}

fn attr(attributes: &Attributes) -> FileAttr {
    FileAttr {
        ino: INodeNo(attributes.node),
        size: attributes.size,
        blocks: attributes.blocks,
        atime: attributes.accessed,
        mtime: attributes.modified,
        ctime: attributes.changed,
        crtime: attributes.changed,
        kind: kind(attributes.kind),
        perm: attributes.mode,
        nlink: attributes.links,
        uid: attributes.uid,
        gid: attributes.gid,
        rdev: attributes.device,
        blksize: attributes.block_size,
        flags: 0,
    }
}

fn kind(kind: FileType) -> Kind {
    match kind {
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::NamedPipe,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::RegularFile | FileType::Unknown => Kind::RegularFile,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Files added, replaced, renamed or removed below are seen within a second" (SEMANTICS.md): the kernel asks again after
    /// as long as this, and `tests/mount/outside.rs` that it sees what is there then.
    #[test]
    fn the_kernel_believes_what_it_was_told_for_a_second_at_most() {
        assert!(TTL <= Duration::from_secs(1));
    }

    #[test]
    fn times_before_1970_are_those_that_the_kernel_sent() {
        for (seconds, nanoseconds) in [(0, 0), (5, 7), (-1, 0), (-1, 999_999_999), (-2, 1), (i64::MIN + 1, 5)] {
            // As fuser makes it (`system_time_from_time`).
            let length = Duration::new(u64::try_from(i64::abs(seconds)).unwrap(), nanoseconds);
            let sent = if seconds < 0 { UNIX_EPOCH - length } else { UNIX_EPOCH + length };
            let meant = crate::attributes::timespec(as_meant(sent));
            assert_eq!((meant.tv_sec, meant.tv_nsec), (seconds, nanoseconds.into()));
        }
    }
}

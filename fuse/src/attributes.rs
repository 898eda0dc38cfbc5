//! Attributes of what the mount shows, taken from what lies below.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Statx, StatxFlags, StatxTimestamp, Timespec, makedev};
use waxseal_container::{SizeClaim, size_claim};

/// What stat(2) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// The inode number that the mount shows, which is also the number by which the kernel names the file.
    pub(crate) node: u64,
    /// Bytes of plaintext, for a regular file; a claim until it is opened.
    pub(crate) size: u64,
    /// 512-byte blocks that it takes below.
    pub(crate) blocks: u64,
    pub(crate) block_size: u32,
    pub(crate) accessed: SystemTime,
    pub(crate) modified: SystemTime,
    pub(crate) changed: SystemTime,
    pub(crate) kind: FileType,
    /// Permission bits, set-id bits and the sticky bit.
    pub(crate) mode: u16,
    pub(crate) links: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) device: u32,
}

/// What lies below, as statx(2) tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Below {
    pub(crate) identity: Identity,
    pub(crate) kind: FileType,
    pub(crate) stat: Statx,
}

/// Which file it is: a number is used again, but not with the same time of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Seconds since 1970, and nanoseconds.
    pub(crate) born: (i64, u32),
}

/// What tells a changed file from an unchanged one without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    size: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

impl Below {
    /// Whether it was made by this process after a moment, as far as can be told; where it may be somebody else's, no.
    pub(crate) fn is_new(&self, kind: FileType, since: SystemTime) -> bool {
        let stat = &self.stat;
        let links = if kind == FileType::Directory { 2 } else { 1 };
        let has_birth = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
        self.kind == kind
            && stat.stx_nlink <= links
            && stat.stx_uid == rustix::process::geteuid().as_raw()
            && has_birth
            && time(pair(stat.stx_btime)) >= since
    }

    pub(crate) fn new(stat: Statx) -> Self {
        let born = pair(stat.stx_btime);
        let device = makedev(stat.stx_dev_major, stat.stx_dev_minor);
        Self {
            identity: Identity { device, inode: stat.stx_ino, born },
            kind: FileType::from_raw_mode(stat.stx_mode.into()),
            stat,
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { size: self.stat.stx_size, modified: pair(self.stat.stx_mtime), changed: pair(self.stat.stx_ctime) }
    }

    /// What the mount shows of it under a node number.
    pub(crate) fn attributes(&self, node: u64) -> Attributes {
        let stat = &self.stat;
        let size = match (self.kind, size_claim(stat.stx_size)) {
            (FileType::RegularFile, SizeClaim::Plaintext(size) | SizeClaim::Impossible(size)) => size,
            _ => stat.stx_size,
        };
        Attributes {
            node,
            size,
            blocks: stat.stx_blocks,
            block_size: stat.stx_blksize,
            accessed: time(pair(stat.stx_atime)),
            modified: time(pair(stat.stx_mtime)),
            changed: time(pair(stat.stx_ctime)),
            kind: self.kind,
            mode: stat.stx_mode & 0o7777,
            links: stat.stx_nlink,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            device: device_number(stat.stx_rdev_major, stat.stx_rdev_minor),
        }
    }
}

/// A device number as FUSE carries it: the 32-bit form of `new_encode_dev` in the kernel's `kdev_t.h`.
fn device_number(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// The device that a number in the kernel's 32-bit form stands for.
pub(crate) fn device_of(number: u32) -> u64 {
    makedev((number & 0xf_ff00) >> 8, (number & 0xff) | ((number >> 12) & 0xf_ff00))
}

fn pair(stamp: StatxTimestamp) -> (i64, u32) {
    (stamp.tv_sec, stamp.tv_nsec)
}

/// A time as statx(2) gives it: seconds since 1970, and the nanoseconds after them.
fn time((seconds, nanoseconds): (i64, u32)) -> SystemTime {
    let fraction = Duration::new(0, nanoseconds.min(999_999_999));
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    base.and_then(|base| base.checked_add(fraction)).unwrap_or(UNIX_EPOCH)
}

/// A time as utimensat(2) takes it.
pub(crate) fn timespec(time: SystemTime) -> Timespec {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: after.subsec_nanos().into(),
        },
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => Timespec { tv_sec: -whole, tv_nsec: 0 },
                part => Timespec { tv_sec: -whole - 1, tv_nsec: (1_000_000_000 - part).into() },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_1970_go_both_ways() {
        for (seconds, nanoseconds) in [(0, 0), (1, 5), (-1, 999_999_999), (-7, 0), (1_700_000_000, 123_456_789)] {
            let back = timespec(time((seconds, nanoseconds)));
            assert_eq!((back.tv_sec, back.tv_nsec), (seconds, nanoseconds.into()));
        }
    }

    #[test]
    fn device_numbers_go_both_ways() {
        for (major, minor) in [(1, 3), (8, 1), (259, 70_000), (4095, 1)] {
            assert_eq!(device_of(device_number(major, minor)), makedev(major, minor));
        }
    }
}

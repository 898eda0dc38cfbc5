//! Temporary files that killed runs have left in directories that are written into: they are removed.
//!
//! Only what is ours goes: by its name, by its kind and by its owner, in a directory that no other run of ours holds, and on
//! file systems of one machine, where that can be told. Such a file system may be lent to other machines all the same, or be
//! seen as part of another one (an NFS server's disk, the layers of an overlay), and then locks are not shared. So what
//! was not named on this machine since it was started has to be [old](AGE) as well.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, Stat, fstatfs, unlinkat};
use rustix::process::geteuid;

use super::folder::{look_at, next_names};
use crate::atomic::{have_alone, is_of_this_boot, is_temporary_name};

/// For how long nothing has been done to a file that is left over, if that is the only thing that tells: neither written nor
/// given any attribute, by the time of its last change of either (`st_ctime`), which nobody can set. That time is from the
/// clock of this machine, whoever writes: it runs the file system.
const AGE: Duration = Duration::from_hours(1);

/// File systems of one machine (linux/magic.h; statfs(2)): btrfs, ext2 to ext4, F2FS, XFS, tmpfs, overlayfs, bcachefs, ZFS, JFS,
/// FAT, exFAT, NTFS.
const OF_ONE_MACHINE: [u64; 12] = [
    0x9123_683E,
    0xEF53,
    0xF2F5_2010,
    0x5846_5342,
    0x0102_1994,
    0x794C_7630,
    0xCA45_1A4E,
    0x2FC1_2FC1,
    0x3153_464A,
    0x4D44,
    0x2011_BAB0,
    0x7366_746E,
];

/// Removes them from an open directory that nobody has read from, and says how many there were. The caller may have it for
/// himself afterwards, and has to hold it. What cannot be removed stays: it does no harm.
pub(super) fn remove(directory: impl AsFd) -> usize {
    remove_at(SystemTime::now(), directory)
}

fn remove_at(now: SystemTime, directory: impl AsFd) -> usize {
    let directory = directory.as_fd();
    let mut found: Vec<OsString> = Vec::new();
    while let Ok(names) = next_names(directory)
        && !names.is_empty()
    {
        found.extend(names.into_iter().map(|(name, _)| name).filter(|name| is_temporary_name(name)));
    }
    if found.is_empty() || !is_of_one_machine(directory) || !have_alone(directory) {
        return 0;
    }
    let is_left = |name: &&OsString| is_left(now, directory, name);
    found.iter().filter(is_left).filter(|name| unlinkat(directory, *name, AtFlags::empty()).is_ok()).count()
}

fn is_left(now: SystemTime, directory: impl AsFd, name: &OsStr) -> bool {
    let Ok(Some(stat)) = look_at(directory, name) else { return false };
    let kind = FileType::from_raw_mode(stat.st_mode);
    matches!(kind, FileType::RegularFile | FileType::Symlink)
        && stat.st_uid == geteuid().as_raw()
        && (is_of_this_boot(name) || is_old(now, &stat))
}

fn is_old(now: SystemTime, stat: &Stat) -> bool {
    let changed =
        u64::try_from(stat.st_ctime).ok().and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    changed.is_some_and(|changed| now.duration_since(changed).is_ok_and(|age| age >= AGE))
}

fn is_of_one_machine(directory: impl AsFd) -> bool {
    fstatfs(directory).is_ok_and(|stat| u64::try_from(stat.f_type).is_ok_and(|kind| OF_ONE_MACHINE.contains(&kind)))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, FileTimes};

    use super::*;

    #[test]
    fn what_another_machine_may_be_making_stays_for_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let open = || File::open(dir.path()).unwrap();
        if !is_of_one_machine(open()) {
            return;
        }
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let boot = u32::from_str_radix(&id[..8], 16).unwrap();
        let (own, other) =
            (format!(".waxseal-tmp-{boot:08x}01234567-1"), format!(".waxseal-tmp-{:08x}01234567-1", !boot));
        let make = |name: &String| File::create(dir.path().join(name)).unwrap();
        make(&own);
        // A finished file has the time of its source, which says nothing of how long it has been waiting for its name.
        make(&other).set_times(FileTimes::new().set_modified(UNIX_EPOCH)).unwrap();
        let now = SystemTime::now();
        let left = || fs::read_dir(dir.path()).unwrap().count();
        assert_eq!((remove_at(now, open()), left()), (1, 1));
        assert!(dir.path().join(&other).exists());
        for (later, removed) in [(59, 0), (61, 1)] {
            assert_eq!(remove_at(now + Duration::from_secs(later * 60), open()), removed, "after {later} minutes");
        }
        // A clock that was put back tells nothing.
        make(&other);
        assert_eq!((remove_at(now - AGE * 2, open()), left()), (0, 1));
    }
}

//! Temporary files that killed runs have left in directories that are written into: they are removed.
//!
//! Only what is ours goes: by its name, by its kind and by its owner, in a directory that no other run of ours holds, and on
//! file systems where that can be told because no other machine writes there.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, fstatfs, unlinkat};
use rustix::process::geteuid;

use super::folder::{look_at, next_names};
use crate::atomic::{have_alone, is_temporary_name};

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
    found.iter().filter(|name| is_ours(directory, name) && unlinkat(directory, *name, AtFlags::empty()).is_ok()).count()
}

fn is_ours(directory: impl AsFd, name: &OsStr) -> bool {
    let Ok(Some(stat)) = look_at(directory, name) else { return false };
    let kind = FileType::from_raw_mode(stat.st_mode);
    matches!(kind, FileType::RegularFile | FileType::Symlink) && stat.st_uid == geteuid().as_raw()
}

fn is_of_one_machine(directory: impl AsFd) -> bool {
    fstatfs(directory).is_ok_and(|stat| u64::try_from(stat.f_type).is_ok_and(|kind| OF_ONE_MACHINE.contains(&kind)))
}

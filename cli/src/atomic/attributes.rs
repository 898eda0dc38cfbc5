//! What an output takes over from its source: permissions, owner, time of change.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use crate::place::Spot;

/// What a new file takes over from its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Permission bits; with an owner also the set-id bits and the sticky bit.
    pub(crate) mode: Mode,
    /// Time of the last change; none leaves it at now.
    pub(crate) modified: Option<Timespec>,
    /// Whom it belongs to, as far as the system permits it; none leaves it to whoever makes it.
    pub(crate) owner: Option<Owner>,
}

/// Whom a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The user.
    pub(crate) user: Uid,
    /// The group.
    pub(crate) group: Gid,
}

/// The set-user-id and the set-group-id bit.
const SET_IDS: [Mode; 2] = [Mode::SUID, Mode::SGID];

impl Attributes {
    /// All that `stat` tells: what a copy in a tree takes over.
    pub(crate) fn all_of(stat: &Stat) -> Self {
        Self {
            mode: Mode::from_raw_mode(stat.st_mode & 0o7777),
            modified: Some(modified(stat)),
            owner: Some(Owner { user: Uid::from_raw(stat.st_uid), group: Gid::from_raw(stat.st_gid) }),
        }
    }

    /// Gives them to an open file or directory, as far as it has others. `known` is its mode, if that is known.
    pub(crate) fn give_to(&self, file: impl AsFd, known: Option<Mode>) -> rustix::io::Result<()> {
        let file = file.as_fd();
        let mut mode = self.mode;
        let mut now = known;
        let mut time_now = None;
        if self.owner.is_some() || known.is_none() {
            let stat = rustix::fs::fstat(file)?;
            (now, time_now) = (Some(Mode::from_raw_mode(stat.st_mode & 0o7777)), Some(modified(&stat)));
            if let Some(owner) = self.owner {
                let kept = owner.give_to(file, &stat)?;
                // Whoever gets the file instead did not ask for these.
                SET_IDS.into_iter().zip(kept).filter(|(_, kept)| !kept).for_each(|(bit, _)| mode.remove(bit));
                // A change of owner takes the set-id bits away.
                if kept != [true; 2] || (stat.st_uid, stat.st_gid) != (owner.user.as_raw(), owner.group.as_raw()) {
                    now = None;
                }
            }
        }
        if now != Some(mode) {
            rustix::fs::fchmod(file, mode)?;
        }
        match self.modified {
            Some(modified) if time_now != Some(modified) => rustix::fs::futimens(file, &only_modified(modified)),
            _ => Ok(()),
        }
    }

    /// Gives them to a symbolic link, which has no mode.
    pub(crate) fn give_to_link(&self, link: &Spot) -> rustix::io::Result<()> {
        if let Some(Owner { user, group }) = self.owner {
            let given = rustix::fs::chownat(link.at(), &link.name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW);
            permitted(given)?;
        }
        match self.modified {
            Some(modified) => {
                let times = only_modified(modified);
                rustix::fs::utimensat(link.at(), &link.name, &times, AtFlags::SYMLINK_NOFOLLOW)
            }
            None => Ok(()),
        }
    }
}

impl Owner {
    /// Gives a file of these facts to this owner, and says whether user and group are as they are to be: others than root
    /// can give nothing away, and a group only if they are in it.
    fn give_to(self, file: impl AsFd, stat: &Stat) -> rustix::io::Result<[bool; 2]> {
        let is = [stat.st_uid == self.user.as_raw(), stat.st_gid == self.group.as_raw()];
        if is == [true; 2] || permitted(rustix::fs::fchown(&file, Some(self.user), Some(self.group)))? {
            return Ok([true; 2]);
        }
        Ok([is[0], is[1] || permitted(rustix::fs::fchown(&file, None, Some(self.group)))?])
    }
}

/// Whether a change of the owner was permitted; an owner that this user name space does not have is none either.
fn permitted(changed: rustix::io::Result<()>) -> rustix::io::Result<bool> {
    match changed {
        Ok(()) => Ok(true),
        Err(Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error),
    }
}

/// When a file was changed last.
pub(crate) fn modified(stat: &Stat) -> Timespec {
    Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() }
}

fn only_modified(modified: Timespec) -> Timestamps {
    let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    Timestamps { last_access: omitted, last_modification: modified }
}

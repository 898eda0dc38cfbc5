//! Whether a path leads to what its owner has put there: nobody else may exchange any part of the way.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// Links that are followed at most, as the kernel does (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A part of the way that somebody else may exchange.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsafe {
    /// The directory or link.
    pub(super) path: PathBuf,
    /// Why.
    pub(super) why: Why,
}

/// Why somebody else may exchange it, or what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It belongs to somebody else than the user and root.
    Owner,
    /// It is a directory in which others may rename what is there.
    Mode,
}

/// Goes the way to `path` as the kernel does, and finds the first part of it that others than `user` and root could exchange:
/// a directory or a link that belongs to them, or a directory that they may write to and that has no sticky bit. With that
/// bit, as /tmp has it, only its owner renames a file. What is not there ends the way. The last part itself, unless it is a
/// link, is not looked at.
pub(super) fn first_unsafe(path: &Path, user: u32) -> Option<Unsafe> {
    let whole = std::path::absolute(path).ok()?;
    let mut ahead: VecDeque<OsString> = names(&whole);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    loop {
        if let Ok(stat) = fs::symlink_metadata(&at)
            && let Some(why) = why_unsafe(&stat, user)
        {
            return Some(Unsafe { path: at, why });
        }
        let name = ahead.pop_front()?;
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(name);
        let stat = fs::symlink_metadata(&next).ok()?;
        if stat.is_symlink() {
            if let Some(why) = why_unsafe(&stat, user) {
                return Some(Unsafe { path: next, why });
            }
            links += 1;
            let target = fs::read_link(&next).ok().filter(|_| links <= MAX_LINKS)?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            names(&target).into_iter().rev().for_each(|name| ahead.push_front(name));
        } else if ahead.is_empty() {
            return None;
        } else {
            at = next;
        }
    }
}

/// The parts of a path that lead somewhere.
fn names(path: &Path) -> VecDeque<OsString> {
    let leads = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(leads).collect()
}

fn why_unsafe(stat: &Metadata, user: u32) -> Option<Why> {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    if stat.uid() != user && stat.uid() != 0 {
        return Some(Why::Owner);
    }
    let is_open = stat.is_dir() && stat.mode() & WRITABLE_BY_OTHERS != 0 && stat.mode() & STICKY == 0;
    is_open.then_some(Why::Mode)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A directory `top` with `a/b/file` in it.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::write(top.join("a/b/file"), "").unwrap();
        (dir, top)
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn found(path: &Path) -> Option<Unsafe> {
        first_unsafe(path, rustix::process::geteuid().as_raw())
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_found_unless_it_is_sticky() {
        let (_dir, top) = tree();
        let file = top.join("a/b/file");
        assert_eq!(found(&file), None);
        for (bits, is_safe) in [(0o775, false), (0o757, false), (0o777, false), (0o1777, true), (0o755, true)] {
            for part in ["a", "a/b"] {
                mode(&top.join(part), bits);
                let expected = (!is_safe).then(|| Unsafe { path: top.join(part), why: Why::Mode });
                assert_eq!(found(&file), expected, "{part} {bits:o}");
                mode(&top.join(part), 0o755);
            }
        }
        // Of what is not there nobody says anything, and the file is for others to look at.
        mode(&file, 0o666);
        assert_eq!((found(&file), found(&top.join("no/file"))), (None, None));
    }

    #[test]
    fn both_ways_are_looked_at_where_a_link_leads() {
        let (_dir, top) = tree();
        for (target, link) in [("a/b", "link"), ("../file", "a/b/up"), ("nowhere", "dangling"), ("loop", "loop")] {
            symlink(target, top.join(link)).unwrap();
        }
        symlink(top.join("a/b/file"), top.join("straight")).unwrap();
        for way in ["link/file", "straight", "a/../link/../b/file"] {
            assert_eq!(found(&top.join(way)), None, "{way}");
            mode(&top.join("a"), 0o777);
            assert_eq!(found(&top.join(way)), Some(Unsafe { path: top.join("a"), why: Why::Mode }), "{way}");
            mode(&top.join("a"), 0o755);
        }
        for way in ["link/up", "dangling", "loop"] {
            assert_eq!(found(&top.join(way)), None, "{way}");
        }
    }

    #[test]
    fn what_belongs_to_somebody_else_is_found() {
        let (_dir, top) = tree();
        let stranger = rustix::process::geteuid().as_raw() + 1;
        let found = first_unsafe(&top.join("a/b/file"), stranger);
        if rustix::process::geteuid().is_root() {
            // What is root's is safe for everybody.
            assert_eq!(found, None);
            symlink("b", top.join("a/link")).unwrap();
            for (part, way) in [("a", "a/b/file"), ("a/link", "a/link/file")] {
                std::os::unix::fs::lchown(top.join(part), Some(stranger), None).unwrap();
                let expected = Some(Unsafe { path: top.join(part), why: Why::Owner });
                assert_eq!(first_unsafe(&top.join(way), 0), expected, "{way}");
                assert_eq!(first_unsafe(&top.join(way), stranger), None, "{way}");
                std::os::unix::fs::lchown(top.join(part), Some(0), None).unwrap();
            }
        } else {
            assert!(found.is_some_and(|found| found.why == Why::Owner));
        }
    }
}

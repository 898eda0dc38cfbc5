//! Files without a name (`O_TMPFILE`), which are linked into their directory when they are complete.
//!
//! Making one takes no lock of the directory, naming it is the only change of the directory, and of a killed process
//! nothing is left. But each stays open until it is named, so there is a bound on how many there are at a time.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use rustix::io::Errno;

use crate::descriptors;
use crate::place::Spot;

/// How many there are.
static OPEN: AtomicUsize = AtomicUsize::new(0);
/// Set once there turned out to be no such files, or no way to link them: the next one is not tried any more.
static MISSING: AtomicBool = AtomicBool::new(false);

/// An open file without a name. Dropped it is gone.
#[derive(Debug)]
pub(super) struct Nameless(File);

/// How such a file is reached to be linked.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// By its descriptor, which newer kernels allow to everyone.
    Descriptor,
    /// By the name of its descriptor in /proc.
    Proc,
}

impl Nameless {
    /// Makes one beside `target`, mode 0600. Where it cannot be had, the reason is left to whoever then tries a named one.
    pub(super) fn create(target: &Spot) -> Option<Self> {
        if MISSING.load(Ordering::Relaxed) || OPEN.load(Ordering::Relaxed) >= descriptors::limit() / 3 {
            return None;
        }
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(target.at(), target.folder(), flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                OPEN.fetch_add(1, Ordering::Relaxed);
                let nameless = Self(File::from(file));
                MISSING.fetch_or(nameless.way().is_none(), Ordering::Relaxed);
                nameless.way().map(|_| nameless)
            }
            Err(error) => {
                let missing = matches!(error, Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS);
                MISSING.fetch_or(missing, Ordering::Relaxed);
                None
            }
        }
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Gives it a name, if that is free.
    pub(super) fn link(&self, to: &Spot) -> rustix::io::Result<()> {
        self.way().ok_or(Errno::OPNOTSUPP).and_then(|way| self.link_by(way, to))
    }

    /// Finds out, once, which way of linking there is: linked to a name that is taken, a file that was found is refused
    /// because of that name.
    fn way(&self) -> Option<Way> {
        static WAY: OnceLock<Option<Way>> = OnceLock::new();
        let taken = Spot { directory: None, name: "/".into() };
        let works = |way: &Way| self.link_by(*way, &taken) == Err(Errno::EXIST);
        *WAY.get_or_init(|| [Way::Descriptor, Way::Proc].into_iter().find(works))
    }

    fn link_by(&self, way: Way, to: &Spot) -> rustix::io::Result<()> {
        use std::os::fd::AsRawFd as _;
        match way {
            Way::Descriptor => linkat(self.0.as_fd(), c"", to.at(), &to.name, AtFlags::EMPTY_PATH),
            Way::Proc => {
                let from = PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()));
                linkat(CWD, &from, to.at(), &to.name, AtFlags::SYMLINK_FOLLOW)
            }
        }
    }
}

impl Drop for Nameless {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn both_ways_name_a_file_and_neither_replaces_one() {
        let dir = tempfile::tempdir().unwrap();
        let spot = |name: &str| Spot { directory: None, name: dir.path().join(name) };
        let Some(first) = Nameless::create(&spot("x")) else { return };
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        first.file().write_all(b"content").unwrap();
        for (way, name) in [(Way::Proc, "proc"), (Way::Descriptor, "descriptor")] {
            let path = spot(name);
            match first.link_by(way, &path) {
                // Linking by descriptor is a privilege on older kernels, and /proc may not be there.
                Err(Errno::NOENT) => continue,
                linked => linked.unwrap(),
            }
            assert_eq!(std::fs::read(&path.name).unwrap(), b"content");
            assert_eq!(first.link_by(way, &path), Err(Errno::EXIST));
        }
    }
}

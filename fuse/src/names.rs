//! Names: how what the mount shows is stored (SEMANTICS.md, "Names").

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::FileType;
use rustix::io::Errno;

/// What the name of a container ends in.
const SUFFIX: &[u8] = b".wax";

/// How the names of files begin that some writer has not finished yet.
pub(crate) const TEMPORARY_PREFIX: &str = ".waxseal-tmp-";

/// The longest name in the mount, in bytes: with the suffix it is as long as file systems take.
pub(crate) const MAX_NAME_LEN: usize = 255 - SUFFIX.len();

/// Checks a name that is to be made.
///
/// # Errors
/// `ENAMETOOLONG` for more than [`MAX_NAME_LEN`] bytes, `EINVAL` for a name that temporary files have.
pub(crate) fn check_new(name: &OsStr) -> Result<(), Errno> {
    if name.len() > MAX_NAME_LEN {
        return Err(Errno::NAMETOOLONG);
    }
    if is_temporary(name) { Err(Errno::INVAL) } else { Ok(()) }
}

/// Whether this is the name of something unfinished.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.as_bytes().starts_with(TEMPORARY_PREFIX.as_bytes())
}

/// The name under which a regular file is stored.
pub(crate) fn of_container(name: &OsStr) -> OsString {
    OsString::from_vec([name.as_bytes(), SUFFIX].concat())
}

/// The name under which something of this kind is stored.
pub(crate) fn stored(name: &OsStr, kind: FileType) -> OsString {
    if kind == FileType::RegularFile { of_container(name) } else { name.to_owned() }
}

/// The name that a stored entry has in the mount; `None` if it is hidden.
pub(crate) fn shown(stored: &OsStr, kind: FileType) -> Option<&OsStr> {
    if is_temporary(stored) {
        return None;
    }
    if kind != FileType::RegularFile {
        // A longer name could be listed, but not be used: the kernel is told that names are shorter.
        return (stored.len() <= MAX_NAME_LEN).then_some(stored);
    }
    stored.as_bytes().strip_suffix(SUFFIX).filter(|name| !name.is_empty()).map(OsStr::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_shown_without_their_suffix_and_everything_else_as_it_is() {
        let file = |name: &'static str| shown(OsStr::new(name), FileType::RegularFile);
        assert_eq!(file("a.txt.wax"), Some(OsStr::new("a.txt")));
        assert_eq!(file("a.wax.wax"), Some(OsStr::new("a.wax")));
        assert_eq!(file("a.txt"), None);
        assert_eq!(file(".wax"), None);
        assert_eq!(file(".waxseal-tmp-1.wax"), None);
        assert_eq!(shown(OsStr::new("d"), FileType::Directory), Some(OsStr::new("d")));
        assert_eq!(shown(OsStr::new("d.wax"), FileType::Directory), Some(OsStr::new("d.wax")));
        assert_eq!(shown(OsStr::new(&"d".repeat(252)), FileType::Directory), None);
        assert_eq!(stored(OsStr::new("a"), FileType::RegularFile), "a.wax");
        assert_eq!(stored(OsStr::new("a"), FileType::Symlink), "a");
    }

    #[test]
    fn a_name_is_at_most_251_bytes_long() {
        assert_eq!(check_new(OsStr::new(&"x".repeat(251))), Ok(()));
        assert_eq!(check_new(OsStr::new(&"x".repeat(252))), Err(Errno::NAMETOOLONG));
        assert_eq!(check_new(OsStr::new(".waxseal-tmp-x")), Err(Errno::INVAL));
    }
}

//! What is mounted where, and taking it away: what `mount` and `umount` have in common.

mod outcome;
mod place_lock;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::mount::UnmountFlags;

pub(crate) use self::outcome::{Asker, Outcome, Teller};
pub(crate) use self::place_lock::{PlaceLock, Taken};

/// The type of our mounts in the kernel's table.
pub(crate) const FILESYSTEM_TYPE: &str = "fuse.waxseal";

/// One line of the kernel's table of mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountEntry {
    /// Where it is mounted.
    pub(crate) mountpoint: PathBuf,
    /// The minor number of its device, by which `/sys/fs/fuse/connections` names it.
    pub(crate) minor: u32,
    /// The type of file system, with the subtype.
    pub(crate) filesystem: String,
    /// Whether it is mounted read-only.
    pub(crate) read_only: bool,
    /// The user who mounted it, which file systems of FUSE alone say.
    pub(crate) owner: Option<u32>,
}

/// Whether programs that still use a mount keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    /// It stays while there are any.
    Respect,
    /// It goes out of the tree now, and ends when the last one lets go.
    Detach,
}

/// Finds what is mounted at a place, on top of whatever else is mounted there; none if nothing is.
pub(crate) fn topmost(mountpoint: &Path) -> io::Result<Option<MountEntry>> {
    let table = fs::read("/proc/self/mountinfo")?;
    // Later mounts are listed later, and cover earlier ones.
    Ok(table.split(|byte| *byte == b'\n').filter_map(parse).rfind(|entry| entry.mountpoint == mountpoint))
}

/// Parses a line as proc_pid_mountinfo(5) describes it.
fn parse(line: &[u8]) -> Option<MountEntry> {
    let mut fields = line.split(|byte| *byte == b' ');
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let device = text(fields.nth(2)?);
    let mountpoint = unescaped(fields.nth(1)?);
    let read_only = fields.next()?.split(|byte| *byte == b',').any(|option| option == b"ro");
    let mut fields = fields.skip_while(|field| *field != b"-");
    let filesystem = text(fields.nth(1)?);
    let options = text(fields.nth(1).unwrap_or_default());
    let owner = options.split(',').find_map(|option| option.strip_prefix("user_id=")?.parse().ok());
    Some(MountEntry {
        mountpoint: PathBuf::from(mountpoint),
        minor: device.split_once(':')?.1.parse().ok()?,
        filesystem,
        read_only,
        owner,
    })
}

/// Whether what is mounted there has no process any more. What stat(2) says may be remembered from when it had one.
pub(crate) fn is_dead(mountpoint: &Path) -> bool {
    matches!(rustix::fs::statfs(mountpoint), Err(Errno::NOTCONN))
}

/// Undoes the kernel's escapes: blanks, line ends and backslashes are written as three octal digits.
fn unescaped(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| first == b'\\');
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(bytes)
}

/// The path by which the kernel's table names a mount point: absolute, and without links.
///
/// The last component is not looked at unless it has to be. It may be a mount that is dead, or another user's, and then every
/// look at it fails.
pub(crate) fn mountpoint_path(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else { return absolute.canonicalize() };
    let place = parent.canonicalize()?.join(name);
    match place.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => place.canonicalize(),
        _ => Ok(place),
    }
}

/// Unmounts what is on top at `mountpoint`: by umount(2), or as an ordinary user by `fusermount3`.
pub(crate) fn unmount(mountpoint: &Path, users: Users) -> io::Result<()> {
    let mut flags = UnmountFlags::NOFOLLOW;
    flags.set(UnmountFlags::DETACH, users == Users::Detach);
    match rustix::mount::unmount(mountpoint, flags) {
        Err(Errno::PERM) => unmount_as_user(mountpoint, users),
        done => Ok(done?),
    }
}

fn unmount_as_user(mountpoint: &Path, users: Users) -> io::Result<()> {
    let mut command = Command::new("fusermount3");
    command.arg(if users == Users::Detach { "-uz" } else { "-u" }).arg("--").arg(mountpoint);
    // The error is told apart by its words.
    command.env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("fusermount3 is not installed"),
        _ => error,
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("busy") {
        return Err(Errno::BUSY.into());
    }
    Err(io::Error::other(text.trim().trim_start_matches("fusermount3: ").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read_with_its_escapes() {
        let line = br"641 28 0:57 / /home/a\040b\134c ro,nosuid shared:3 master:7 - fuse.waxseal /srv/v rw,user_id=7,group_id=0";
        let entry = MountEntry {
            mountpoint: PathBuf::from("/home/a b\\c"),
            minor: 57,
            filesystem: FILESYSTEM_TYPE.to_owned(),
            read_only: true,
            owner: Some(7),
        };
        assert_eq!(parse(line), Some(entry));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"1 2 0:3 / /a rw -"), None);
    }

    #[test]
    fn a_backslash_that_begins_no_escape_stays() {
        assert_eq!(unescaped(br"a\9zz\"), OsString::from(r"a\9zz\"));
        assert_eq!(unescaped(br"\011"), OsString::from("\t"));
    }

    #[test]
    fn the_root_is_mounted_and_a_new_directory_is_not() {
        assert!(topmost(Path::new("/")).unwrap().is_some());
        let scratch = tempfile::tempdir().unwrap();
        assert_eq!(topmost(scratch.path()).unwrap(), None);
    }

    #[test]
    fn a_mount_point_is_named_without_links() {
        let scratch = tempfile::tempdir().unwrap();
        let real = scratch.path().canonicalize().unwrap();
        fs::create_dir(real.join("dir")).unwrap();
        std::os::unix::fs::symlink("dir", real.join("link")).unwrap();
        assert_eq!(mountpoint_path(&real.join("link")).unwrap(), real.join("dir"));
        assert_eq!(mountpoint_path(&real.join("link/..")).unwrap(), real);
        assert_eq!(mountpoint_path(&real.join("dir/")).unwrap(), real.join("dir"));
        assert!(mountpoint_path(&real.join("absent/x")).is_err());
    }
}

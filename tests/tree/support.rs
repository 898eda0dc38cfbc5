//! A tree with everything in it, and the comparison of two trees by rsync.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use rustix::fs::XattrFlags;

use crate::support::{World, needed, noise};

/// Makes a tree `src` of files of several sizes and modes, directories, links, odd names, holes and attributes.
pub(super) fn make(world: &World) {
    let root = world.path("src");
    for folder in ["a/b/c", "empty", "closed"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for (name, length) in [("zero", 0), ("one", 1), ("a/chunk", 4096), ("a/group", 131_073), ("a/b/large", 1_000_001)] {
        fs::write(root.join(name), noise(length, length as u64)).unwrap();
    }
    fs::write(root.join(odd_name()), "odd").unwrap();
    fs::write(root.join("closed/inside"), "x").unwrap();
    fs::hard_link(root.join("a/group"), root.join("a/b/same")).unwrap();
    fs::hard_link(root.join("a/group"), root.join("same too")).unwrap();
    symlink("../chunk", root.join("a/b/link")).unwrap();
    symlink("/nowhere/at/all", root.join("dangling")).unwrap();
    symlink("a", root.join("to a directory")).unwrap();
    sparse(&root.join("sparse"), &[(5_000_000, b"data in the middle"), (9_999_999, b"!")], 10_000_000);
    sparse(&root.join("hole"), &[], 3_000_001);
    sparse(&root.join("a/hole at the end"), &[(0, b"beginning")], 2_000_000);
    let attributed = File::open(root.join("one")).unwrap();
    rustix::fs::fsetxattr(&attributed, "user.mime", b"text/plain", XattrFlags::empty()).unwrap();
    rustix::fs::fsetxattr(&attributed, "user.empty", b"", XattrFlags::empty()).unwrap();
    let mode = |name: &str, bits| fs::set_permissions(root.join(name), fs::Permissions::from_mode(bits)).unwrap();
    for (name, bits) in [("zero", 0o600), ("one", 0o640), ("a/chunk", 0o4755), ("a/b", 0o1777), ("closed", 0o555)] {
        mode(name, bits);
    }
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(root.join("a/b/large"), Some(1234), Some(2345)).unwrap();
        std::os::unix::fs::lchown(root.join("dangling"), Some(1234), None).unwrap();
        std::os::unix::fs::chown(root.join("empty"), Some(1234), Some(2345)).unwrap();
    }
    for (number, name) in ["zero", "a/b/large", "dangling", "a/b", "empty", "a", "."].into_iter().enumerate() {
        touch(&root.join(name), &format!("200{number}-02-03 04:05:06.789012345"));
    }
}

/// A name that is no text.
pub(super) fn odd_name() -> &'static std::ffi::OsStr {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(b"odd \xff\n\x1b[2J name")
}

/// Makes a sparse file.
pub(super) fn sparse(path: &Path, parts: &[(u64, &[u8])], size: u64) {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (offset, bytes) in parts {
        file.write_all_at(bytes, *offset).unwrap();
    }
}

/// Sets a time of change, of a link itself too.
pub(super) fn touch(path: &Path, time: &str) {
    let status = Command::new("touch").args(["-h", "-m", "-d", time]).arg(path).status().unwrap();
    assert!(status.success());
}

/// Asserts that two trees are the same by rsync's own check: names, kinds, contents, modes, owners, times with nanoseconds,
/// links of both kinds and extended attributes. Said loudly where rsync is missing.
#[track_caller]
pub(crate) fn assert_same(one: &Path, other: &Path) {
    let Some(rsync) = needed("rsync") else { return };
    let mut command = Command::new(rsync);
    command.args([
        "-aHAX",
        "--no-specials",
        "--no-devices",
        "--dry-run",
        "--itemize-changes",
        "--checksum",
        "--delete",
    ]);
    let output = command.arg(one.join("")).arg(other.join("")).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.is_empty(), "{one:?} and {other:?} differ:\n{text}{errors}");
}

/// Everything below a directory by its path, with what tells whether it was written anew.
pub(crate) fn listing(root: &Path) -> Vec<String> {
    let output = Command::new("find").arg(root).args(["-printf", "%P %i %y %m %U %G %s %T@ %C@\\n"]).output().unwrap();
    assert!(output.status.success());
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect();
    lines.sort();
    lines
}

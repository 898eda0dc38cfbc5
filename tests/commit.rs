//! Which commit a build is of: what the build script reads in a clone, without git.

#[path = "../cli/build/commit.rs"]
mod clone;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A clone's `.git` with these files.
fn with(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn found(git: &Path) -> Option<String> {
    clone::find(git).map(|found| found.commit)
}

#[test]
fn the_commit_of_a_branch_is_read_from_its_file() {
    let folder = with(&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", &format!("{COMMIT}\n"))]);
    let found = clone::find(&folder.path().join(".git")).unwrap();
    assert_eq!((found.commit.as_str(), found.read_from), (COMMIT, vec![folder.path().join(".git/HEAD")]));
}

#[test]
fn the_commit_of_a_packed_branch_is_read_from_the_pack() {
    let packed = format!("# pack-refs with: peeled\n{} refs/heads/mainly\n{COMMIT} refs/heads/main\n", "f".repeat(40));
    let folder = with(&[(".git/HEAD", "ref: refs/heads/main\n"), (".git/packed-refs", &packed)]);
    assert_eq!(found(&folder.path().join(".git")).as_deref(), Some(COMMIT));
}

#[test]
fn a_commit_that_is_checked_out_itself_is_read_from_head() {
    let folder = with(&[(".git/HEAD", &format!("{COMMIT}\n"))]);
    assert_eq!(found(&folder.path().join(".git")).as_deref(), Some(COMMIT));
}

#[test]
fn a_worktree_leads_to_the_clone_that_it_is_of() {
    let folder = with(&[
        ("clone/.git/worktrees/w/HEAD", "ref: refs/heads/side\n"),
        ("clone/.git/worktrees/w/commondir", "../..\n"),
        ("clone/.git/refs/heads/side", COMMIT),
        ("w/.git", "gitdir: ../clone/.git/worktrees/w\n"),
    ]);
    assert_eq!(found(&folder.path().join("w/.git")).as_deref(), Some(COMMIT));
}

#[test]
fn what_is_no_clone_or_has_no_commit_has_none() {
    let folder = with(&[
        ("unborn/.git/HEAD", "ref: refs/heads/main\n"),
        ("odd/.git/HEAD", "not a commit\n"),
        ("file/.git", "something else\n"),
    ]);
    for name in ["unborn", "odd", "file", "missing"] {
        assert_eq!(found(&folder.path().join(name).join(".git")), None, "{name}");
    }
}

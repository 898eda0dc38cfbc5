//! Which commit is checked out, read from the files of a clone.

use std::fs;
use std::path::{Path, PathBuf};

/// The commit that is checked out, and the files that say so.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its name: 40 hexadecimal digits, or 64.
    pub(crate) commit: String,
    /// What to look at to see that it is another one.
    pub(crate) read_from: Vec<PathBuf>,
}

/// Finds it. `git` is the directory `.git` of the clone, or the file that a worktree has in its place.
pub(crate) fn find(git: &Path) -> Option<Found> {
    let own = match fs::read_to_string(git) {
        // A worktree: `gitdir: PATH`.
        Ok(text) => git.parent()?.join(text.trim().strip_prefix("gitdir: ")?),
        Err(_) => git.to_owned(),
    };
    // What worktrees have in common lies where `commondir` says.
    let common = match fs::read_to_string(own.join("commondir")) {
        Ok(text) => own.join(text.trim()),
        Err(_) => own.clone(),
    };
    let head = fs::read_to_string(own.join("HEAD")).ok()?;
    let commit = match head.trim().strip_prefix("ref: ") {
        Some(name) => of_branch(&common, name)?,
        None => head.trim().to_owned(),
    };
    let is_name = matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    // The log of HEAD grows with every commit, wherever the branch is written.
    let files = [own.join("HEAD"), own.join("logs/HEAD"), common.join("packed-refs")];
    let read_from = files.into_iter().filter(|file| file.exists()).collect();
    is_name.then_some(Found { commit, read_from })
}

/// The commit of a branch: in a file of its own, or a line of `packed-refs`.
fn of_branch(common: &Path, name: &str) -> Option<String> {
    if let Ok(text) = fs::read_to_string(common.join(name)) {
        return Some(text.trim().to_owned());
    }
    let packed = fs::read_to_string(common.join("packed-refs")).ok()?;
    let line = packed.lines().find(|line| line.split_once(' ').is_some_and(|(_, branch)| branch == name))?;
    line.split_once(' ').map(|(commit, _)| commit.to_owned())
}

//! A source tree: the workspace's own sources, several times, in one archive.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::scratch::{Scratch, remove};

/// Where the sources are, from the workspace's folder.
const FOLDERS: [&str; 5] = ["cli", "crates", "docs", "fuse", "tests"];
const SUFFIXES: [&str; 3] = ["rs", "md", "toml"];

/// An archive of many small files.
#[derive(Debug)]
pub(crate) struct Tree {
    archive: PathBuf,
    /// The files' names in it, in order.
    files: Vec<PathBuf>,
    /// What is in all of them together, in bytes.
    len: u64,
}

impl Tree {
    /// Makes the archive. The same sources give the same archive.
    pub(crate) fn new(scratch: &Scratch, copies: u32) -> Outcome<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the package has no workspace")?;
        let mut sources = Vec::new();
        for folder in FOLDERS {
            collect(workspace, Path::new(folder), &mut sources)?;
        }
        sources.sort();
        let (folder, archive) = (scratch.path("sources"), scratch.path("sources.tar"));
        let (mut files, mut len) = (Vec::new(), 0);
        for copy in 0..copies {
            for source in &sources {
                let name = Path::new(&format!("copy-{copy:03}")).join(source);
                let to = folder.join(&name);
                fs::create_dir_all(to.parent().unwrap_or(&folder))?;
                len += fs::copy(workspace.join(source), to)?;
                files.push(name);
            }
        }
        let same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-C"];
        tar(Command::new("tar").args(same).arg(&folder).arg("-cf").arg(&archive).arg("."))?;
        remove(&folder)?;
        Ok(Self { archive, files, len })
    }

    /// Unpacks the archive into a new folder.
    pub(crate) fn unpack(&self, folder: &Path) -> Outcome<()> {
        fs::create_dir(folder)?;
        tar(Command::new("tar").arg("-C").arg(folder).arg("-xf").arg(&self.archive))
    }

    /// The files' names, in order.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What is in all files together, in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}

fn collect(workspace: &Path, folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(workspace.join(folder))? {
        let entry = entry?;
        let (name, kind) = (folder.join(entry.file_name()), entry.file_type()?);
        let is_source = name.extension().is_some_and(|suffix| SUFFIXES.iter().any(|known| suffix == *known));
        if kind.is_dir() && entry.file_name() != "target" {
            collect(workspace, &name, found)?;
        } else if kind.is_file() && is_source {
            found.push(name);
        }
    }
    Ok(())
}

fn tar(command: &mut Command) -> Outcome<()> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("tar does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

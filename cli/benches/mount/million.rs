//! A million files listed: what that takes of time, and of the daemon's memory.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::contenders::{Contender, Mounted, Tools, backing};
use crate::report::Report;
use crate::scratch::{Scratch, can_drop_caches, remove};
use crate::workloads::list;

/// Folders, and files in each of them.
const FOLDERS: u32 = 1000;
const FILES: u32 = 1000;

/// Bytes of a container of an empty file.
const EMPTY_CONTAINER: u64 = 4096;

/// The folder with the million files.
const MILLION: &str = "million";

/// Lists a million files through each mount whose directory can be filled without it; that of gocryptfs cannot.
pub(crate) fn run(tools: &Tools, scratch: &Scratch, report: &mut Report) -> Outcome<()> {
    for contender in tools.present() {
        let suffix = match contender {
            Contender::Passthrough => "",
            Contender::Waxseal => ".wax",
            Contender::Plain | Contender::Gocryptfs => continue,
        };
        eprintln!("{}: a million files: making them for {contender}", scratch.name());
        let folder = backing(contender, scratch).join(MILLION);
        fill(&folder, suffix)?;
        let mounted = Mounted::new(contender, scratch)?;
        if can_drop_caches() {
            scratch.drop_caches()?;
        }
        eprintln!("{}: a million files: listing them through {contender}", scratch.name());
        let began = Instant::now();
        list(&mounted.path(MILLION))?;
        report.million(contender, scratch, began.elapsed(), mounted.peak()?);
        drop(mounted);
        remove(&folder)?;
    }
    Ok(())
}

fn fill(folder: &Path, suffix: &str) -> Outcome<()> {
    for outer in 0..FOLDERS {
        let folder = folder.join(format!("folder-{outer:03}"));
        fs::create_dir_all(&folder)?;
        for inner in 0..FILES {
            // Nobody reads them: a listing opens no file.
            File::create_new(folder.join(format!("file-{inner:03}{suffix}")))?.set_len(EMPTY_CONTAINER)?;
        }
    }
    Ok(())
}

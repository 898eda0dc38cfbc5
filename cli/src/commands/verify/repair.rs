//! `waxseal verify --repair`.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use waxseal_envelope::{Finding, Repair};

use super::{findings, fsck};
use crate::commands::reading::{OpenContainer, Reader};
use crate::error::{Class, CliError};
use crate::input::{Identity, Input};
use crate::report::FileReport;

/// Checks a container, and repairs it if its last writer was interrupted.
pub(super) fn run(reader: &Reader<'_>, container: OpenContainer<'_>) -> Result<FileReport, CliError> {
    let report = container.report(0);
    let OpenContainer { name, input, opened, .. } = container;
    let (label, unlocked) = (name.label(), &opened.unlocked);
    // Only what needs a repair has to be writable.
    let repair = match fsck(reader, &input, label, |fsck| fsck.check(unlocked, &input.file))? {
        Finding::Clean { plaintext_len } => Repair::NotNeeded { plaintext_len },
        Finding::Damaged(found) => Repair::Refused(found),
        Finding::Interrupted(_) => {
            let file = open_to_write(label, input.identity)?;
            let Input { identity, stat, regular, .. } = input;
            // The check has left its lock on the file that was read, and that would keep out the repair as well.
            drop(input.file);
            let input = Input { file, identity, stat, regular };
            fsck(reader, &input, label, |fsck| fsck.repair(unlocked, &input.file))?
        }
    };
    match repair {
        Repair::NotNeeded { plaintext_len } => {
            Ok(FileReport { plaintext_bytes: plaintext_len, details: findings::clean(), ..report })
        }
        Repair::Done(found) => {
            Ok(FileReport { plaintext_bytes: found.plaintext_len, details: findings::repaired(&found), ..report })
        }
        Repair::Refused(found) => Err(findings::damaged_error(&found, label)),
    }
}

/// Opens the file that was checked once more, for writing too.
fn open_to_write(path: &Path, identity: Identity) -> Result<File, CliError> {
    let failed = |error: rustix::io::Errno| {
        CliError::system(Class::Output, "is interrupted, and cannot be opened for its repair", &error.into()).file(path)
    };
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?);
    let stat = rustix::fs::fstat(&file).map_err(failed)?;
    if !identity.is(&stat) {
        return Err(CliError::new(Class::Input, "was replaced by another file while it was being checked")
            .file(path)
            .hint("run the command again"));
    }
    Ok(file)
}

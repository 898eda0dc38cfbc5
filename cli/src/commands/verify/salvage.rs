//! `waxseal verify --salvage`.

use std::path::Path;

use waxseal_container::Interrupted;
use waxseal_envelope::{Finding, Salvage};

use super::{findings, fsck_to, open, refuse_pipe};
use crate::atomic::{Naming, Temporary};
use crate::batch::{Durability, publish_alone};
use crate::commands::reading::{OpenContainer, Reader};
use crate::error::{Class, CliError};
use crate::input::{Input, InputName};
use crate::place::{self, Direction, FileTarget, Place, Replace};
use crate::report::FileReport;

/// Writes what is left of a container to `output`, which appears under its name with whatever could be saved.
pub(super) fn run(reader: &Reader<'_>, name: &InputName, output: &Path, force: bool) -> Result<(), CliError> {
    let input = Input::open(name)?;
    refuse_pipe(name, &input)?;
    let target = target(output, &input, if force { Replace::Yes } else { Replace::No })?;
    let container = open(reader, name, input)?;
    let OpenContainer { input, opened, .. } = &container;
    let label = name.label();
    let temporary = Temporary::create(target, Naming::Named)?;
    let file = temporary.file()?;
    let salvage = fsck_to(reader, input, label, output, |fsck| fsck.salvage(&opened.unlocked, &input.file, file))?;
    if let Finding::Damaged(found) = &salvage.finding
        && found.survey.as_ref().is_none_or(|survey| survey.good == 0 && survey.lost > 0)
    {
        return Err(findings::nothing_to_save(&salvage, found, label));
    }
    publish_alone(temporary, Durability::Synced)?;
    let report = |plaintext_len, details| FileReport {
        output: Some(output.to_owned()),
        details,
        ..container.report(plaintext_len)
    };
    let report = match &salvage {
        Salvage { finding: Finding::Clean { plaintext_len }, unreadable } if unreadable.is_empty() => {
            report(*plaintext_len, findings::clean())
        }
        Salvage { finding: Finding::Interrupted(found), unreadable }
            if unreadable.is_empty() && reader.interrupted == Interrupted::Recover =>
        {
            reader.say_recovered(name, found.plaintext_len);
            report(found.plaintext_len, findings::recovered(found))
        }
        salvage => return Err(findings::salvage_error(salvage, label, output)),
    };
    reader.console.result(|| report.text("salvaged"), || report.json("salvaged"))
}

/// Where the output goes: a regular file, for its parts are written each to its place.
fn target(output: &Path, input: &Input, replace: Replace) -> Result<FileTarget, CliError> {
    let no_file = || {
        CliError::new(Class::Output, "is no regular file, and what is saved is written at its own place")
            .file(output)
            .hint("name a new file, and copy it from there")
    };
    // A pipe would be waited for if it were opened.
    if output == Path::new("-") || output.metadata().is_ok_and(|stat| !stat.is_file() && !stat.is_dir()) {
        return Err(no_file());
    }
    match place::resolve(output, Direction::Decrypt, replace, Some(input.identity))? {
        Place::File(target) => Ok(target),
        Place::Stream(_) => Err(no_file()),
    }
}

//! The attributes of the file below, which change with every flush and settling although no program changed the file: what
//! programs know of them is kept and put back (SEMANTICS.md, "Attributes and times").

use std::sync::RwLockWriteGuard;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, Timespec, Timestamps, UTIME_OMIT};

use super::{Content, OpenFile};
use crate::attributes::{Below, timespec};
use crate::backing;
use crate::report::shown;

/// How exact the times of file systems are: they take the time of the last tick of a clock that ticks 100 times a second at
/// the slowest.
pub(crate) const CLOCK_TICK: Duration = Duration::from_millis(10);

/// What a change that programs do not see is not to change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtStake {
    /// The mode, if writing takes bits of it away.
    pub(crate) mode: Option<u32>,
    /// The time of change, if it is known to a program.
    pub(crate) modified: Option<SystemTime>,
    /// The time of the last change of attributes that programs are told.
    pub(crate) changed: Option<SystemTime>,
}

impl OpenFile {
    /// The attributes of the file below that what is about to be done to it would change without a program's knowing.
    pub(crate) fn at_stake(&self) -> AtStake {
        let modified = self.facts().modified;
        let below = backing::status(self.file()).ok();
        let changed = below.map(|below| self.shown_changed(below.attributes(0).changed));
        AtStake {
            changed: changed.map(|changed| modified.map_or(changed, |modified| changed.max(modified))),
            mode: below.as_ref().and_then(mode_at_stake),
            modified: modified.or_else(|| below.map(|below| below.attributes(0).modified)),
        }
    }

    /// Gives the file below the attributes that programs know, after something was done to it that they do not see.
    pub(crate) fn restore(&self, at_stake: &AtStake) {
        if let Some(mode) = at_stake.mode {
            self.set_mode(mode);
        }
        let facts = self.facts();
        let told = facts.modified.filter(|_| facts.is_told);
        drop(facts);
        // A program may have set it meanwhile.
        if let Some(modified) = told.or(at_stake.modified) {
            self.set_modified_below(modified, told.is_some());
        }
        if let (Some(shown), Ok(below)) = (at_stake.changed, backing::status(self.file())) {
            self.facts().quiet = Some((below.attributes(0).changed, shown));
        }
    }

    /// The time of the last change of attributes that programs are told, where below it is `changed`.
    pub(crate) fn shown_changed(&self, changed: SystemTime) -> SystemTime {
        match self.facts().quiet {
            Some((below, shown)) if below == changed => shown,
            _ => changed,
        }
    }

    /// Gives the file below the time of change that programs know.
    pub(crate) fn restore_time(&self) {
        let facts = self.facts();
        let (modified, is_told) = (facts.modified, facts.is_told);
        drop(facts);
        if let Some(modified) = modified {
            self.set_modified_below(modified, is_told);
        }
    }

    fn set_modified_below(&self, modified: SystemTime, is_told: bool) {
        let file = self.file();
        let Ok(below) = backing::status(&file) else { return };
        let later = below.attributes(0).modified.duration_since(modified).ok();
        if later == Some(Duration::ZERO) {
            return;
        }
        if !is_told && later.is_some_and(|later| later <= CLOCK_TICK) {
            // Nobody can tell it from the time of the write: it is the time now, unless there was another change meanwhile.
            self.facts().modified.take_if(|known| *known == modified);
            return;
        }
        let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let times = Timestamps { last_access: omitted, last_modification: timespec(modified) };
        if let Err(error) = rustix::fs::futimens(&file, &times) {
            let name = shown(&self.name());
            self.reporter.warning(&format!("{name}: its time of change could not be set: {error}"));
        }
    }

    /// Takes the set-id bits away, as every change by somebody who may not set them does (chmod(2), S_ISUID and S_ISGID).
    pub(crate) fn clear_set_ids(&self) {
        let _alone = self.hold_mode();
        let Ok(below) = backing::status(self.file()) else { return };
        let mode = u32::from(below.stat.stx_mode) & 0o7777;
        // Set-group-id without group execution meant mandatory locking, and stays.
        let lost = if mode & 0o0010 == 0 { 0o4000 } else { 0o6000 };
        if mode & lost != 0 {
            self.set_mode(mode & !lost);
        }
    }

    /// Keeps others from giving the file below the mode that it had before, as they do after a flush unless they are root.
    pub(crate) fn hold_mode(&self) -> Option<RwLockWriteGuard<'_, Content>> {
        (!rustix::process::geteuid().is_root()).then(|| self.write())
    }

    fn set_mode(&self, mode: u32) {
        if let Err(error) = rustix::fs::fchmod(self.file(), Mode::from_raw_mode(mode)) {
            let name = shown(&self.name());
            self.reporter.warning(&format!("{name}: its set-id bits could not be kept right: {error}"));
        }
    }

    /// Notes the time of change that a program sets, or knows.
    pub(crate) fn set_modified(&self, modified: SystemTime) {
        let mut facts = self.facts();
        (facts.modified, facts.is_told) = (Some(modified), true);
    }

    /// When it was changed last, if below it says something else; a program is told.
    pub(crate) fn tell_modified(&self) -> Option<SystemTime> {
        let mut facts = self.facts();
        facts.is_told = true;
        facts.modified
    }
}

/// The mode of a file below, if it has set-id bits that writing takes away: the kernel does not know that the writing is not
/// a program's. It lets root keep them.
pub(crate) fn mode_at_stake(below: &Below) -> Option<u32> {
    let mode = u32::from(below.stat.stx_mode) & 0o7777;
    (mode & 0o6000 != 0 && !rustix::process::geteuid().is_root()).then_some(mode)
}

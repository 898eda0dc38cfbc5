//! The ordering rules, each by the barrier that keeps it (SPEC.md, "Writing in place").
//!
//! They are named so that a test can take one out and see that something breaks: a rule that nothing needs would be a
//! rule that nobody understands.

use super::Editor;
use crate::error::ContainerError;
use crate::io::Backing;

/// What a barrier is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// W1: a table and its undo items are on disk before data overwrites data.
    TableBeforeOverwrite,
    /// W5: a link has reached the disk before it changes again.
    LinkBeforeLink,
    /// W6: appends in flight are on disk, and the root says so, before a gap among them is filled.
    FlightBeforeGap,
    /// W7, W8: appends in flight are on disk before the floor passes them.
    FlightBeforeFloor,
    /// W8: the root has the shorter length before tables lose chunks.
    RootBeforeTableCut,
    /// W8: the last table has the shorter tail and its undo item before the tail is overwritten.
    TableBeforeTail,
    /// W8: the shorter tail is on disk before the file is cut.
    TailBeforeCut,
    /// W8: the file is cut before it grows again.
    CutBeforeGrowth,
    /// W9: the table has the hole before its bytes go.
    TableBeforePunch,
    /// W10: the root says that the container is not settled before anything else changes.
    UnsettledBeforeChange,
    /// W10: all data is on disk before tables lose their undo items.
    DataBeforeCleanTables,
    /// W10: tables without undo items are on disk before the root commits to them.
    CleanTablesBeforeCommit,
}

impl<B: Backing> Editor<B> {
    /// The barrier that a rule asks for.
    pub(super) fn barrier_for(&mut self, rule: Rule) -> Result<(), ContainerError> {
        if self.is_taken_out(rule) { Ok(()) } else { self.barrier() }
    }

    #[cfg(test)]
    pub(super) fn is_taken_out(&self, rule: Rule) -> bool {
        self.without == Some(rule)
    }

    #[cfg(not(test))]
    pub(super) fn is_taken_out(&self, _rule: Rule) -> bool {
        false
    }

    /// Takes a rule out, so that a test can see what it is for.
    #[cfg(test)]
    pub(crate) fn take_out(&mut self, rule: Rule) {
        self.without = Some(rule);
    }
}

#[cfg(test)]
impl Rule {
    /// Every rule.
    pub(crate) const ALL: [Self; 12] = [
        Self::TableBeforeOverwrite,
        Self::LinkBeforeLink,
        Self::FlightBeforeGap,
        Self::FlightBeforeFloor,
        Self::RootBeforeTableCut,
        Self::TableBeforeTail,
        Self::TailBeforeCut,
        Self::CutBeforeGrowth,
        Self::TableBeforePunch,
        Self::UnsettledBeforeChange,
        Self::DataBeforeCleanTables,
        Self::CleanTablesBeforeCommit,
    ];
}

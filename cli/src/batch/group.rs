//! Groups of finished outputs, which are synced and get their names together.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::sync::GroupSync;
use super::turns::Turn;
use super::{Batch, Then};
use crate::atomic::Temporary;
use crate::descriptors;
use crate::report::FileReport;

/// A group is synced and named when it has this many outputs, or as many as leave descriptors for their directories.
const GROUP_FILES: usize = 1024;
/// A group is synced and named when its outputs have this many bytes, so that an interrupt costs little work.
const GROUP_BYTES: u64 = 1 << 30;

/// A group is synced and named, with the next output, when its first one is this old: an interrupted run keeps what it did.
const GROUP_AGE: Duration = Duration::from_secs(5);

/// A finished output, what is said of it, and what is done once it has its name.
pub(super) type Output = (Temporary, FileReport, Then);

/// Outputs that are finished but for their names.
#[derive(Debug)]
pub(super) struct Group {
    outputs: Vec<Output>,
    bytes: u64,
    /// When the first output came.
    since: Option<Instant>,
}

impl Group {
    /// Makes an empty group. It does not grow while threads share it: what one of them has allocated and another one
    /// reallocates makes both wait for each other in the allocator, long afterwards.
    pub(super) fn with_room(outputs: usize) -> Self {
        Self { outputs: Vec::with_capacity(outputs), bytes: 0, since: None }
    }
}

/// Descriptors that an output of a group may hold: its own, that of its source, and those of the directories they are in.
const DESCRIPTORS: usize = 4;

/// Groups that there may be at once, one on its way to the disk and one that is filled, and as much again for everything else.
const GROUPS: usize = 3;

/// Outputs in a group at most.
pub(super) fn most_files() -> usize {
    GROUP_FILES.min(descriptors::limit() / (GROUPS * DESCRIPTORS)).max(1)
}

impl Batch<'_> {
    /// Adds an output to the group, and gives the group if it is full then, with the turn to publish it. Who waits for that keeps
    /// others from filling more groups.
    pub(super) fn add(&self, output: Output) -> Option<(Group, Turn<'_>)> {
        let mut group = self.group();
        group.bytes = group.bytes.saturating_add(output.1.plaintext_bytes);
        group.outputs.push(output);
        let is_old = group.since.get_or_insert_with(Instant::now).elapsed() >= GROUP_AGE;
        let full = group.outputs.len() >= self.group_files || group.bytes >= GROUP_BYTES || is_old;
        full.then(|| self.detach(&mut group, self.group_files))
    }

    /// Takes the group away, to be published, and leaves one with room for so many.
    fn detach(&self, group: &mut Group, room: usize) -> (Group, Turn<'_>) {
        let turn = self.turns.take();
        (std::mem::replace(group, Group::with_room(room)), turn)
    }

    /// Publishes what is there, and more comes.
    pub(super) fn publish_now(&self) {
        let (now, turn) = self.detach(&mut self.group(), self.group_files);
        self.publish(now, turn);
    }

    /// Publishes what is there.
    pub(super) fn publish_rest(&self) {
        let (rest, turn) = self.detach(&mut self.group(), 0);
        self.publish(rest, turn);
    }

    /// The group that is being filled.
    pub(super) fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a group durable: contents, names, directories, in this order.
    pub(super) fn publish(&self, group: Group, _turn: Turn<'_>) {
        let temporaries: Vec<&Temporary> = group.outputs.iter().map(|(temporary, ..)| temporary).collect();
        let mut sync = GroupSync::contents(&temporaries);
        let mut named = Vec::with_capacity(group.outputs.len());
        for (temporary, report, then) in group.outputs {
            let target = temporary.target().to_owned();
            match sync.failure(&target).map_or_else(|| temporary.publish(), Err) {
                Ok(()) => named.push((target, report, then)),
                Err(error) => self.fail(&error),
            }
        }
        sync.names();
        for (target, report, then) in named {
            match sync.failure(&target).map_or_else(|| then.act(), Err) {
                Err(error) => self.fail(&error),
                Ok(()) => self.succeed(&report),
            }
        }
    }
}

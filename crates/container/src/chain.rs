//! The chain of groups: what a full read, group after group, makes of the tables (SPEC.md, "Reading", R1 and R3 to R8).
//!
//! One state machine serves settled and interrupted containers, streams and files. It sees each group's facts in file
//! order and says how many bytes of it are plaintext of the file, and how many zeros stand before them.

use crate::error::{ContainerError, Damage};
use crate::geometry::GroupIndex;
use crate::group::{Bounds, GroupFacts};
use crate::keys::{ContentKeys, FreshnessHash};
use crate::read::meaningful_size;
use crate::table::{Root, STREAM};

/// What a group adds to the plaintext: first zeros, then bytes from its region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) zeros: u64,
    pub(crate) bytes: usize,
}

/// The reader's place in the chain.
#[derive(Debug)]
pub(crate) struct Chain {
    bounds: Bounds,
    commitment: FreshnessHash,
    /// The exclusive or over the tables seen so far.
    seen: FreshnessHash,
    expected: Expected,
    /// What comes next instead if the expected group turns out to be absent.
    undo_next: Option<u64>,
    /// Plaintext bytes released so far.
    position: u64,
    /// Bytes of the file that can mean anything.
    largest: u64,
}

/// Which group comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// This one has a table.
    Group(u64),
    /// No further group has a table.
    End,
    /// The file ends at this plaintext offset, whatever follows.
    Cut(u64),
}

impl Chain {
    pub(crate) fn new(root: &Root) -> Self {
        Self {
            bounds: Bounds::of(root),
            commitment: root.hash,
            seen: FreshnessHash::default(),
            expected: Expected::Group(0),
            undo_next: None,
            position: 0,
            largest: meaningful_size(root, u64::MAX),
        }
    }

    /// Takes the next group in file order; `None` is an absent one.
    pub(crate) fn accept(
        &mut self,
        keys: &ContentKeys,
        group: GroupIndex,
        facts: Option<&GroupFacts>,
    ) -> Result<Release, ContainerError> {
        let damaged = |damage| Err(ContainerError::damaged(group.table_offset(), damage));
        // A group behind the end, left over from an interrupted truncation, is no longer committed to.
        let counts = group.plaintext_start() < self.bounds.len;
        if let Some(freshness) = facts.and_then(|facts| facts.freshness).filter(|_| counts) {
            let counted = if freshness.generation <= self.bounds.generation { freshness.id } else { freshness.base };
            keys.toggle_table(&mut self.seen, group.0, counted);
        }
        match (facts, self.expects(group)) {
            (None, false) => Ok(Release::default()),
            (None, true) if self.bounds.settled => damaged(Damage::TableMissing { group: group.0 }),
            (None, true) => self.fall_back(group).map(|()| Release::default()),
            (Some(_), false) if self.bounds.settled => damaged(Damage::TableUnexpected { group: group.0 }),
            // A group made just before the interruption, which nothing refers to yet.
            (Some(_), false) => Ok(Release::default()),
            (Some(facts), true) => self.release(group, facts),
        }
    }

    /// Ends the read: the zeros after the last group, with `file_size` bytes read in all.
    pub(crate) fn finish(&mut self, file_size: u64) -> Result<u64, ContainerError> {
        let Bounds { settled, len, floor, .. } = self.bounds;
        if let (true, Expected::Group(group)) = (settled, self.expected) {
            let expected = GroupIndex(group).chunk_offset(0) + 1;
            return Err(ContainerError::damaged(file_size, Damage::Truncated { size: file_size, expected }));
        }
        while let Expected::Group(group) = self.expected {
            self.fall_back(GroupIndex(group))?;
        }
        // Rule R3: what no entry covers is zeros below the floor, and not there above it.
        let length = match self.expected {
            Expected::Cut(length) => length,
            _ if self.position < len => self.position.max(floor),
            _ => len,
        };
        if self.seen != self.commitment {
            return Err(ContainerError::damaged(GroupIndex::ROOT.table_offset(), Damage::RootHash));
        }
        Ok(length - self.position)
    }

    /// Whether `group` is the one that the chain leads to.
    pub(crate) fn expects(&self, group: GroupIndex) -> bool {
        self.expected == Expected::Group(group.0)
    }

    /// Bytes of a file of this size that can mean anything.
    pub(crate) fn meaningful_size(&self, size: u64) -> u64 {
        size.min(self.largest)
    }

    /// Plaintext bytes released so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The length of the plaintext as far as it is known: all of it once the last group of a stream has been seen.
    pub(crate) fn known_len(&self) -> Option<u64> {
        (self.bounds.len != STREAM).then_some(self.bounds.len)
    }

    fn release(&mut self, group: GroupIndex, facts: &GroupFacts) -> Result<Release, ContainerError> {
        let start = group.plaintext_start();
        if start >= self.bounds.len && group != GroupIndex::ROOT {
            if self.bounds.settled {
                return Err(ContainerError::damaged(
                    group.table_offset(),
                    Damage::TableContent { group: group.0, reason: "it lies beyond the end of the container" },
                ));
            }
            self.expected = Expected::End;
            return Ok(Release::default());
        }
        if self.bounds.len == STREAM {
            self.follow_stream(group, facts)?;
        }
        let covered = start + u64::from(facts.end);
        let end = covered.min(self.bounds.len).min(facts.cut.unwrap_or(u64::MAX));
        // A cut at the floor may lie beyond what the entries cover, and then zeros fill the gap.
        let end = end.max(start);
        let release = Release {
            zeros: start - self.position,
            bytes: usize::try_from(end - start).expect("a group's plaintext fits memory"),
        };
        self.position = end;
        self.undo_next = facts.undo_next;
        self.expected = match (facts.cut, facts.next) {
            (Some(cut), _) => Expected::Cut(cut),
            (None, 0) => Expected::End,
            (None, next) => Expected::Group(next),
        };
        Ok(release)
    }

    /// Rule R7: the groups of a stream follow one another, all full but the last, whose end is the file's.
    fn follow_stream(&mut self, group: GroupIndex, facts: &GroupFacts) -> Result<(), ContainerError> {
        let full = facts.end as usize == group.capacity();
        if facts.next == 0 {
            let len = group.plaintext_start() + u64::from(facts.end);
            (self.bounds.len, self.bounds.floor) = (len, len);
        } else if facts.next != group.0 + 1 || !full {
            return Err(ContainerError::damaged(
                group.table_offset(),
                Damage::TableContent { group: group.0, reason: "a gap in a stream" },
            ));
        }
        Ok(())
    }

    /// Rules R4 and R5: the group that should come next is absent.
    fn fall_back(&mut self, absent: GroupIndex) -> Result<(), ContainerError> {
        let cut = Expected::Cut(self.bounds.floor.max(absent.plaintext_start().min(self.bounds.len)));
        let below_floor = absent.plaintext_start() < self.bounds.floor;
        self.expected = match self.undo_next.take() {
            Some(0) if below_floor => Expected::End,
            Some(0) => cut,
            Some(successor) => Expected::Group(successor),
            None if below_floor => return Err(missing(absent)),
            None => cut,
        };
        Ok(())
    }
}

/// The error for a table that has to be there.
pub(crate) fn missing(group: GroupIndex) -> ContainerError {
    ContainerError::damaged(group.table_offset(), Damage::TableMissing { group: group.0 })
}

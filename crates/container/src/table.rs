//! Tables: the sealed pages that hold nonces, tags and versions of a group's chunks (SPEC.md, "Tables").
//!
//! Group 0's table is also the root of the file: it holds the lengths and the commitment to all other tables.

mod layout;

use crate::error::{ContainerError, Damage};
use crate::geometry::{CHUNK_LEN, GroupIndex};
use crate::keys::{ContentKeys, FreshnessHash};
use crate::suite::{NONCE_LEN, TABLE_NONCE_LEN, TAG_LEN};

pub(crate) use self::layout::undo_room;

/// Bytes of a table page in front of its ciphertext.
const SEAL_LEN: usize = TABLE_NONCE_LEN + TAG_LEN;
/// The length in the root of a container whose length was not known when its root was written.
pub(crate) const STREAM: u64 = u64::MAX;

/// Nonce and tag of one chunk version. All zero means that the chunk is a hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) tag: [u8; TAG_LEN],
}

impl Entry {
    /// The chunk has no stored bytes, and reads as zeros.
    pub(crate) const HOLE: Self = Self { nonce: [0; NONCE_LEN], tag: [0; TAG_LEN] };

    pub(crate) fn is_hole(&self) -> bool {
        *self == Self::HOLE
    }
}

/// An earlier version of a chunk, which holds where the current one has not reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UndoItem {
    /// The chunk's index in its group.
    pub(crate) chunk: u8,
    /// Stored bytes of that version, 1 to 4096; a hole's are 4096.
    pub(crate) length: u16,
    pub(crate) entry: Entry,
}

/// What only the root holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    /// r: how often the tables were committed to.
    pub(crate) generation: u64,
    /// H: the commitment to the tables of all other groups.
    pub(crate) hash: FreshnessHash,
    /// Nothing is in flight, and H covers every table.
    pub(crate) settled: bool,
    /// Length of the plaintext, or [`STREAM`].
    pub(crate) len: u64,
    /// What lies below has reached the disk.
    pub(crate) floor: u64,
    /// No byte of the file lies above the place of this length.
    pub(crate) high: u64,
}

/// What only the other tables hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// G: the root generation in which this version of the table counts.
    pub(crate) generation: u64,
    /// The random name of this version.
    pub(crate) id: u64,
    /// The name of the version that the root commits to while G is not reached.
    pub(crate) base: u64,
}

/// Whether a table is the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Root(Root),
    Group(Freshness),
}

/// An open table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) kind: Kind,
    /// The next group that has a table; 0 for none.
    pub(crate) next: u64,
    /// What `next` was at the last barrier, where that may still hold.
    pub(crate) undo_next: Option<u64>,
    /// Plaintext bytes of the group that `entries` cover.
    pub(crate) end: u32,
    /// One for each chunk below `end`; beyond are holes.
    pub(crate) entries: Vec<Entry>,
    /// Earlier versions, the newest first.
    pub(crate) undo: Vec<UndoItem>,
}

impl Table {
    /// Seals the table into its page, under a fresh `nonce` of which the suite uses what it needs.
    pub(crate) fn seal(&self, keys: &ContentKeys, group: GroupIndex, nonce: &[u8; TABLE_NONCE_LEN], page: &mut [u8]) {
        debug_assert_eq!(page.len(), group.table_len());
        let (seal, body) = page.split_at_mut(SEAL_LEN);
        seal.fill(0);
        let used = keys.table.table_nonce_len();
        seal[..used].copy_from_slice(&nonce[..used]);
        layout::encode(self, group, body);
        let nonce = seal.first_chunk().expect("a nonce begins the page");
        let tag = keys.table.seal_table(nonce, group.0, body);
        seal[TABLE_NONCE_LEN..].copy_from_slice(&tag);
    }

    /// Opens the table in `page`, in place; an all-zero page is no table.
    pub(crate) fn open(keys: &ContentKeys, group: GroupIndex, page: &mut [u8]) -> Result<Option<Self>, ContainerError> {
        debug_assert_eq!(page.len(), group.table_len());
        if page.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let damaged = |damage| ContainerError::damaged(group.table_offset(), damage);
        let (seal, body) = page.split_at_mut(SEAL_LEN);
        let nonce = seal.first_chunk::<TABLE_NONCE_LEN>().expect("a nonce begins the page");
        let tag = seal.last_chunk::<TAG_LEN>().expect("a tag follows the nonce");
        let unused = &nonce[keys.table.table_nonce_len()..];
        if unused.iter().any(|byte| *byte != 0) || keys.table.open_table(nonce, group.0, body, tag).is_err() {
            return Err(damaged(Damage::Table { group: group.0 }));
        }
        layout::decode(group, body).map(Some).map_err(|reason| damaged(Damage::TableContent { group: group.0, reason }))
    }

    /// Bytes of the chunk number `index` that are stored, if it is not a hole: all, or what `end` leaves for the last.
    pub(crate) fn stored_len(&self, index: usize) -> usize {
        (self.end as usize).saturating_sub(index * CHUNK_LEN).min(CHUNK_LEN)
    }

    /// How many chunks `end` covers.
    pub(crate) fn chunks(&self) -> usize {
        (self.end as usize).div_ceil(CHUNK_LEN)
    }
}

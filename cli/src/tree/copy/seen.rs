//! What the walk of one run has seen: `--delete` removes nothing that was there when the tree was listed, whatever has become
//! of the tree since then.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::hash::{BuildHasher as _, RandomState};

use rustix::fs::FileType;

/// Names and kinds in the trees that were walked.
///
/// Only a hash of each is kept. Two places of one hash are taken for one, and what is taken for seen is not removed: at worst
/// something stays that could have gone.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hasher: RandomState,
    all: HashSet<u64>,
}

/// A place in the trees: an input, or a name in a directory.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Place(u64);

impl Seen {
    /// The place of `name` in a directory; without one, that of an input, which has no name if it is the only one.
    pub(super) fn place(&self, above: Option<Place>, name: Option<&OsStr>) -> Place {
        Place(self.hasher.hash_one((above, name)))
    }

    /// Something of this kind was seen.
    pub(super) fn add(&mut self, place: Place, kind: FileType) {
        let hash = self.hash(place, kind);
        self.all.insert(hash);
    }

    /// Whether something of this kind was seen.
    pub(super) fn has(&self, place: Place, kind: FileType) -> bool {
        self.all.contains(&self.hash(place, kind))
    }

    fn hash(&self, place: Place, kind: FileType) -> u64 {
        self.hasher.hash_one((place, kind.as_raw_mode()))
    }
}

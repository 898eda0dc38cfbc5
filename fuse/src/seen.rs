//! How files were when they were closed last: if they still are, the kernel may keep their pages, and programs are told the
//! times that they know.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::attributes::Stamp;

/// Files that are remembered.
const MAX_SEEN: usize = 16384;

/// What files were like when they were closed.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<u64, (Stamp, SystemTime)>>);

impl Seen {
    /// Notes what a file is like, and the time of the last change of its attributes that programs are told.
    pub(crate) fn note(&self, node: u64, stamp: Stamp, changed: SystemTime) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_SEEN && !seen.contains_key(&node) {
            seen.clear();
        }
        seen.insert(node, (stamp, changed));
    }

    /// Whether a file is what it was like.
    pub(crate) fn is_unchanged(&self, node: u64, stamp: Stamp) -> bool {
        self.changed(node, stamp).is_some()
    }

    /// The time of the last change of attributes that programs are told of a file, if it is what it was like.
    pub(crate) fn changed(&self, node: u64, stamp: Stamp) -> Option<SystemTime> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&node).filter(|(known, _)| *known == stamp).map(|(_, changed)| *changed)
    }
}

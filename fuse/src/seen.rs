//! How files were when they were closed last, so that the kernel may keep their pages if they still are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::attributes::Stamp;

/// Files that are remembered.
const MAX_SEEN: usize = 16384;

/// What files were like when they were closed.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<u64, Stamp>>);

impl Seen {
    /// Notes what a file is like.
    pub(crate) fn note(&self, node: u64, stamp: Stamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_SEEN && !seen.contains_key(&node) {
            seen.clear();
        }
        seen.insert(node, stamp);
    }

    /// Whether a file is what it was like.
    pub(crate) fn is_unchanged(&self, node: u64, stamp: Stamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&node) == Some(&stamp)
    }
}

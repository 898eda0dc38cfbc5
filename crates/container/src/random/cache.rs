//! The tables that were used last, and the holes that were found.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::geometry::GroupIndex;
use crate::table::Table;

/// Tables kept; each takes about 2 KB.
const CAPACITY: usize = 64;

/// A bounded cache, the least recently used goes first.
#[derive(Debug)]
pub(super) struct TableCache(Mutex<VecDeque<Known>>);

/// One table, or a run of groups without any.
#[derive(Debug)]
struct Known {
    first: u64,
    last: u64,
    table: Option<Arc<Table>>,
}

impl TableCache {
    pub(super) fn new() -> Self {
        Self(Mutex::new(VecDeque::with_capacity(CAPACITY)))
    }

    /// What is known of a group: its table, or that it has none.
    pub(super) fn get(&self, group: GroupIndex) -> Option<Option<Arc<Table>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|known| (known.first..=known.last).contains(&group.0))?;
        let found = known.remove(at)?;
        let table = found.table.clone();
        known.push_back(found);
        Some(table)
    }

    /// Keeps a table, or a run of groups without any.
    pub(super) fn put(&self, first: u64, last: u64, table: Option<Arc<Table>>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == CAPACITY {
            known.pop_front();
        }
        known.push_back(Known { first, last, table });
    }
}

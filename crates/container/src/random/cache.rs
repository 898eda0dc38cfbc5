//! The tables that were used last, and the holes that were found.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::geometry::GroupIndex;
use crate::table::Table;

/// Tables kept; each takes about 2 KB.
const CAPACITY: usize = 64;

/// A bounded cache, the least recently used goes first. A writer pins the tables that it is changing.
#[derive(Debug)]
pub(crate) struct TableCache {
    known: Mutex<VecDeque<Known>>,
    pinned: BTreeMap<u64, Arc<Table>>,
    /// The last search for the nearest table before a group: the group that has it, and the group it was for.
    scanned: Mutex<Option<(u64, u64)>>,
}

/// One table, or a run of groups without any.
#[derive(Debug)]
struct Known {
    first: u64,
    last: u64,
    table: Option<Arc<Table>>,
}

impl TableCache {
    pub(crate) fn new() -> Self {
        Self {
            known: Mutex::new(VecDeque::with_capacity(CAPACITY)),
            pinned: BTreeMap::new(),
            scanned: Mutex::new(None),
        }
    }

    /// What is known of a group: its table, or that it has none.
    pub(crate) fn get(&self, group: GroupIndex) -> Option<Option<Arc<Table>>> {
        if let Some(table) = self.pinned.get(&group.0) {
            return Some(Some(Arc::clone(table)));
        }
        let mut known = self.lock();
        let at = known.iter().position(|known| (known.first..=known.last).contains(&group.0))?;
        let found = known.remove(at)?;
        let table = found.table.clone();
        known.push_back(found);
        Some(table)
    }

    /// Keeps a table, or a run of groups without any.
    pub(crate) fn put(&self, first: u64, last: u64, table: Option<Arc<Table>>) {
        let mut known = self.lock();
        if known.len() == CAPACITY {
            known.pop_front();
        }
        known.push_back(Known { first, last, table });
    }

    /// The last search for the nearest table before a group: the group that has it, and the group it was for.
    pub(crate) fn scanned(&self) -> Option<(u64, u64)> {
        *self.scanned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the outcome of a search, so that one from further on need not go over the same tables.
    pub(crate) fn set_scanned(&self, found: u64, from: u64) {
        *self.scanned.lock().unwrap_or_else(PoisonError::into_inner) = Some((found, from));
    }

    /// Pins a table that is about to change, and forgets what else was known of its group.
    pub(crate) fn pin(&mut self, group: u64, table: Arc<Table>) -> &mut Table {
        self.lock().retain(|known| !(known.first..=known.last).contains(&group));
        *self.scanned.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        Arc::make_mut(self.pinned.entry(group).insert_entry(table).into_mut())
    }

    /// A pinned table.
    pub(crate) fn pinned(&mut self, group: u64) -> Option<&mut Table> {
        self.pinned.get_mut(&group).map(Arc::make_mut)
    }

    /// Lets a pinned table go its way as others do.
    pub(crate) fn unpin(&mut self, group: u64) {
        if let Some(table) = self.pinned.remove(&group) {
            self.put(group, group, Some(table));
        }
    }

    /// Forgets every group from `first` on.
    pub(crate) fn forget_from(&mut self, first: u64) {
        self.lock().retain(|known| known.last < first);
        *self.scanned.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        self.pinned.retain(|group, _| *group < first);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

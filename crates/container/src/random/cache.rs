//! The tables that were used last, and the holes that were found.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::geometry::GroupIndex;
use crate::table::Table;

/// Tables kept; each takes about 2 KB.
const MAX_TABLES: usize = 1024;

/// Runs of groups without tables that are kept.
const MAX_HOLES: usize = 1024;

/// A bounded cache of tables, for many readers at once. A writer pins the tables that it is changing.
#[derive(Debug)]
pub(crate) struct TableCache {
    known: RwLock<Known>,
    pinned: BTreeMap<u64, Arc<Table>>,
    /// The last search for the nearest table before a group: the group that has it, and the group it was for.
    scanned: Mutex<Option<(u64, u64)>>,
}

/// What is known of groups that nobody is changing.
#[derive(Debug, Default)]
struct Known {
    /// Tables, in no order.
    slots: Vec<Slot>,
    /// The slot of each group that has one.
    places: HashMap<u64, usize>,
    /// The slot that is looked at first when one has to go.
    hand: usize,
    /// Runs of groups without tables: the first, and the last.
    holes: BTreeMap<u64, u64>,
}

/// One table.
#[derive(Debug)]
struct Slot {
    group: u64,
    table: Arc<Table>,
    /// Whether it was used since the hand came by: then it stays for another round.
    used: AtomicBool,
}

impl TableCache {
    pub(crate) fn new() -> Self {
        Self { known: RwLock::default(), pinned: BTreeMap::new(), scanned: Mutex::new(None) }
    }

    /// What is known of a group: its table, or that it has none.
    pub(crate) fn get(&self, group: GroupIndex) -> Option<Option<Arc<Table>>> {
        if let Some(table) = self.pinned.get(&group.0) {
            return Some(Some(Arc::clone(table)));
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.places.get(&group.0) {
            let slot = &known.slots[*place];
            if !slot.used.load(Ordering::Relaxed) {
                slot.used.store(true, Ordering::Relaxed);
            }
            return Some(Some(Arc::clone(&slot.table)));
        }
        known.holes.range(..=group.0).next_back().filter(|(_, last)| **last >= group.0).map(|_| None)
    }

    /// Keeps a table.
    pub(crate) fn put_table(&self, group: u64, table: Arc<Table>) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).put(group, table);
    }

    /// Keeps a run of groups without tables.
    pub(crate) fn put_hole(&self, first: u64, last: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.holes.len() >= MAX_HOLES {
            known.holes.clear();
        }
        known.holes.insert(first, last);
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
    pub(crate) fn pin(&mut self, group: u64, table: Arc<Table>) {
        let known = self.known.get_mut().unwrap_or_else(PoisonError::into_inner);
        known.forget_table(group);
        known.holes.retain(|first, last| !(*first..=*last).contains(&group));
        *self.scanned.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        self.pinned.insert(group, table);
    }

    /// A pinned table.
    pub(crate) fn pinned(&mut self, group: u64) -> Option<&mut Table> {
        self.pinned.get_mut(&group).map(Arc::make_mut)
    }

    /// Whether a table is pinned.
    pub(crate) fn is_pinned(&self, group: u64) -> bool {
        self.pinned.contains_key(&group)
    }

    /// Lets a pinned table go its way as others do.
    pub(crate) fn unpin(&mut self, group: u64) {
        if let Some(table) = self.pinned.remove(&group) {
            self.known.get_mut().unwrap_or_else(PoisonError::into_inner).put(group, table);
        }
    }

    /// Forgets every group from `first` on.
    pub(crate) fn forget_from(&mut self, first: u64) {
        let known = self.known.get_mut().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<u64> = known.places.keys().copied().filter(|group| *group >= first).collect();
        gone.into_iter().for_each(|group| known.forget_table(group));
        known.holes.retain(|_, last| *last < first);
        *self.scanned.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        self.pinned.retain(|group, _| *group < first);
    }
}

impl Known {
    /// Keeps a table. Where there is no room, one goes that was not used for a while.
    fn put(&mut self, group: u64, table: Arc<Table>) {
        self.forget_table(group);
        let slot = Slot { group, table, used: AtomicBool::new(false) };
        if self.slots.len() < MAX_TABLES {
            self.places.insert(group, self.slots.len());
            self.slots.push(slot);
            return;
        }
        while std::mem::take(self.slots[self.hand].used.get_mut()) {
            self.hand = (self.hand + 1) % MAX_TABLES;
        }
        self.places.remove(&self.slots[self.hand].group);
        self.places.insert(group, self.hand);
        self.slots[self.hand] = slot;
        self.hand = (self.hand + 1) % MAX_TABLES;
    }

    fn forget_table(&mut self, group: u64) {
        let Some(place) = self.places.remove(&group) else { return };
        self.slots.swap_remove(place);
        if let Some(moved) = self.slots.get(place) {
            self.places.insert(moved.group, place);
        }
        // The hand stays on a slot that is there once all are taken again.
        self.hand = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Freshness, Kind};

    fn table() -> Arc<Table> {
        let kind = Kind::Group(Freshness { generation: 0, id: 0, base: 0 });
        Arc::new(Table { kind, next: 0, undo_next: None, end: 0, entries: Vec::new(), undo: Vec::new() })
    }

    #[test]
    fn what_is_used_stays_and_the_number_of_tables_is_bounded() {
        let cache = TableCache::new();
        for group in 0..10 * MAX_TABLES as u64 {
            cache.put_table(group, table());
            assert!(cache.get(GroupIndex(0)).is_some(), "the table that is used all the time is gone at {group}");
        }
        let kept = (0..10 * MAX_TABLES as u64).filter(|group| cache.get(GroupIndex(*group)).is_some()).count();
        assert_eq!(kept, MAX_TABLES);
    }

    #[test]
    fn holes_are_known_by_their_groups_until_a_table_is_put_there() {
        let mut cache = TableCache::new();
        cache.put_hole(5, 9);
        cache.put_hole(20, u64::MAX);
        let known: Vec<u64> = (0..30).filter(|group| matches!(cache.get(GroupIndex(*group)), Some(None))).collect();
        assert_eq!(known, (5..10).chain(20..30).collect::<Vec<_>>());
        cache.pin(7, table());
        assert!(cache.get(GroupIndex(5)).is_none() && cache.get(GroupIndex(7)).is_some_and(|table| table.is_some()));
        cache.unpin(7);
        cache.forget_from(6);
        assert!((6..30).all(|group| cache.get(GroupIndex(group)).is_none()));
    }

    #[test]
    fn forgetting_any_table_leaves_the_others() {
        let mut cache = TableCache::new();
        (0..100).for_each(|group| cache.put_table(group, table()));
        for group in (0..100).step_by(3) {
            cache.pin(group, table());
            cache.forget_from(1000);
        }
        (0..100).step_by(3).for_each(|group| cache.unpin(group));
        assert!((0..100).all(|group| cache.get(GroupIndex(group)).is_some()));
        cache.forget_from(50);
        assert_eq!((0..100).filter(|group| cache.get(GroupIndex(*group)).is_some()).count(), 50);
    }
}

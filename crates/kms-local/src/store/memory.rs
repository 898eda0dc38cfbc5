//! What is in memory of a store, and which state of the database it was read from.

use std::path::Path;
use std::sync::{MutexGuard, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use super::Store;
use super::cache::Cache;
use super::connection::{self, Opened, Stamp};
use super::log_index::LogIndex;
use crate::error::StoreError;

/// Keys and credentials in memory.
pub(super) struct Memory {
    cache: Cache,
    /// The state of the database that the cache was filled from; none before it was first looked at.
    stamp: Option<Stamp>,
    /// Where a change shows without a query, if it does.
    index: Option<LogIndex>,
}

impl Memory {
    pub(super) fn new(index: Option<LogIndex>) -> Self {
        Self { cache: Cache::default(), stamp: None, index }
    }

    /// What `find` finds in memory, if that is as the database is now; none too if it takes a query to know.
    pub(super) fn now<T>(&self, find: impl FnOnce(&Cache) -> Option<T>) -> Option<T> {
        let header = self.index.as_ref()?.header()?;
        if self.stamp == Some(Stamp::Index(header)) { find(&self.cache) } else { None }
    }

    /// What `find` finds in memory, as of the last look at the database.
    pub(super) fn last<T>(&self, find: impl FnOnce(&Cache) -> Option<T>) -> Option<T> {
        find(&self.cache)
    }

    /// The state of the database now.
    pub(super) fn stamp(&self, reader: &Opened, database: &Path) -> Result<Stamp, StoreError> {
        match self.index.as_ref().and_then(LogIndex::header) {
            Some(header) => Ok(Stamp::Index(header)),
            None => reader.stamp(database),
        }
    }

    pub(super) fn is_of(&self, stamp: &Stamp) -> bool {
        self.stamp.as_ref() == Some(stamp)
    }

    pub(super) fn set_stamp(&mut self, stamp: Stamp) {
        self.stamp = Some(stamp);
    }

    /// What is in memory, to change it.
    pub(super) fn cache(&mut self) -> &mut Cache {
        &mut self.cache
    }
}

impl Store {
    /// Takes the lock of the connection, and forgets what somebody may have changed.
    pub(super) fn fresh(&self) -> Result<MutexGuard<'_, Opened>, StoreError> {
        let mut reader = self.reader();
        let stamp = self.memory().stamp(&reader, &self.database)?;
        if self.memory().is_of(&stamp) {
            return Ok(reader);
        }
        self.memory_mut().cache().clear();
        if reader.access.must_reopen() {
            let (opened, index) = connection::open_to_stay(&self.directory, &self.database)?;
            *reader = opened;
            *self.memory_mut() = Memory::new(index);
        }
        // What is read after this is at least as new.
        let stamp = self.memory().stamp(&reader, &self.database)?;
        self.memory_mut().set_stamp(stamp);
        Ok(reader)
    }

    pub(super) fn reader(&self) -> MutexGuard<'_, Opened> {
        // A panic under the lock leaves an open transaction at worst, which its own drop rolls back.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in memory, to change it: only for who has the lock of the connection.
    pub(super) fn memory_mut(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

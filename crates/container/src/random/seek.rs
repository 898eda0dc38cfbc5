//! Finding data and holes.

use std::collections::BTreeMap;

use super::Container;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, place_of};
use crate::io::ReadAt;

/// Nothing in memory but what is stored.
static NOTHING: BTreeMap<u64, ()> = BTreeMap::new();

impl<B: ReadAt> Container<B> {
    /// The first offset from `offset` on that holds data (lseek(2), SEEK_DATA); `None` if there is none.
    ///
    /// # Errors
    /// A table on the way is damaged; reading fails.
    pub fn seek_data(&self, offset: u64) -> Result<Option<u64>, ContainerError> {
        self.seek_data_in(offset, self.len, &NOTHING)
    }

    /// The first offset from `offset` on that lies in a hole (lseek(2), SEEK_HOLE); the end counts as one. `None` beyond it.
    ///
    /// # Errors
    /// A table on the way is damaged; reading fails.
    pub fn seek_hole(&self, offset: u64) -> Result<Option<u64>, ContainerError> {
        self.seek_hole_in(offset, self.len, &NOTHING)
    }

    /// Finds data in a file of `len` bytes whose chunks `in_memory` hold data as well.
    pub(crate) fn seek_data_in<T>(
        &self,
        offset: u64,
        len: u64,
        in_memory: &BTreeMap<u64, T>,
    ) -> Result<Option<u64>, ContainerError> {
        self.seek(offset, len, in_memory, true).map(|found| found.filter(|at| *at < len))
    }

    /// Finds a hole in a file of `len` bytes whose chunks `in_memory` hold data as well.
    pub(crate) fn seek_hole_in<T>(
        &self,
        offset: u64,
        len: u64,
        in_memory: &BTreeMap<u64, T>,
    ) -> Result<Option<u64>, ContainerError> {
        if offset >= len {
            return Ok(None);
        }
        Ok(Some(self.seek(offset, len, in_memory, false)?.map_or(len, |at| at.min(len))))
    }

    /// The first chunk from `offset` on that holds data, or that does not.
    fn seek<T>(
        &self,
        offset: u64,
        len: u64,
        in_memory: &BTreeMap<u64, T>,
        data: bool,
    ) -> Result<Option<u64>, ContainerError> {
        let chunks = len.div_ceil(CHUNK_LEN as u64);
        let mut number = offset / CHUNK_LEN as u64;
        while number < chunks {
            let (group, index) = place_of(number);
            let table = self.table(group)?;
            let stored = table.as_ref().is_some_and(|table| !table.entries[index].is_hole());
            if (stored || in_memory.contains_key(&number)) == data {
                return Ok(Some(offset.max(number * CHUNK_LEN as u64)));
            }
            number = match table {
                // Nothing is stored in groups without a table, but chunks in memory may lie there.
                None if data => {
                    let next = in_memory.range(number..).next().map_or(u64::MAX, |(number, _)| *number);
                    next.min(self.behind_hole(group)?)
                }
                _ => number + 1,
            };
        }
        Ok(None)
    }

    /// The first chunk behind the run of groups without tables in which `group` lies.
    pub(crate) fn behind_hole(&self, group: GroupIndex) -> Result<u64, ContainerError> {
        if group.plaintext_start() >= self.len {
            return Ok(u64::MAX);
        }
        let (_, last) = self.hole_around(group)?;
        Ok(last.checked_add(1).map_or(u64::MAX, |next| GroupIndex(next).plaintext_start() / CHUNK_LEN as u64))
    }
}

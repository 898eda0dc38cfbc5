//! Reading at any offset (SPEC.md, "Positional reading").

mod cache;
mod chunks;
mod seek;

use std::sync::Arc;

use crate::chain::{Chain, missing};
use crate::error::{ContainerError, Damage};
use crate::geometry::{GroupIndex, MAX_REGION_LEN, SizeClaim, file_size, size_claim};
use crate::group::{Bounds, GroupFacts, check_table, open_region, split_region};
use crate::header::{Header, Unlocked};
use crate::io::{ReadAt, read_full_at};
use crate::read::{Interrupted, check_size, open_root};
use crate::table::{Root, STREAM, Table};

use self::cache::TableCache;

/// An open container whose plaintext can be read at any offset, by several threads at once.
///
/// A read verifies what it returns and what leads there: the root, the table of each group it touches, and the chunks.
/// That all tables together are those that the root commits to is checked by a full read only ([`Unlocked::open`]).
#[derive(Debug)]
pub struct Container<B> {
    pub(crate) backing: B,
    pub(crate) unlocked: Unlocked,
    pub(crate) bounds: Bounds,
    pub(crate) len: u64,
    size: u64,
    /// In a recovered container: the runs of groups, first and last, that the chain leads to.
    pub(crate) runs: Option<Vec<(u64, u64)>>,
    pub(crate) tables: TableCache,
}

impl<B: ReadAt> Container<B> {
    /// Opens a container for reading. One whose last writer was interrupted is read through once to find its end.
    ///
    /// # Errors
    /// The root or the size of the file is damaged; the last writer was interrupted and that is to be refused; reading
    /// fails.
    pub fn open(unlocked: Unlocked, backing: B, interrupted: Interrupted) -> Result<Self, ContainerError> {
        let mut container = Self::new(unlocked, backing);
        container.load(interrupted)?;
        Ok(container)
    }

    /// A container of which nothing has been read yet.
    pub(crate) fn new(unlocked: Unlocked, backing: B) -> Self {
        let bounds = Bounds { settled: false, len: 0, floor: 0, generation: 0 };
        Self { backing, unlocked, bounds, len: 0, size: 0, runs: None, tables: TableCache::new() }
    }

    /// Takes everything from the backing anew, and returns the root.
    pub(crate) fn load(&mut self, interrupted: Interrupted) -> Result<(Table, Root), ContainerError> {
        let (table, root) = self.load_root(interrupted)?;
        check_size(&root, (root.len != STREAM).then_some(root.len), self.size)?;
        check_table(GroupIndex::ROOT, &self.bounds, &table)?;
        if !root.settled {
            self.recover(Chain::new(&root))?;
        } else if root.len == STREAM {
            self.len = self.stream_len()?;
        }
        Ok((table, root))
    }

    /// Takes the root from the backing, and forgets everything else.
    pub(crate) fn load_root(&mut self, interrupted: Interrupted) -> Result<(Table, Root), ContainerError> {
        self.size = self.backing.size().map_err(ContainerError::Read)?;
        let mut page = vec![0; GroupIndex::ROOT.table_len()];
        let offset = GroupIndex::ROOT.table_offset();
        let read = read_full_at(&self.backing, &mut page, offset).map_err(ContainerError::Read)?;
        let (page, _) = split_region(GroupIndex::ROOT, &mut page[..read])?;
        let (table, root) = open_root(&self.unlocked.keys, interrupted, page)?;
        (self.bounds, self.len, self.runs, self.tables) = (Bounds::of(&root), root.len, None, TableCache::new());
        Ok((table, root))
    }

    /// Size of the file in bytes, when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Length of the plaintext in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no plaintext.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the root says that nothing is in flight: the last writer left the container as it was to be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.bounds.settled
    }

    /// Whether the last writer was interrupted, so that what can be read is what was recovered.
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        self.runs.is_some()
    }

    /// The verified header, with the keys to the content.
    #[must_use]
    pub fn unlocked(&self) -> &Unlocked {
        &self.unlocked
    }

    /// The verified header.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.unlocked.header()
    }

    /// The table of a group; `None` where the group is a hole.
    pub(crate) fn table(&self, group: GroupIndex) -> Result<Option<Arc<Table>>, ContainerError> {
        if let Some(known) = self.tables.get(group) {
            return Ok(known);
        }
        let linked = |runs: &Vec<(u64, u64)>| runs.iter().any(|(first, last)| (*first..=*last).contains(&group.0));
        if self.runs.as_ref().is_some_and(|runs| !linked(runs)) || group.plaintext_start() >= self.len {
            return Ok(None);
        }
        match self.load_table(group)?.map(Arc::new) {
            Some(table) => {
                self.tables.put_table(group.0, Arc::clone(&table));
                Ok(Some(table))
            }
            None => {
                let (first, last) = self.hole_around(group)?;
                self.tables.put_hole(first, last);
                Ok(None)
            }
        }
    }

    pub(crate) fn load_table(&self, group: GroupIndex) -> Result<Option<Table>, ContainerError> {
        let mut page = vec![0; group.table_len()];
        let read = read_full_at(&self.backing, &mut page, group.table_offset()).map_err(ContainerError::Read)?;
        if read == 0 && !self.bounds.settled {
            return Ok(None);
        }
        let (page, _) = split_region(group, &mut page[..read])?;
        let table = Table::open(&self.unlocked.keys, group, page)?;
        if let Some(table) = &table {
            check_table(group, &self.bounds, table)?;
            self.check_stream(group, table)?;
        }
        Ok(table)
    }

    /// Rule R6: a group without a table is a hole only if the nearest table before it says so. Returns the first and the
    /// last group of the hole.
    pub(crate) fn hole_around(&self, group: GroupIndex) -> Result<(u64, u64), ContainerError> {
        let (before, table) = self.nearest_before(group)?;
        self.tables.set_scanned(before.0, group.0);
        match table.next {
            0 => Ok((before.0 + 1, u64::MAX)),
            next if next > group.0 => Ok((before.0 + 1, next - 1)),
            next => Err(missing(GroupIndex(next))),
        }
    }

    /// The nearest group before `group` that has a table.
    ///
    /// It is looked for from both sides: downwards page by page, which is short in a dense file, and upwards along the
    /// chain from the nearest table known, which is short in a sparse one.
    pub(crate) fn nearest_before(&self, group: GroupIndex) -> Result<(GroupIndex, Arc<Table>), ContainerError> {
        let mut below = GroupIndex(group.0.checked_sub(1).ok_or_else(|| missing(GroupIndex::ROOT))?);
        let scanned = self.tables.scanned().filter(|(found, from)| *found < group.0 && *from <= group.0);
        let (known, scanned_from) = scanned.unwrap_or((0, 1));
        let mut above =
            (GroupIndex(known), self.known_or_loaded(GroupIndex(known))?.ok_or_else(|| missing(GroupIndex(known)))?);
        loop {
            if below.0 < scanned_from {
                return Ok(above);
            }
            if let Some(table) = self.known_or_loaded(below)? {
                return Ok((below, table));
            }
            below = GroupIndex(below.0 - 1);
            let next = GroupIndex(above.1.next);
            if next.0 != 0 && next < group && next > above.0 {
                above = (next, self.known_or_loaded(next)?.ok_or_else(|| missing(next))?);
            } else if above.1.next == 0 || next > group {
                return Ok(above);
            } else {
                return Err(missing(next));
            }
        }
    }

    fn known_or_loaded(&self, group: GroupIndex) -> Result<Option<Arc<Table>>, ContainerError> {
        match self.tables.get(group) {
            Some(known) => Ok(known),
            None => Ok(self.load_table(group)?.map(Arc::new)),
        }
    }

    /// Rule R7: no gap in a stream.
    fn check_stream(&self, group: GroupIndex, table: &Table) -> Result<(), ContainerError> {
        let follows = table.next == group.0 + 1 && table.end as usize == group.capacity();
        let ends = table.next == 0 && (self.len == STREAM || group.successor().plaintext_start() >= self.len);
        if self.bounds.len == STREAM && !follows && !ends {
            let damage = Damage::TableContent { group: group.0, reason: "a gap in a stream" };
            return Err(ContainerError::damaged(group.table_offset(), damage));
        }
        Ok(())
    }

    /// Rule R7: the length of a stream stands in its last group.
    fn stream_len(&self) -> Result<u64, ContainerError> {
        let size = self.size;
        let truncated = |expected| Err(ContainerError::damaged(size, Damage::Truncated { size, expected }));
        let claim = match size_claim(size) {
            SizeClaim::Plaintext(claim) => claim,
            SizeClaim::Impossible(before) => return truncated(file_size(before.saturating_add(1))),
        };
        let last = GroupIndex::of_plaintext(claim.saturating_sub(1));
        let Some(table) = self.load_table(last)? else {
            return Err(ContainerError::damaged(last.table_offset(), Damage::TableMissing { group: last.0 }));
        };
        if table.next != 0 {
            return truncated(GroupIndex(table.next).chunk_offset(0) + 1);
        }
        let len = last.plaintext_start() + u64::from(table.end);
        let root = Root { generation: 0, hash: [0; 16], settled: true, len, floor: len, high: len };
        check_size(&root, Some(len), size)?;
        Ok(len)
    }

    /// Reads an interrupted container once: which groups count, and where it ends.
    pub(crate) fn recover(&mut self, mut chain: Chain) -> Result<(), ContainerError> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut region = vec![0; MAX_REGION_LEN];
        let mut group = GroupIndex::ROOT;
        let size = chain.meaningful_size(self.size);
        while group.table_offset() < size {
            let facts = self.facts(group, &mut region)?;
            if chain.expects(group) && facts.is_some() {
                match runs.last_mut() {
                    Some((_, last)) if *last + 1 == group.0 => *last = group.0,
                    _ => runs.push((group.0, group.0)),
                }
            }
            chain.accept(&self.unlocked.keys, group, facts.as_ref())?;
            group = group.successor();
        }
        let zeros = chain.finish(self.size)?;
        self.len = chain.position() + zeros;
        self.runs = Some(runs);
        Ok(())
    }

    /// What a group says to the groups around it; its chunks are looked at where they may be cut off only.
    fn facts(&self, group: GroupIndex, region: &mut [u8]) -> Result<Option<GroupFacts>, ContainerError> {
        if group.successor().plaintext_start() <= self.bounds.floor {
            return Ok(self.load_table(group)?.as_ref().map(GroupFacts::of));
        }
        let region = &mut region[..group.region_len()];
        let read = |part: &mut [u8], offset| read_full_at(&self.backing, part, offset).map_err(ContainerError::Read);
        // A writer was interrupted, or nothing would be recovered: then an absent group says nothing more, and a large hole is
        // many of them. In a settled container what lies behind it has to be zero, which whoever reads it checks.
        let (page, chunks) = region.split_at_mut(group.table_len());
        let of_page = read(page, group.table_offset())?;
        if of_page == page.len() && page.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let of_chunks = if of_page == page.len() { read(chunks, group.chunk_offset(0))? } else { 0 };
        open_region(&self.unlocked.keys, group, &self.bounds, &mut region[..of_page + of_chunks])
    }
}

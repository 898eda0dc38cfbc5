//! Tables in the hands of a writer: changed in memory, written with their undo items, and forgotten at a barrier.

use std::io;
use std::sync::Arc;

use super::batch::by_group;
use super::rules::Rule;
use super::versions::Versions;
use super::{Editor, Page};
use crate::chain::missing;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, file_size};
use crate::group::{TABLE_RANDOM_LEN, table_random};
use crate::io::Backing;
use crate::suite::NONCE_LEN;
use crate::table::{Entry, Freshness, Kind, Table};

/// What may be on disk of a table's chunks and link besides what the table says.
#[derive(Debug)]
pub(super) struct Changed {
    /// The versions of its chunks.
    pub(super) versions: Versions,
    /// The link at the last barrier.
    pub(super) durable_next: u64,
}

/// What may be on disk of a chunk before it is changed for the first time since a barrier, with its stored length. `None`
/// for a chunk that had no place before.
pub(super) fn durable_version(table: &Table, index: usize, lies_below_len: bool) -> Option<(Entry, usize)> {
    if index >= table.chunks() {
        return lies_below_len.then_some((Entry::HOLE, CHUNK_LEN));
    }
    let entry = table.entries[index];
    Some((entry, if entry.is_hole() { CHUNK_LEN } else { table.stored_len(index) }))
}

impl<B: Backing> Editor<B> {
    /// A group's table, ready to be changed. It has to be there.
    pub(super) fn table_mut(&mut self, group: GroupIndex) -> Result<&mut Table, ContainerError> {
        if !self.container.tables.is_pinned(group.0) {
            let table = self.container.table(group)?.ok_or_else(|| missing(group))?;
            self.container.tables.pin(group.0, table);
        }
        let table = self.container.tables.pinned(group.0).expect("it was pinned just now");
        let durable_next = table.next;
        self.changed.entry(group.0).or_insert_with(|| Changed { versions: Versions::default(), durable_next });
        Ok(table)
    }

    /// Begins to read the tables of the groups that chunks of these numbers lie in.
    ///
    /// Asked for beforehand they arrive beside each other. And where the data before a table was just written, the system
    /// would take one read after it for the beginning of many, and read data that is to be overwritten.
    pub(super) fn will_read_tables(&self, numbers: &[u64]) {
        let container = &self.container;
        let is_there = |group: GroupIndex| group.plaintext_start() < container.len;
        for (group, _) in by_group(numbers).take_while(|(group, _)| is_there(*group)) {
            if container.tables.get(group).is_some() {
                continue;
            }
            container.backing.will_read(group.table_offset(), group.table_len() as u64);
        }
    }

    /// Pins the tables of the groups that chunks of these numbers lie in, as far as there are any.
    pub(super) fn pin_tables(&mut self, numbers: &[u64]) -> Result<(), ContainerError> {
        self.will_read_tables(numbers);
        for (group, _) in by_group(numbers) {
            if !self.container.tables.is_pinned(group.0)
                && let Some(table) = self.container.table(group)?
            {
                self.container.tables.pin(group.0, table);
            }
        }
        Ok(())
    }

    /// What may be on disk of a table's chunks; the table has been asked for by [`Editor::table_mut`].
    pub(super) fn changed_mut(&mut self, group: GroupIndex) -> &mut Changed {
        self.changed.get_mut(&group.0).expect("a table that is changed has been asked for")
    }

    /// The nearest group before `group` that has a table.
    pub(super) fn predecessor(&self, group: GroupIndex) -> Result<GroupIndex, ContainerError> {
        self.container.nearest_before(group).map(|(before, _)| before)
    }

    /// Puts a new, empty table behind its predecessor, and returns the predecessor, whose link changes.
    pub(super) fn create_table(&mut self, group: GroupIndex) -> Result<GroupIndex, ContainerError> {
        let before = self.predecessor(group)?;
        let next = std::mem::replace(&mut self.table_mut(before)?.next, group.0);
        let durable_next = self.changed_mut(before).durable_next;
        let table = Table {
            kind: Kind::Group(Freshness { generation: 0, id: 0, base: 0 }),
            next,
            undo_next: None,
            end: 0,
            entries: vec![Entry::HOLE; group.chunks()],
            undo: Vec::new(),
        };
        self.container.tables.pin(group.0, Arc::new(table));
        self.changed.insert(group.0, Changed { versions: Versions::default(), durable_next });
        Ok(before)
    }

    /// Seals a changed table with its undo items, and writes its page.
    pub(super) fn write_table(&mut self, group: GroupIndex) -> Result<(), ContainerError> {
        self.write_tables([group])
    }

    /// Seals changed tables with their undo items, and writes their pages.
    pub(super) fn write_tables(
        &mut self,
        groups: impl IntoIterator<Item = GroupIndex, IntoIter: ExactSizeIterator>,
    ) -> Result<(), ContainerError> {
        let groups = groups.into_iter();
        let mut random = vec![0; groups.len() * TABLE_RANDOM_LEN];
        getrandom::fill(&mut random).map_err(ContainerError::Random)?;
        let mut page = [0; CHUNK_LEN];
        for (group, random) in groups.zip(random.as_chunks::<TABLE_RANDOM_LEN>().0) {
            let page = &mut page[..group.table_len()];
            self.seal_table(group, random, page);
            self.write(page, group.table_offset())?;
        }
        Ok(())
    }

    /// Seals a changed table with its undo items.
    fn seal_table(&mut self, group: GroupIndex, random: &[u8; TABLE_RANDOM_LEN], page: &mut [u8]) {
        let (nonce, id) = table_random(random);
        let root = self.root;
        let changed = self.changed.get(&group.0).expect("a table that is written has been asked for");
        let table = self.container.tables.pinned(group.0).expect("a table that is written is pinned");
        table.kind = match table.kind {
            Kind::Root(_) => Kind::Root(root),
            Kind::Group(old) => {
                // W10: until the root reaches this generation, it commits to the version before.
                let base = if old.generation > root.generation { old.base } else { old.id };
                let freshness = Freshness { generation: root.generation + 1, id, base };
                self.pending.insert(group.0, freshness);
                Kind::Group(freshness)
            }
        };
        table.undo = changed.versions.undo(table);
        table.undo_next = (changed.durable_next != table.next).then_some(changed.durable_next);
        if table.undo.is_empty() && table.undo_next.is_none() {
            self.unclean.remove(&group.0);
        } else {
            self.unclean.insert(group.0);
        }
        table.seal(&self.container.unlocked.keys, group, nonce, page);
        // In memory the current entry is the only one: undo is for whoever reads the page.
        table.undo = Vec::new();
        table.undo_next = None;
    }

    /// Writes the root with the lengths as they are now.
    pub(super) fn write_root(&mut self) -> Result<(), ContainerError> {
        self.table_mut(GroupIndex::ROOT)?;
        self.write_table(GroupIndex::ROOT)?;
        self.see_root();
        Ok(())
    }

    /// W10: before anything else changes, the root on disk says that the container is not settled.
    pub(super) fn unsettle(&mut self) -> Result<(), ContainerError> {
        if !self.root.settled {
            return Ok(());
        }
        self.root.settled = false;
        self.write_root()?;
        self.barrier_for(Rule::UnsettledBeforeChange)
    }

    /// Waits until everything written is on disk.
    pub(super) fn barrier(&mut self) -> Result<(), ContainerError> {
        self.wait_for_backing().map_err(ContainerError::Write)?;
        self.note_barrier();
        Ok(())
    }

    /// Waits for this container's own backing.
    pub(super) fn wait_for_backing(&self) -> io::Result<()> {
        let backing = &self.container.backing;
        if self.resized { backing.sync_all() } else { backing.sync_data() }
    }

    /// Everything written is on disk. Of each chunk only the last stored version is left then.
    pub(super) fn note_barrier(&mut self) {
        (self.resized, self.shrunk, self.durable_floor) = (false, false, self.root.floor);
        self.writing_out = None;
        let tables = &mut self.container.tables;
        self.changed.retain(|group, changed| {
            let table = tables.pinned(*group).expect("a changed table is pinned");
            changed.durable_next = table.next;
            changed.versions.at_barrier(table);
            let is_on_its_way = !changed.versions.is_empty();
            if !is_on_its_way && *group != 0 {
                tables.unpin(*group);
            }
            is_on_its_way
        });
    }

    /// Encrypts a chunk's new version in place, `length` bytes of it, and returns its entry.
    pub(super) fn seal_chunk(
        &self,
        group: GroupIndex,
        index: usize,
        page: &mut Page,
        length: usize,
    ) -> Result<Entry, ContainerError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(ContainerError::Random)?;
        let keys = &self.container.unlocked.keys;
        let tag = keys.chunk.seal_chunk(&nonce, group.chunk_number(index), &mut page[..length]);
        Ok(Entry { nonce, tag })
    }

    /// Sets the size of the file to that of a container of the root's length.
    pub(super) fn set_file_size(&mut self) -> Result<(), ContainerError> {
        self.resized = true;
        self.container.backing.set_len(file_size(self.root.len)).map_err(ContainerError::Write)
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), ContainerError> {
        self.container.backing.write_all_at(bytes, offset).map_err(ContainerError::Write)
    }

    pub(super) fn zero(&mut self, offset: u64, length: u64) -> Result<(), ContainerError> {
        if length == 0 {
            return Ok(());
        }
        self.resized = true;
        self.container.backing.zero(offset, length).map_err(ContainerError::Write)
    }
}

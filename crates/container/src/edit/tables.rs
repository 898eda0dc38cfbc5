//! Tables in the hands of a writer: changed in memory, written with their undo items, and forgotten at a barrier.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rules::Rule;
use super::{Editor, Page};
use crate::chain::missing;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, file_size};
use crate::io::Backing;
use crate::suite::{NONCE_LEN, TABLE_NONCE_LEN};
use crate::table::{Entry, Freshness, Kind, Table, UndoItem};

/// What may be on disk of a table's chunks and link besides what the table says.
#[derive(Debug)]
pub(super) struct Changed {
    /// Of each chunk that was changed since the last barrier: every stored version that may be on disk, the oldest first,
    /// with its stored length. None for a chunk that had no place before.
    pub(super) versions: BTreeMap<usize, Vec<(Entry, usize)>>,
    /// The link at the last barrier.
    pub(super) durable_next: u64,
}

impl Changed {
    /// The versions that are not `current`'s: what undo has to offer, the newest first. A hole needs no undo.
    fn undo(&self, table: &Table) -> Vec<UndoItem> {
        let mut items = Vec::new();
        for (index, versions) in &self.versions {
            let current = &table.entries[*index];
            for (entry, length) in versions.iter().rev().filter(|(entry, _)| entry != current && !current.is_hole()) {
                items.push(UndoItem {
                    chunk: u8::try_from(*index).expect("a group has at most 64 chunks"),
                    length: u16::try_from(*length).expect("a chunk has at most 4096 bytes"),
                    entry: *entry,
                });
            }
        }
        items
    }
}

/// What may be on disk of a chunk before it is changed for the first time since a barrier.
pub(super) fn durable_versions(table: &Table, index: usize, lies_below_len: bool) -> Vec<(Entry, usize)> {
    if index >= table.chunks() {
        return if lies_below_len { vec![(Entry::HOLE, CHUNK_LEN)] } else { Vec::new() };
    }
    let entry = table.entries[index];
    vec![(entry, if entry.is_hole() { CHUNK_LEN } else { table.stored_len(index) })]
}

impl<B: Backing> Editor<B> {
    /// A group's table, ready to be changed. It has to be there.
    pub(super) fn table_mut(&mut self, group: GroupIndex) -> Result<&mut Table, ContainerError> {
        if self.container.tables.pinned(group.0).is_none() {
            let table = self.container.table(group)?.ok_or_else(|| missing(group))?;
            self.container.tables.pin(group.0, table);
        }
        let table = self.container.tables.pinned(group.0).expect("it was pinned just now");
        let durable_next = table.next;
        self.changed.entry(group.0).or_insert_with(|| Changed { versions: BTreeMap::new(), durable_next });
        Ok(table)
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
        self.changed.insert(group.0, Changed { versions: BTreeMap::new(), durable_next });
        Ok(before)
    }

    /// Seals a changed table with its undo items, and writes its page.
    pub(super) fn write_table(&mut self, group: GroupIndex) -> Result<(), ContainerError> {
        let mut random = [0; TABLE_NONCE_LEN + 8];
        getrandom::fill(&mut random).map_err(ContainerError::Random)?;
        let (nonce, id) = random.split_first_chunk::<TABLE_NONCE_LEN>().expect("24 of 32 bytes");
        let id = u64::from_le_bytes(id.try_into().expect("8 of 32 bytes"));

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
        table.undo = changed.undo(table);
        table.undo_next = (changed.durable_next != table.next).then_some(changed.durable_next);
        if table.undo.is_empty() && table.undo_next.is_none() {
            self.unclean.remove(&group.0);
        } else {
            self.unclean.insert(group.0);
        }
        let mut page = vec![0; group.table_len()];
        table.seal(&self.container.unlocked.keys, group, nonce, &mut page);
        // In memory the current entry is the only one: undo is for whoever reads the page.
        table.undo.clear();
        table.undo_next = None;
        self.write(&page, group.table_offset())
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

    /// Waits until everything written is on disk. Of each chunk only the last stored version is left then.
    pub(super) fn barrier(&mut self) -> Result<(), ContainerError> {
        let backing = &self.container.backing;
        if self.resized { backing.sync_all() } else { backing.sync_data() }.map_err(ContainerError::Write)?;
        (self.resized, self.shrunk, self.durable_floor) = (false, false, self.root.floor);
        let mut done = Vec::new();
        for (group, changed) in &mut self.changed {
            let table = self.container.tables.pinned(*group).expect("a changed table is pinned");
            changed.durable_next = table.next;
            changed.versions.retain(|index, versions| {
                versions.drain(..versions.len().saturating_sub(1));
                versions.first().is_none_or(|(entry, _)| *entry != table.entries[*index])
            });
            if changed.versions.is_empty() {
                done.push(*group);
            }
        }
        for group in done {
            self.changed.remove(&group);
            if group != 0 {
                self.container.tables.unpin(group);
            }
        }
        Ok(())
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

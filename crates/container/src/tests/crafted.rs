//! Containers as only a writer in place leaves them: sparse, settled over several sessions, or interrupted.
//!
//! They are put together by hand, page by page, from tables that say what a test wants.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::support::*;
use crate::geometry::{CHUNK_LEN, GroupIndex, HEADER_LEN};
use crate::header::Header;
use crate::keys::{ContentKeys, FreshnessHash};
use crate::table::{Entry, Freshness, Kind, Root, Table, UndoItem};
use crate::{Container, ContainerError, Core, Damage, Interrupted, Suite, file_size};

/// A container under construction: pages by file offset.
pub(super) struct Craft {
    keys: Arc<ContentKeys>,
    bytes: Vec<u8>,
    nonce: u8,
    tables: BTreeMap<u64, Table>,
}

impl Craft {
    pub(super) fn new(suite: Suite) -> Self {
        let core = Core::new(suite, Default::default(), None).unwrap();
        let (header, unlocked) = Header::create(core, &[encrypted_key()], &data_key()).unwrap();
        Self { keys: unlocked.keys, bytes: header.to_vec(), nonce: 0, tables: BTreeMap::new() }
    }

    fn nonce(&mut self) -> u8 {
        self.nonce += 1;
        self.nonce
    }

    /// An empty table for a group, settled and of generation 0.
    pub(super) fn table(&mut self, group: u64) -> &mut Table {
        let id = 1000 + group;
        self.tables.entry(group).or_insert_with(|| Table {
            kind: if group == 0 {
                Kind::Root(Root { generation: 0, hash: [0; 16], settled: true, len: 0, floor: 0, high: 0 })
            } else {
                Kind::Group(Freshness { generation: 0, id, base: 0 })
            },
            next: 0,
            undo_next: None,
            end: 0,
            entries: vec![Entry::HOLE; GroupIndex(group).chunks()],
            undo: Vec::new(),
        })
    }

    /// Encrypts a version of a chunk, and returns its entry and its bytes; nothing is stored.
    pub(super) fn version(&mut self, group: u64, index: usize, data: &[u8]) -> (Entry, Vec<u8>) {
        let (nonce, mut data) = ([self.nonce(); 12], data.to_vec());
        let tag = self.keys.chunk.seal_chunk(&nonce, GroupIndex(group).chunk_number(index), &mut data);
        (Entry { nonce, tag }, data)
    }

    /// Stores a version's bytes at a chunk's place.
    pub(super) fn store(&mut self, group: u64, index: usize, data: &[u8]) {
        self.put(GroupIndex(group).chunk_offset(index), data);
    }

    /// Encrypts, stores and enters a chunk, and extends the table's end to it.
    pub(super) fn chunk(&mut self, group: u64, index: usize, data: &[u8]) {
        let (entry, stored) = self.version(group, index, data);
        self.store(group, index, &stored);
        let table = self.table(group);
        table.entries[index] = entry;
        table.end = table.end.max(u32::try_from(index * CHUNK_LEN + data.len()).unwrap());
    }

    pub(super) fn root(&mut self, change: impl FnOnce(&mut Root)) {
        let Kind::Root(root) = &mut self.table(0).kind else { panic!("group 0 has the root") };
        change(root);
    }

    pub(super) fn freshness(&mut self, group: u64, generation: u64, id: u64, base: u64) {
        self.table(group).kind = Kind::Group(Freshness { generation, id, base });
    }

    /// Settles the root at a length, with H over the tables as they are.
    pub(super) fn settle(&mut self, len: u64) {
        let hash = self.hash();
        self.root(|root| {
            (root.settled, root.len, root.floor, root.high, root.hash) = (true, len, len, len, hash);
        });
    }

    /// Leaves the root with lengths in flight.
    pub(super) fn interrupt(&mut self, floor: u64, len: u64, high: u64) {
        let hash = self.hash();
        self.root(|root| {
            (root.settled, root.len, root.floor, root.high, root.hash) = (false, len, floor, high, hash);
        });
    }

    fn hash(&self) -> FreshnessHash {
        let Some(Kind::Root(root)) = self.tables.get(&0).map(|table| table.kind) else { return [0; 16] };
        let mut hash = FreshnessHash::default();
        for (group, table) in &self.tables {
            if let Kind::Group(freshness) = table.kind {
                let id = if freshness.generation <= root.generation { freshness.id } else { freshness.base };
                self.keys.toggle_table(&mut hash, *group, id);
            }
        }
        hash
    }

    fn put(&mut self, offset: u64, data: &[u8]) {
        let start = usize::try_from(offset).unwrap();
        if self.bytes.len() < start + data.len() {
            self.bytes.resize(start + data.len(), 0);
        }
        self.bytes[start..start + data.len()].copy_from_slice(data);
    }

    fn page(&mut self, group: u64) -> Vec<u8> {
        let mut page = vec![0; GroupIndex(group).table_len()];
        let nonce = [self.nonce(); 24];
        self.tables[&group].seal(&self.keys, GroupIndex(group), &nonce, &mut page);
        page
    }

    /// Writes all tables, and makes the file as large as a length needs.
    pub(super) fn finish(mut self, len: u64) -> Vec<u8> {
        for group in self.tables.keys().copied().collect::<Vec<_>>() {
            let page = self.page(group);
            self.put(GroupIndex(group).table_offset(), &page);
        }
        self.bytes.resize(usize::try_from(file_size(len)).unwrap(), 0);
        assert!(self.bytes.len() > HEADER_LEN);
        self.bytes
    }
}

pub(super) fn filled(byte: u8, length: usize) -> Vec<u8> {
    vec![byte; length]
}

/// Asserts that all readers agree on the plaintext.
fn assert_reads(container: &[u8], interrupted: Interrupted, expected: &[u8]) {
    let (result, streamed) = open_stream(container, interrupted);
    let opened = result.unwrap();
    assert_eq!(opened.plaintext_len, expected.len() as u64);
    assert!(streamed == expected, "as a stream");
    assert!(open_file(container, interrupted).unwrap() == expected, "as a file");
    assert!(read_at_whole(container, interrupted).unwrap() == expected, "by read_at");
}

/// Asserts that all readers fail, and returns the damage that a file reader finds.
fn assert_refused(container: &[u8], interrupted: Interrupted) -> ContainerError {
    assert!(open_stream(container, interrupted).0.is_err(), "a stream was not refused");
    open_file(container, interrupted).unwrap_err()
}

pub(super) fn damage(error: ContainerError) -> Damage {
    match error {
        ContainerError::Damaged { damage, .. } => damage,
        other => panic!("not damage: {other}"),
    }
}

/// Chunk 0 of group 0, a hole of one group and more, chunk 5 of group 2, and zeros to the end.
pub(super) fn sparse(suite: Suite) -> (Craft, Vec<u8>) {
    let len = 1_500_000;
    let mut craft = Craft::new(suite);
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.chunk(0, 2, &filled(2, 100));
    craft.chunk(2, 5, &filled(3, CHUNK_LEN));
    craft.table(0).next = 2;
    craft.settle(len);
    let mut plaintext = vec![0; usize::try_from(len).unwrap()];
    plaintext[..CHUNK_LEN].fill(1);
    plaintext[2 * CHUNK_LEN..2 * CHUNK_LEN + 100].fill(2);
    let start = usize::try_from(GroupIndex(2).plaintext_start()).unwrap() + 5 * CHUNK_LEN;
    plaintext[start..start + CHUNK_LEN].fill(3);
    (craft, plaintext)
}

#[test]
fn a_sparse_container_reads_zeros_where_it_has_holes() {
    for suite in Suite::ALL {
        let (craft, plaintext) = sparse(suite);
        assert_reads(&craft.finish(1_500_000), Interrupted::Refuse, &plaintext);
    }
}

#[test]
fn a_hole_that_was_filled_is_refused_wherever_it_lies() {
    let (craft, plaintext) = sparse(Suite::default());
    let container = craft.finish(1_500_000);
    let group_1 = usize::try_from(GroupIndex(1).table_offset()).unwrap();
    let group_3 = usize::try_from(GroupIndex(3).table_offset()).unwrap();
    for at in [
        4096 + CHUNK_LEN,           // a hole among chunks
        4096 + 2 * CHUNK_LEN + 100, // behind a short chunk
        4096 + 10 * CHUNK_LEN,      // beyond the table's end
        group_1 + 4096,             // in a group without a table
        group_3 + 4096 + 5,         // in a group behind the last table
        container.len() - 1,
    ] {
        let mut forged = container.clone();
        forged[at] = 1;
        assert_eq!(damage(assert_refused(&forged, Interrupted::Refuse)), Damage::NotZero, "byte {at}");
        let random = read_at_whole(&forged, Interrupted::Refuse);
        assert!(random.is_err() || random.unwrap() == plaintext, "byte {at}");
    }
    let mut forged = container.clone();
    forged[group_1] = 1;
    assert_eq!(damage(assert_refused(&forged, Interrupted::Refuse)), Damage::Table { group: 1 });
}

#[test]
fn a_hole_that_was_forged_is_refused() {
    let (craft, _) = sparse(Suite::default());
    let mut container = craft.finish(1_500_000);
    let start = usize::try_from(GroupIndex(2).table_offset()).unwrap();
    container[start..start + GroupIndex(2).region_len()].fill(0);
    assert_eq!(damage(assert_refused(&container, Interrupted::Refuse)), Damage::TableMissing { group: 2 });
    assert!(read_at_whole(&container, Interrupted::Refuse).is_err());
}

#[test]
fn a_group_put_back_to_an_older_version_is_seen_by_a_full_read() {
    for suite in Suite::ALL {
        let len = GroupIndex(2).plaintext_start();
        let mut craft = Craft::new(suite);
        craft.chunk(0, 0, &filled(1, CHUNK_LEN));
        craft.table(0).next = 1;
        craft.chunk(1, 0, &filled(2, CHUNK_LEN));
        let (old_page, old_chunk) = (craft.page(1), craft.bytes[139_264..143_360].to_vec());
        craft.chunk(1, 0, &filled(3, CHUNK_LEN));
        craft.freshness(1, 1, 77, 1001);
        craft.root(|root| root.generation = 1);
        craft.settle(len);
        let container = craft.finish(len);
        let mut plaintext = vec![0; usize::try_from(len).unwrap()];
        plaintext[..CHUNK_LEN].fill(1);
        plaintext[131_072..131_072 + CHUNK_LEN].fill(3);
        assert_reads(&container, Interrupted::Refuse, &plaintext);

        let mut stale = container.clone();
        stale[135_168..139_264].copy_from_slice(&old_page);
        let error = open_file(&stale, Interrupted::Refuse).unwrap_err();
        assert_eq!(damage(error), Damage::Chunk { chunk: 32 }, "its table alone");
        stale[139_264..143_360].copy_from_slice(&old_chunk);
        assert_eq!(damage(assert_refused(&stale, Interrupted::Refuse)), Damage::RootHash, "table and chunk");
    }
}

#[test]
fn a_root_put_back_behind_its_tables_is_refused() {
    let len = 200_000;
    let mut craft = Craft::new(Suite::default());
    craft.table(0).next = 1;
    craft.chunk(1, 0, &filled(2, CHUNK_LEN));
    craft.freshness(1, 1, 77, 0);
    craft.settle(len);
    let error = assert_refused(&craft.finish(len), Interrupted::Refuse);
    assert_eq!(damage(error), Damage::RootOlder { group: 1 });
}

#[test]
fn a_table_that_nothing_refers_to_is_refused_when_settled_and_ignored_when_interrupted() {
    let build = |interrupted: bool| {
        let len = 900_000;
        let mut craft = Craft::new(Suite::default());
        craft.chunk(0, 0, &filled(1, CHUNK_LEN));
        craft.table(0).next = 2;
        craft.chunk(2, 0, &filled(3, CHUNK_LEN));
        craft.chunk(1, 0, &filled(9, CHUNK_LEN));
        craft.freshness(1, 0, 0, 0);
        match interrupted {
            false => craft.settle(len),
            true => craft.interrupt(len, len, len),
        }
        craft.finish(len)
    };
    let error = assert_refused(&build(false), Interrupted::Refuse);
    assert_eq!(damage(error), Damage::TableUnexpected { group: 1 });
    let mut plaintext = vec![0; 900_000];
    plaintext[..CHUNK_LEN].fill(1);
    plaintext[393_216..393_216 + CHUNK_LEN].fill(3);
    assert_reads(&build(true), Interrupted::Recover, &plaintext);
}

#[test]
fn an_interrupted_container_is_refused_unless_it_is_to_be_recovered() {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, 50));
    craft.interrupt(50, 50, 50);
    let container = craft.finish(50);
    assert!(matches!(assert_refused(&container, Interrupted::Refuse), ContainerError::Interrupted));
    assert!(matches!(read_at_whole(&container, Interrupted::Refuse), Err(ContainerError::Interrupted)));
    assert_reads(&container, Interrupted::Recover, &filled(1, 50));
    let opened = open_stream(&container, Interrupted::Recover).0.unwrap();
    assert!(opened.interrupted);
}

#[test]
fn an_overwrite_that_was_cut_off_reads_as_old_or_as_new() {
    for suite in Suite::ALL {
        for reached_disk in [false, true] {
            let mut craft = Craft::new(suite);
            let (old, old_bytes) = craft.version(0, 0, &filled(1, CHUNK_LEN));
            let (new, new_bytes) = craft.version(0, 0, &filled(2, CHUNK_LEN));
            craft.table(0).entries[0] = new;
            craft.table(0).end = 4096;
            craft.table(0).undo.push(UndoItem { chunk: 0, length: 4096, entry: old });
            craft.store(0, 0, if reached_disk { &new_bytes } else { &old_bytes });
            craft.interrupt(4096, 4096, 4096);
            let container = craft.finish(4096);
            assert_reads(&container, Interrupted::Recover, &filled(if reached_disk { 2 } else { 1 }, CHUNK_LEN));
            let mut torn = container;
            torn[4096 + 7] ^= 1;
            let error = assert_refused(&torn, Interrupted::Recover);
            assert_eq!(damage(error), Damage::Chunk { chunk: 0 }, "neither old nor new, and below the floor");
        }
    }
}

#[test]
fn a_filled_hole_that_was_cut_off_reads_as_zeros() {
    let mut craft = Craft::new(Suite::default());
    let (new, _) = craft.version(0, 1, &filled(2, CHUNK_LEN));
    craft.chunk(0, 2, &filled(3, CHUNK_LEN));
    craft.table(0).entries[1] = new;
    craft.table(0).undo.push(UndoItem { chunk: 1, length: 4096, entry: Entry::HOLE });
    craft.interrupt(12_288, 12_288, 12_288);
    let plaintext = [filled(0, 2 * CHUNK_LEN), filled(3, CHUNK_LEN)].concat();
    assert_reads(&craft.finish(12_288), Interrupted::Recover, &plaintext);
}

#[test]
fn an_append_that_was_cut_off_ends_at_its_first_missing_chunk() {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.chunk(0, 1, &filled(2, CHUNK_LEN));
    craft.chunk(0, 2, &filled(3, CHUNK_LEN));
    craft.store(0, 1, &filled(0, CHUNK_LEN));
    craft.interrupt(4096, 12_288, 12_288);
    assert_reads(&craft.finish(12_288), Interrupted::Recover, &filled(1, CHUNK_LEN));
}

#[test]
fn a_tail_that_was_growing_falls_back_to_its_shorter_version() {
    let mut craft = Craft::new(Suite::default());
    let (old, old_bytes) = craft.version(0, 0, &filled(1, 100));
    let (new, _) = craft.version(0, 0, &filled(2, 300));
    craft.store(0, 0, &old_bytes);
    craft.table(0).entries[0] = new;
    craft.table(0).end = 300;
    craft.table(0).undo.push(UndoItem { chunk: 0, length: 100, entry: old });
    craft.interrupt(100, 300, 300);
    assert_reads(&craft.finish(300), Interrupted::Recover, &filled(1, 100));
}

#[test]
fn a_group_that_was_not_yet_written_cuts_the_file_or_gives_way_to_its_successor() {
    // Group 1 is new between 0 and 2; its table has not reached the disk.
    let build = |undo_next: Option<u64>, floor: u64| {
        let len = 500_000;
        let mut craft = Craft::new(Suite::default());
        craft.chunk(0, 0, &filled(1, CHUNK_LEN));
        craft.table(0).next = 1;
        craft.table(0).undo_next = undo_next;
        craft.chunk(2, 0, &filled(3, CHUNK_LEN));
        craft.interrupt(floor, len, len);
        craft.finish(len)
    };
    let mut plaintext = vec![0; 500_000];
    plaintext[..CHUNK_LEN].fill(1);
    plaintext[393_216..397_312].fill(3);
    assert_reads(&build(Some(2), 500_000), Interrupted::Recover, &plaintext);

    let error = assert_refused(&build(None, 500_000), Interrupted::Recover);
    assert_eq!(damage(error), Damage::TableMissing { group: 1 }, "below the floor something was lost");
}

#[test]
fn an_appended_group_that_was_not_yet_written_cuts_the_file_at_its_start() {
    let mut craft = Craft::new(Suite::default());
    for index in 0..32 {
        craft.chunk(0, index, &filled(1, CHUNK_LEN));
    }
    craft.table(0).next = 1;
    craft.table(0).undo_next = Some(0);
    craft.interrupt(131_072, 140_000, 140_000);
    let whole = craft.finish(140_000);
    assert_reads(&whole, Interrupted::Recover, &filled(1, 131_072));
    assert_reads(&whole[..135_168], Interrupted::Recover, &filled(1, 131_072));
}

#[test]
fn the_size_of_an_interrupted_container_is_judged_by_what_it_holds() {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.chunk(0, 1, &filled(2, CHUNK_LEN));
    craft.interrupt(4096, 8192, 8192);
    let container = craft.finish(8192);
    assert_reads(&container[..8192], Interrupted::Recover, &filled(1, CHUNK_LEN));
    assert_refused(&container[..8191], Interrupted::Recover);
    let longer = [&container[..], &[7; 9000]].concat();
    assert_reads(&longer, Interrupted::Recover, &[filled(1, CHUNK_LEN), filled(2, CHUNK_LEN)].concat());
}

#[test]
fn lengths_of_a_settled_container_must_fit_its_tables() {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.settle(4000);
    let error = assert_refused(&craft.finish(4000), Interrupted::Refuse);
    assert!(matches!(damage(error), Damage::TableContent { group: 0, .. }));
}

#[test]
fn reading_one_byte_behind_a_long_hole_needs_no_other_group() {
    let len = 1 << 33;
    let mut craft = Craft::new(Suite::default());
    craft.settle(len);
    let pages = craft.finish(0);
    struct Sparse(Vec<u8>, u64);
    impl crate::ReadAt for Sparse {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
            buffer.fill(0);
            let left = usize::try_from(self.1.saturating_sub(offset)).unwrap().min(buffer.len());
            let stored = self.0[..].read_at(buffer, offset)?;
            Ok(left.max(stored))
        }
        fn size(&self) -> std::io::Result<u64> {
            Ok(self.1)
        }
    }
    let unlocked = unlock(&pages).unwrap();
    let container = Container::open(unlocked, Sparse(pages, file_size(len)), Interrupted::Refuse).unwrap();
    let mut byte = [1];
    assert_eq!(container.read_at(&mut byte, len - 1).unwrap(), 1);
    assert_eq!(byte, [0]);
}

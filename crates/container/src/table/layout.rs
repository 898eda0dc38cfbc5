//! The byte layout of an open table (SPEC.md, "Tables"), decoded strictly.

use super::{Entry, Freshness, Kind, Root, STREAM, Table, UndoItem};
use crate::geometry::{CHUNK_LEN, GroupIndex, MAX_PLAINTEXT_LEN};
use crate::suite::{NONCE_LEN, TAG_LEN};

const ENTRY_LEN: usize = NONCE_LEN + TAG_LEN;
const UNDO_LEN: usize = 3 + ENTRY_LEN;

/// The last generation of a root. It counts settlings, and no container lives to see so many.
const MAX_GENERATION: u64 = 1 << 62;

const FLAG_UNDO_NEXT: u8 = 1;
const FLAG_SETTLED: u8 = 2;

/// Where entries and undo items begin, and how many undo items there is room for.
struct Places {
    entries: usize,
    undo: usize,
    undo_items: usize,
}

fn places(group: GroupIndex) -> Places {
    if group == GroupIndex::ROOT {
        Places { entries: 72, undo: 968, undo_items: 33 }
    } else {
        Places { entries: 48, undo: 1840, undo_items: 71 }
    }
}

/// How many undo items a group's table has room for.
pub(crate) fn undo_room(group: GroupIndex) -> usize {
    places(group).undo_items
}

/// Writes the table into `body`, all of whose bytes are set.
pub(super) fn encode(table: &Table, group: GroupIndex, body: &mut [u8]) {
    let places = places(group);
    body.fill(0);
    let mut flags = 0;
    match table.kind {
        Kind::Root(root) => {
            put(body, 0, &root.generation.to_le_bytes());
            put(body, 8, &root.hash);
            put(body, 48, &root.len.to_le_bytes());
            put(body, 56, &root.floor.to_le_bytes());
            put(body, 64, &root.high.to_le_bytes());
            if root.settled {
                flags |= FLAG_SETTLED;
            }
        }
        Kind::Group(freshness) => {
            put(body, 0, &freshness.generation.to_le_bytes());
            put(body, 8, &freshness.id.to_le_bytes());
            put(body, 16, &freshness.base.to_le_bytes());
        }
    }
    put(body, 24, &table.next.to_le_bytes());
    if let Some(undo_next) = table.undo_next {
        flags |= FLAG_UNDO_NEXT;
        put(body, 32, &undo_next.to_le_bytes());
    }
    put(body, 40, &table.end.to_le_bytes());
    body[44] = u8::try_from(table.undo.len()).expect("a table has room for at most 71 undo items");
    body[45] = flags;
    for (place, entry) in body[places.entries..places.undo].chunks_exact_mut(ENTRY_LEN).zip(&table.entries) {
        put_entry(place, entry);
    }
    assert!(table.undo.len() <= places.undo_items, "writers sync before undo items overflow");
    for (place, item) in body[places.undo..].chunks_exact_mut(UNDO_LEN).zip(&table.undo) {
        place[0] = item.chunk;
        put(place, 1, &item.length.to_le_bytes());
        put_entry(&mut place[3..], &item.entry);
    }
}

/// Reads an authenticated table, and refuses what no writer writes.
pub(super) fn decode(group: GroupIndex, body: &[u8]) -> Result<Table, &'static str> {
    let places = places(group);
    let (end, undo_count, flags) = (u32_at(body, 40), usize::from(body[44]), body[45]);
    let is_root = group == GroupIndex::ROOT;
    if flags & !(FLAG_UNDO_NEXT | FLAG_SETTLED) != 0 || (flags & FLAG_SETTLED != 0 && !is_root) {
        return Err("unknown flags");
    }
    if body[46..48] != [0; 2] {
        return Err("bytes that must be zero are not");
    }
    if end as usize > group.capacity() {
        return Err("it covers more than its group");
    }
    let (next, undo_next) = (u64_at(body, 24), u64_at(body, 32));
    if flags & FLAG_UNDO_NEXT == 0 && undo_next != 0 {
        return Err("bytes that must be zero are not");
    }
    // Links change by a group put in between, or by everything behind being cut off: never to an earlier group.
    let last_group = GroupIndex::of_plaintext(MAX_PLAINTEXT_LEN).0;
    if [next, undo_next].into_iter().any(|link| link != 0 && (link <= group.0 || link > last_group))
        || (next != 0 && undo_next != 0 && undo_next <= next)
    {
        return Err("it refers to an earlier group");
    }
    let table = Table {
        kind: if is_root { Kind::Root(root(body, flags)?) } else { Kind::Group(freshness(body)?) },
        next,
        undo_next: (flags & FLAG_UNDO_NEXT != 0).then_some(undo_next),
        end,
        entries: body[places.entries..places.undo].chunks_exact(ENTRY_LEN).map(entry).collect(),
        undo: undo_items(group, &body[places.undo..], undo_count, places.undo_items)?,
    };
    if table.entries[table.chunks()..].iter().any(|entry| !entry.is_hole()) {
        return Err("it has entries beyond its end");
    }
    Ok(table)
}

fn root(body: &[u8], flags: u8) -> Result<Root, &'static str> {
    let root = Root {
        generation: u64_at(body, 0),
        hash: body[8..24].try_into().expect("16 bytes"),
        settled: flags & FLAG_SETTLED != 0,
        len: u64_at(body, 48),
        floor: u64_at(body, 56),
        high: u64_at(body, 64),
    };
    let is_stream = root.len == STREAM;
    if is_stream && !(root.settled && root.generation == 0 && root.hash == [0; 16]) {
        return Err("a stream that is not settled");
    }
    if root.generation > MAX_GENERATION {
        return Err("its generation is impossible");
    }
    if root.floor > root.len || root.len > root.high || (root.high > MAX_PLAINTEXT_LEN && !is_stream) {
        return Err("its lengths contradict each other");
    }
    if root.settled && (root.floor != root.len || root.high != root.len) {
        return Err("settled, but with lengths in flight");
    }
    Ok(root)
}

fn freshness(body: &[u8]) -> Result<Freshness, &'static str> {
    let freshness = Freshness { generation: u64_at(body, 0), id: u64_at(body, 8), base: u64_at(body, 16) };
    // A table is one generation ahead of its root at most.
    if freshness.generation > MAX_GENERATION + 1 { Err("its generation is impossible") } else { Ok(freshness) }
}

fn undo_items(group: GroupIndex, area: &[u8], count: usize, room: usize) -> Result<Vec<UndoItem>, &'static str> {
    if count > room {
        return Err("more undo items than there is room for");
    }
    let (used, unused) = area.split_at(count * UNDO_LEN);
    if unused.iter().any(|byte| *byte != 0) {
        return Err("bytes that must be zero are not");
    }
    let items: Vec<_> = used
        .chunks_exact(UNDO_LEN)
        .map(|bytes| UndoItem {
            chunk: bytes[0],
            length: u16::from_le_bytes([bytes[1], bytes[2]]),
            entry: entry(&bytes[3..]),
        })
        .collect();
    let possible = |item: &UndoItem| {
        let length = usize::from(item.length);
        usize::from(item.chunk) < group.chunks()
            && (1..=CHUNK_LEN).contains(&length)
            && (!item.entry.is_hole() || length == CHUNK_LEN)
    };
    if items.iter().all(possible) { Ok(items) } else { Err("an impossible undo item") }
}

fn entry(bytes: &[u8]) -> Entry {
    Entry {
        nonce: bytes[..NONCE_LEN].try_into().expect("12 of 28 bytes"),
        tag: bytes[NONCE_LEN..ENTRY_LEN].try_into().expect("16 of 28 bytes"),
    }
}

fn put_entry(place: &mut [u8], entry: &Entry) {
    put(place, 0, &entry.nonce);
    put(place, NONCE_LEN, &entry.tag);
}

fn put(body: &mut [u8], at: usize, bytes: &[u8]) {
    body[at..at + bytes.len()].copy_from_slice(bytes);
}

fn u64_at(body: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(body[at..at + 8].try_into().expect("8 bytes"))
}

fn u32_at(body: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(body[at..at + 4].try_into().expect("4 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupIndex = GroupIndex(3);

    fn body_len(group: GroupIndex) -> usize {
        group.table_len() - 40
    }

    fn a_root() -> Table {
        let root = Root { generation: 7, hash: [3; 16], settled: false, len: 5000, floor: 4000, high: 6000 };
        let mut entries = vec![Entry::HOLE; 32];
        entries[0] = Entry { nonce: [1; 12], tag: [2; 16] };
        let undo = vec![UndoItem { chunk: 1, length: 4096, entry: Entry::HOLE }; 33];
        Table { kind: Kind::Root(root), next: 1, undo_next: Some(9), end: 5000, entries, undo }
    }

    fn a_group() -> Table {
        let freshness = Freshness { generation: 8, id: 9, base: 10 };
        let entries = vec![Entry { nonce: [1; 12], tag: [2; 16] }; 64];
        let undo = vec![UndoItem { chunk: 63, length: 1, entry: entries[0] }; 71];
        Table { kind: Kind::Group(freshness), next: 0, undo_next: Some(0), end: 262_144, entries, undo }
    }

    fn encoded(table: &Table, group: GroupIndex) -> Vec<u8> {
        let mut body = vec![0xff; body_len(group)];
        encode(table, group, &mut body);
        body
    }

    #[test]
    fn tables_full_to_the_brim_survive_encoding() {
        assert_eq!(decode(GroupIndex::ROOT, &encoded(&a_root(), GroupIndex::ROOT)), Ok(a_root()));
        assert_eq!(decode(GROUP, &encoded(&a_group(), GROUP)), Ok(a_group()));
    }

    #[test]
    fn what_no_writer_writes_is_refused() {
        let bad_root = |change: &dyn Fn(&mut Table, &mut Root)| {
            let mut table = a_root();
            let Kind::Root(mut root) = table.kind else { panic!("a root is a root") };
            change(&mut table, &mut root);
            table.kind = Kind::Root(root);
            decode(GroupIndex::ROOT, &encoded(&table, GroupIndex::ROOT)).unwrap_err()
        };
        bad_root(&|_, root| root.settled = true);
        bad_root(&|_, root| root.floor = 5001);
        bad_root(&|_, root| root.high = 4999);
        bad_root(&|_, root| root.high = MAX_PLAINTEXT_LEN + 1);
        bad_root(&|_, root| (root.len, root.high) = (STREAM, STREAM));
        bad_root(&|table, _| table.end = 131_073);
        bad_root(&|table, _| table.end = 0);
        bad_root(&|table, _| table.next = u64::MAX);
        bad_root(&|table, _| table.undo_next = Some(1));
        bad_root(&|table, _| table.undo[0].chunk = 32);
        bad_root(&|table, _| table.undo[0].length = 0);
        bad_root(&|table, _| table.undo[0].length = 4095);
        let mut table = a_group();
        table.next = GROUP.0;
        assert!(decode(GROUP, &encoded(&table, GROUP)).is_err());
    }

    #[test]
    fn bytes_without_meaning_must_be_zero() {
        let mut table = a_group();
        (table.undo_next, table.end) = (None, 1);
        table.entries[1..].fill(Entry::HOLE);
        table.undo.clear();
        let body = encoded(&table, GROUP);
        assert!(decode(GROUP, &body).is_ok());
        for at in [32, 39, 45, 46, 47, 48 + 28, 1839, 1840, 4055] {
            let mut forged = body.clone();
            forged[at] |= 0x80;
            assert!(decode(GROUP, &forged).is_err(), "byte {at}");
        }
    }
}

//! Forgeries: containers of a hostile key holder, authentic in every part and written by no writer.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use waxseal_container::fuzzing::Forger;
use waxseal_container::{ContainerError, Editor, Suite, WriteAt, file_size};

use crate::disk::Disk;

/// The largest file that is forged: a full read looks at every group of a file.
const MAX_SIZE: u64 = 4 << 20;

static FORGERS: LazyLock<[Forger; 2]> = LazyLock::new(|| Suite::ALL.map(|suite| Forger::new(suite).unwrap()));

pub fn forger(second_suite: bool) -> &'static Forger {
    &FORGERS[usize::from(second_suite)]
}

#[derive(Arbitrary, Debug)]
pub struct Forgery {
    second_suite: bool,
    root: Root,
    first: Table,
    groups: Vec<(Group, Table)>,
    /// Tables of any bytes at all.
    bodies: Vec<(Group, Vec<u8>)>,
    size: Option<Length>,
}

#[derive(Arbitrary, Debug)]
struct Root {
    generation: Small,
    settled: bool,
    len: Length,
    /// Equal to the length where they are left out.
    floor: Option<Length>,
    high: Option<Length>,
    /// Instead of the right one.
    hash: Option<[u8; 16]>,
}

#[derive(Arbitrary, Debug)]
struct Table {
    generation: Small,
    id: Small,
    base: Small,
    next: Group,
    undo_next: Option<Group>,
    end: Length,
    entries: Vec<(u8, Entry)>,
    undo: Vec<(u8, u16, Entry)>,
    /// Put over the finished body.
    patch: Option<(u16, u8)>,
}

#[derive(Arbitrary, Debug)]
enum Entry {
    Hole,
    /// An entry for these bytes, which stand in their place or do not.
    Sealed {
        fill: u8,
        length: u16,
        stored: bool,
    },
    Junk(u8),
}

#[derive(Arbitrary, Debug)]
enum Small {
    Little(u8),
    Any(u64),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Group {
    None,
    Near(u8),
    Any(u64),
}

#[derive(Arbitrary, Debug)]
pub enum Length {
    Little(u16),
    Chunks(u8, i8),
    Any(u64),
    Stream,
}

impl Small {
    fn value(&self) -> u64 {
        match *self {
            Self::Little(value) => value.into(),
            Self::Any(value) => value,
        }
    }
}

impl Group {
    fn value(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Near(value) => u64::from(value % 8),
            Self::Any(value) => value,
        }
    }

    /// A group that has its place in a file of moderate size.
    fn place(self) -> u64 {
        self.value() % 12
    }
}

impl Length {
    fn value(&self) -> u64 {
        match *self {
            Self::Little(value) => value.into(),
            Self::Chunks(chunks, rest) => (u64::from(chunks) * 4096).saturating_add_signed(rest.into()),
            Self::Any(value) => value,
            Self::Stream => u64::MAX,
        }
    }
}

impl Forgery {
    pub fn make(&self) -> Disk {
        let disk = Disk::default();
        let forger = forger(self.second_suite);
        let put = |offset: u64, bytes: &[u8]| disk.write_all_at(bytes, offset).unwrap();
        put(0, forger.header());
        let mut counted = BTreeMap::new();
        for (group, table) in self.groups.iter().take(12) {
            let group = group.place().max(1);
            let mut body = vec![0; 4056];
            table.write(forger, group, 48, 1840, 71, &mut body, &put);
            body[..8].copy_from_slice(&table.generation.value().to_le_bytes());
            body[8..16].copy_from_slice(&table.id.value().to_le_bytes());
            body[16..24].copy_from_slice(&table.base.value().to_le_bytes());
            let current = table.generation.value() <= self.root.generation.value();
            counted.insert(group, if current { &table.id } else { &table.base }.value());
            table.patch(&mut body);
            let (offset, page) = forger.seal_table(group, &body);
            put(offset, &page);
        }
        let (offset, page) = forger.seal_table(0, &self.root_body(forger, &counted, &put));
        put(offset, &page);
        for (group, body) in self.bodies.iter().take(3) {
            let (offset, page) = forger.seal_table(group.place(), body);
            put(offset, &page);
        }
        let right = self.root.len.value();
        let right = if right <= MAX_SIZE { file_size(right) } else { disk.len() };
        disk.set_len(self.size.as_ref().map_or(right, Length::value).min(MAX_SIZE)).unwrap();
        disk
    }

    fn root_body(&self, forger: &Forger, counted: &BTreeMap<u64, u64>, put: &dyn Fn(u64, &[u8])) -> Vec<u8> {
        let root = &self.root;
        let mut body = vec![0; 2008];
        self.first.write(forger, 0, 72, 968, 33, &mut body, put);
        let len = root.len.value();
        let below = |group: &u64| Forger::chunks(*group).0 * 4096 < len;
        let tables = counted.iter().filter(|(group, _)| below(group)).map(|(group, id)| (*group, *id));
        let hash = root.hash.unwrap_or_else(|| forger.commit(tables));
        body[..8].copy_from_slice(&root.generation.value().to_le_bytes());
        body[8..24].copy_from_slice(if len == u64::MAX { &[0; 16] } else { &hash });
        body[45] |= u8::from(root.settled) * 2;
        body[48..56].copy_from_slice(&len.to_le_bytes());
        body[56..64].copy_from_slice(&root.floor.as_ref().map_or(len, Length::value).to_le_bytes());
        body[64..72].copy_from_slice(&root.high.as_ref().map_or(len, Length::value).to_le_bytes());
        self.first.patch(&mut body);
        body
    }
}

impl Table {
    /// Writes what the root and the other tables have in common (SPEC.md, "Tables"), and stores chunks.
    #[expect(clippy::too_many_arguments, reason = "the places of the two kinds of table")]
    fn write(
        &self,
        forger: &Forger,
        group: u64,
        entries_at: usize,
        undo_at: usize,
        undo_room: usize,
        body: &mut [u8],
        put: &dyn Fn(u64, &[u8]),
    ) {
        let (first, chunks) = Forger::chunks(group);
        let end = self.end.value().min(chunks as u64 * 4096);
        body[24..32].copy_from_slice(&self.next.value().to_le_bytes());
        if let Some(undo_next) = self.undo_next {
            body[45] = 1;
            body[32..40].copy_from_slice(&undo_next.value().to_le_bytes());
        }
        body[40..44].copy_from_slice(&u32::try_from(end).unwrap().to_le_bytes());
        let covered = usize::try_from(end.div_ceil(4096)).unwrap();
        let items = if covered == 0 { 0 } else { self.undo.len().min(undo_room) };
        body[44] = u8::try_from(items).unwrap();
        for (place, (index, length, entry)) in body[undo_at..].chunks_exact_mut(31).zip(&self.undo[..items]) {
            let (index, length) = (usize::from(*index) % covered, length % 4096 + 1);
            let length = if matches!(entry, Entry::Hole) { 4096 } else { length };
            place[0] = u8::try_from(index).unwrap();
            place[1..3].copy_from_slice(&length.to_le_bytes());
            place[3..].copy_from_slice(&entry.make(forger, first + index as u64, usize::from(length), put));
        }
        for (index, entry) in self.entries.iter().take(chunks).filter(|_| covered > 0) {
            let index = usize::from(*index) % covered;
            let length = usize::try_from(end).unwrap().saturating_sub(index * 4096).min(4096);
            let at = entries_at + index * 28;
            body[at..at + 28].copy_from_slice(&entry.make(forger, first + index as u64, length, put));
        }
    }

    fn patch(&self, body: &mut [u8]) {
        if let Some((at, byte)) = self.patch {
            let at = usize::from(at) % body.len();
            body[at] = byte;
        }
    }
}

impl Entry {
    fn make(&self, forger: &Forger, number: u64, right: usize, put: &dyn Fn(u64, &[u8])) -> [u8; 28] {
        match *self {
            Self::Hole => [0; 28],
            Self::Junk(byte) => [byte; 28],
            Self::Sealed { fill, length, stored } => {
                let length = if length == 0 { right } else { usize::from(length) % 4096 + 1 };
                let mut data = vec![fill; length];
                let entry = forger.seal_chunk(number, &[fill; 12], &mut data);
                if stored {
                    put(file_size(number * 4096 + 1) - 1, &data);
                }
                entry
            }
        }
    }
}

/// What an editor is asked to do with a container that it has opened.
#[derive(Arbitrary, Debug)]
pub enum Step {
    Write(Length, u16),
    SetLen(Length),
    Punch(Length, Length),
    Seek(Length),
    Flush,
    Sync,
    Settle,
}

impl Step {
    pub fn take(&self, editor: &mut Editor<Disk>) -> Result<(), ContainerError> {
        match self {
            Self::Write(at, length) => editor.write_at(&[5; 5000][..usize::from(*length) % 5000], at.value()),
            Self::SetLen(length) => editor.set_len(length.value()),
            Self::Punch(at, length) => editor.punch_hole(at.value(), length.value()),
            Self::Seek(at) => editor.seek_data(at.value()).and(editor.seek_hole(at.value())).map(drop),
            Self::Flush => editor.flush(),
            Self::Sync => editor.sync(),
            Self::Settle => editor.settle(),
        }
    }
}

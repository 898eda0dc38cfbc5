//! A group's region: its table and its chunks, sealed and opened as one (SPEC.md, "Chunks" and "Reading").

use crate::error::{ContainerError, Damage};
use crate::geometry::{CHUNK_LEN, GROUP_CHUNKS, GroupIndex};
use crate::keys::ContentKeys;
use crate::suite::{NONCE_LEN, TABLE_NONCE_LEN};
use crate::table::{Entry, Freshness, Kind, Root, Table};

/// Random bytes that sealing a full region takes.
pub(crate) const SEAL_RANDOM_LEN: usize = seal_random_len(GROUP_CHUNKS);

/// Random bytes that sealing a region of so many chunks takes: the table's nonce and id, and a nonce for each chunk.
pub(crate) const fn seal_random_len(chunks: usize) -> usize {
    TABLE_RANDOM_LEN + chunks * NONCE_LEN
}

/// Random bytes that sealing a table takes: its nonce and its id.
pub(crate) const TABLE_RANDOM_LEN: usize = TABLE_NONCE_LEN + 8;

/// Encrypts the plaintext that stands in a region's chunks, in place, and returns the entries for its table.
pub(crate) fn seal_chunks(
    keys: &ContentKeys,
    group: GroupIndex,
    chunks: &mut [u8],
    random: &[u8; SEAL_RANDOM_LEN],
) -> Vec<Entry> {
    let mut entries = vec![Entry::HOLE; group.chunks()];
    let nonces = random[TABLE_RANDOM_LEN..].chunks_exact(NONCE_LEN);
    for (index, ((data, entry), nonce)) in chunks.chunks_mut(CHUNK_LEN).zip(&mut entries).zip(nonces).enumerate() {
        entry.nonce.copy_from_slice(nonce);
        entry.tag = keys.chunk.seal_chunk(&entry.nonce, group.chunk_number(index), data);
    }
    entries
}

/// The table nonce and the table id out of random bytes, such as those of a region.
pub(crate) fn table_random(random: &[u8]) -> (&[u8; TABLE_NONCE_LEN], u64) {
    let (nonce, id) = random.split_first_chunk().expect("a table nonce comes first");
    (nonce, u64::from_le_bytes(*id.first_chunk().expect("an id follows the table nonce")))
}

/// How far the root's lengths let a group be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Nothing is in flight: every deviation is damage.
    pub(crate) settled: bool,
    /// Length of the plaintext; [`crate::table::STREAM`] while it is not known.
    pub(crate) len: u64,
    /// Below this, a chunk that does not verify is damage; above, it ends the file.
    pub(crate) floor: u64,
    /// Generation of the root.
    pub(crate) generation: u64,
}

impl Bounds {
    pub(crate) fn of(root: &Root) -> Self {
        Self { settled: root.settled, len: root.len, floor: root.floor, generation: root.generation }
    }
}

/// What a group's table says to the groups around it, after its chunks have been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupFacts {
    pub(crate) next: u64,
    pub(crate) undo_next: Option<u64>,
    /// Plaintext bytes of the group that its entries cover.
    pub(crate) end: u32,
    /// Absent for group 0.
    pub(crate) freshness: Option<Freshness>,
    /// The plaintext offset at which an interrupted append cuts the file.
    pub(crate) cut: Option<u64>,
}

impl GroupFacts {
    /// The facts of a table whose chunks are taken to be whole.
    pub(crate) fn of(table: &Table) -> Self {
        let freshness = match table.kind {
            Kind::Root(_) => None,
            Kind::Group(freshness) => Some(freshness),
        };
        Self { next: table.next, undo_next: table.undo_next, end: table.end, freshness, cut: None }
    }
}

/// Opens a region in place: afterwards its chunks hold plaintext up to the table's `end`. A region may be shorter than its
/// group where the file ends in it. `None` is an absent group.
///
/// # Errors
/// The table does not verify or is malformed, or is newer than the root allows; a chunk does not verify (in an interrupted
/// container: below the floor); in a settled container, bytes that belong to no chunk are not zero.
pub(crate) fn open_region(
    keys: &ContentKeys,
    group: GroupIndex,
    bounds: &Bounds,
    region: &mut [u8],
) -> Result<Option<GroupFacts>, ContainerError> {
    let (page, chunks) = split_region(group, region)?;
    match Table::open(keys, group, page)? {
        Some(table) => open_content(keys, group, bounds, &table, chunks).map(Some),
        None if bounds.settled => check_zero(group.chunk_offset(0), chunks).map(|()| None),
        None => Ok(None),
    }
}

/// Opens the chunks of a region whose table is open already, in place.
///
/// # Errors
/// As [`open_region`].
pub(crate) fn open_content(
    keys: &ContentKeys,
    group: GroupIndex,
    bounds: &Bounds,
    table: &Table,
    chunks: &mut [u8],
) -> Result<GroupFacts, ContainerError> {
    check_table(group, bounds, table)?;
    let cut = open_chunks(keys, group, bounds, table, chunks)?;
    Ok(GroupFacts { cut, ..GroupFacts::of(table) })
}

/// Splits a region into its table page and its chunks.
pub(crate) fn split_region(group: GroupIndex, region: &mut [u8]) -> Result<(&mut [u8], &mut [u8]), ContainerError> {
    let size = group.table_offset() + region.len() as u64;
    region.split_at_mut_checked(group.table_len()).ok_or_else(|| {
        let expected = group.chunk_offset(0);
        ContainerError::damaged(size, Damage::Truncated { size, expected })
    })
}

/// Checks a table against the root: rules R1 and R8 as far as one table shows them.
pub(crate) fn check_table(group: GroupIndex, bounds: &Bounds, table: &Table) -> Result<(), ContainerError> {
    let damaged = |damage| Err(ContainerError::damaged(group.table_offset(), damage));
    let content = |reason| damaged(Damage::TableContent { group: group.0, reason });
    if let Kind::Group(freshness) = table.kind {
        let newest = if bounds.settled { bounds.generation } else { bounds.generation.saturating_add(1) };
        if freshness.generation > newest {
            return damaged(Damage::RootOlder { group: group.0 });
        }
    }
    if bounds.settled {
        if !table.undo.is_empty() || table.undo_next.is_some() {
            return content("undo items in a settled container");
        }
        if group.plaintext_start().saturating_add(u64::from(table.end)) > bounds.len {
            return content("it covers more than the container");
        }
    }
    Ok(())
}

/// Opens every chunk that the table covers and the bounds let count, and returns where an interrupted append cuts the file.
fn open_chunks(
    keys: &ContentKeys,
    group: GroupIndex,
    bounds: &Bounds,
    table: &Table,
    chunks: &mut [u8],
) -> Result<Option<u64>, ContainerError> {
    let stored = chunks.len();
    if bounds.settled && table.end as usize > stored {
        let (size, expected) = (group.chunk_offset(0) + stored as u64, group.chunk_offset(0) + u64::from(table.end));
        return Err(ContainerError::damaged(size, Damage::Truncated { size, expected }));
    }
    for index in 0..table.chunks() {
        let start = group.plaintext_start() + (index * CHUNK_LEN) as u64;
        if start >= bounds.len {
            break;
        }
        let place = (index * CHUNK_LEN).min(stored)..((index + 1) * CHUNK_LEN).min(stored);
        match open_chunk(keys, group, table, index, &mut chunks[place], bounds.settled)? {
            Version::Current => {}
            Version::Earlier(_, length) => {
                let end = bounds.len.min(start + CHUNK_LEN as u64);
                let earlier_end = start + length as u64;
                if length < table.stored_len(index) && earlier_end < end && bounds.floor < end {
                    return Ok(Some(bounds.floor.max(earlier_end)));
                }
            }
            Version::None if start >= bounds.floor && !bounds.settled => return Ok(Some(start)),
            Version::None => return Err(bad_chunk(group, table, index, stored)),
        }
    }
    if bounds.settled {
        let covered = table.chunks() * CHUNK_LEN;
        check_zero(group.chunk_offset(table.chunks()), chunks.get(covered..).unwrap_or_default())?;
    }
    Ok(None)
}

/// Which version of a chunk was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The one that the table's entry is for.
    Current,
    /// One of the undo items: its entry, and how many bytes are stored; zeros follow them.
    Earlier(Entry, usize),
    /// None verifies.
    None,
}

/// Opens one chunk in place by rule R2: the current entry, else the undo items, newest first and holes last.
///
/// `data` is the chunk's place, shorter where the file ends in it; whatever of it is not plaintext becomes zero.
pub(crate) fn open_chunk(
    keys: &ContentKeys,
    group: GroupIndex,
    table: &Table,
    index: usize,
    data: &mut [u8],
    settled: bool,
) -> Result<Version, ContainerError> {
    let number = group.chunk_number(index);
    let opens = |entry: &Entry, length: usize, data: &mut [u8]| {
        data.get_mut(..length).is_some_and(|data| keys.chunk.open_chunk(&entry.nonce, number, data, &entry.tag).is_ok())
    };
    let (entry, length) = (&table.entries[index], table.stored_len(index));
    if entry.is_hole() || opens(entry, length, data) {
        let rest = if entry.is_hole() { data } else { &mut data[length..] };
        if settled {
            check_zero(group.chunk_offset(index), rest)?;
        }
        rest.fill(0);
        return Ok(Version::Current);
    }
    let earlier = table.undo.iter().filter(|item| usize::from(item.chunk) == index);
    for item in earlier.clone().filter(|item| !item.entry.is_hole()) {
        let length = usize::from(item.length);
        if opens(&item.entry, length, data) {
            // What lies behind `end` was cut off, whatever an earlier version had there.
            data[length.min(table.stored_len(index))..].fill(0);
            return Ok(Version::Earlier(item.entry, length));
        }
    }
    if earlier.clone().any(|item| item.entry.is_hole()) {
        data.fill(0);
        return Ok(Version::Earlier(Entry::HOLE, CHUNK_LEN));
    }
    Ok(Version::None)
}

/// The error for a chunk that does not verify: where the file ends within it, it was truncated.
pub(crate) fn bad_chunk(group: GroupIndex, table: &Table, index: usize, stored: usize) -> ContainerError {
    let (size, expected) =
        (group.chunk_offset(0) + stored as u64, group.chunk_offset(index) + table.stored_len(index) as u64);
    if size < expected {
        return ContainerError::damaged(size, Damage::Truncated { size, expected });
    }
    let damage = Damage::Chunk { chunk: group.chunk_number(index) };
    ContainerError::damaged(group.chunk_offset(index), damage)
}

/// Refuses nonzero bytes that no chunk covers; `offset` is that of their page in the file.
pub(crate) fn check_zero(offset: u64, bytes: &[u8]) -> Result<(), ContainerError> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(ContainerError::damaged(offset, Damage::NotZero))
}

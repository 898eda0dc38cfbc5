//! Writing in place: any offset, any length, and at any kill or power cut every chunk old or new (SPEC.md, "Writing in
//! place").
//!
//! What is written is collected in memory, a bounded number of chunks, and goes to the backing in batches by the write
//! protocol. The rules W1 to W10 are named where they are followed.

mod batch;
mod holes;
mod repair;
mod resize;
mod rules;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, MAX_PLAINTEXT_LEN};
use crate::group::Bounds;
use crate::header::{Header, Unlocked};
use crate::io::Backing;
use crate::random::Container;
use crate::read::Interrupted;
use crate::table::{Freshness, Root};

#[cfg(test)]
pub(crate) use self::rules::Rule;
use self::tables::Changed;

/// Chunks that are collected before they are written: 16 MiB of them.
const MAX_DIRTY_CHUNKS: usize = 4096;

/// Tables that may be changed between two barriers; each takes a few KB.
const MAX_CHANGED_TABLES: usize = 4096;

/// The plaintext of one chunk, with zeros behind the end of the file.
type Page = Box<[u8; CHUNK_LEN]>;

/// An open container that is read and written at any offset.
///
/// Writing goes through `&mut self`, reading through `&self`: reads run beside each other, and a write excludes them.
/// [`Editor::write_at`] returns when the bytes are in memory; [`Editor::sync`] when they are on disk; an editor that is
/// dropped without either loses what it holds in memory. [`Editor::settle`] leaves the container as commands want it.
///
/// After an error of the storage the editor keeps what it holds in memory, and the next call starts from what is on disk,
/// as after a kill.
pub struct Editor<B> {
    container: Container<B>,
    root: Root,
    /// Tables that were changed since the last barrier; they are pinned in the container's cache.
    changed: BTreeMap<u64, Changed>,
    /// Tables that the root does not commit to yet.
    pending: BTreeMap<u64, Freshness>,
    /// Tables whose page holds undo items.
    unclean: BTreeSet<u64>,
    /// The floor at the last barrier.
    durable_floor: u64,
    /// Whether the file was cut since the last barrier.
    shrunk: bool,
    /// Whether the next barrier has to cover sizes and allocations.
    resized: bool,
    dirty: BTreeMap<u64, Page>,
    len: u64,
    /// Whether the storage failed in the middle of a batch, so that memory and disk may differ.
    broken: bool,
    #[cfg(test)]
    without: Option<Rule>,
}

impl<B: Backing> Editor<B> {
    /// Opens a container for writing. If its last writer was interrupted, it is repaired first: cut where it ends, with
    /// every chunk old or new.
    ///
    /// The caller keeps other writers away (an OFD lock, fcntl(2)).
    ///
    /// # Errors
    /// The root, a table or the size of the file is damaged; the storage fails.
    pub fn open(unlocked: Unlocked, backing: B) -> Result<Self, ContainerError> {
        let container = Container::open(unlocked, backing, Interrupted::Recover)?;
        let root = Root { generation: 0, hash: [0; 16], settled: false, len: 0, floor: 0, high: 0 };
        let mut editor = Self {
            container,
            root,
            changed: BTreeMap::new(),
            pending: BTreeMap::new(),
            unclean: BTreeSet::new(),
            durable_floor: 0,
            shrunk: false,
            resized: false,
            dirty: BTreeMap::new(),
            len: 0,
            broken: true,
            #[cfg(test)]
            without: None,
        };
        editor.mend()?;
        Ok(editor)
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

    /// The verified header.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.container.header()
    }

    /// Reads plaintext at `offset` and returns how many bytes there were: fewer than asked for only at the end.
    ///
    /// # Errors
    /// A table or chunk on the way is damaged; reading fails.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, ContainerError> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let buffer = &mut buffer[..wanted];
        let mut done = 0;
        while done < wanted {
            let at = offset + done as u64;
            let (number, within) = chunk_of(at);
            let piece = match self.dirty.get(&number) {
                Some(page) => {
                    let piece = (CHUNK_LEN - within).min(wanted - done);
                    buffer[done..done + piece].copy_from_slice(&page[within..within + piece]);
                    piece
                }
                None => {
                    let next_dirty = self.dirty.range(number..).next().map_or(u64::MAX, |(next, _)| *next);
                    let clean = next_dirty.saturating_mul(CHUNK_LEN as u64) - at;
                    let piece = usize::try_from(clean).unwrap_or(usize::MAX).min(wanted - done);
                    self.read_clean(&mut buffer[done..done + piece], at)?;
                    piece
                }
            };
            done += piece;
        }
        Ok(wanted)
    }

    /// Writes bytes at `offset`; what lies between the old end and there becomes a hole.
    ///
    /// # Errors
    /// The container would grow beyond 2^62 bytes; a chunk that is overwritten in part is damaged; the storage fails.
    pub fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<(), ContainerError> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= MAX_PLAINTEXT_LEN);
        let end = end.ok_or(ContainerError::TooLong)?;
        self.mend()?;
        let mut done = 0;
        while done < bytes.len() {
            let (number, within) = chunk_of(offset + done as u64);
            let piece = (CHUNK_LEN - within).min(bytes.len() - done);
            let covers = within == 0 && (piece == CHUNK_LEN || offset + (done + piece) as u64 >= self.len);
            if !self.dirty.contains_key(&number) {
                let page = if covers { Box::new([0; CHUNK_LEN]) } else { self.page(number)? };
                self.dirty.insert(number, page);
            }
            let page = self.dirty.get_mut(&number).expect("it was put there");
            page[within..within + piece].copy_from_slice(&bytes[done..done + piece]);
            done += piece;
            self.len = self.len.max((offset + done as u64).min(end));
            if self.dirty.len() >= MAX_DIRTY_CHUNKS {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Sets the length; what is new reads as zeros and takes no space.
    ///
    /// # Errors
    /// It is longer than 2^62 bytes; the chunk in which the new end lies is damaged; the storage fails.
    pub fn set_len(&mut self, len: u64) -> Result<(), ContainerError> {
        if len > MAX_PLAINTEXT_LEN {
            return Err(ContainerError::TooLong);
        }
        self.mend()?;
        if len < self.len {
            drop(self.dirty.split_off(&len.div_ceil(CHUNK_LEN as u64)));
            // What the backing holds beyond the new end is written as it is, and then cut: no state in between is new.
            self.len = len.max(self.root.len);
            if let (number, within @ 1..) = chunk_of(self.len)
                && let Some(page) = self.dirty.get_mut(&number)
            {
                page[within..].fill(0);
            }
        }
        self.flush()?;
        self.protected(|editor| editor.resize(len))?;
        self.len = len;
        Ok(())
    }

    /// Gives what is in memory to the backing. It survives this process then, but not a power cut.
    ///
    /// # Errors
    /// The storage fails; what was in memory is kept there.
    pub fn flush(&mut self) -> Result<(), ContainerError> {
        self.mend()?;
        let (dirty, len) = (std::mem::take(&mut self.dirty), self.len);
        let result = self.protected(|editor| {
            if let Some((last, _)) = dirty.last_key_value() {
                editor.write_batch(&dirty, len.min((last + 1) * CHUNK_LEN as u64))?;
            }
            // Where the end is a hole there is no chunk to vouch for the length.
            editor.resize(len)
        });
        if result.is_err() {
            self.dirty = dirty;
        }
        result
    }

    /// Makes everything that was written durable.
    ///
    /// # Errors
    /// The storage fails; what was in memory is kept there.
    pub fn sync(&mut self) -> Result<(), ContainerError> {
        self.flush()?;
        self.protected(Self::barrier)
    }

    /// Makes everything durable, and leaves the container settled: as one that was written in one pass.
    ///
    /// # Errors
    /// The storage fails; what was in memory is kept there.
    pub fn settle(&mut self) -> Result<(), ContainerError> {
        self.flush()?;
        self.protected(Self::commit)
    }

    /// The backing, as the last flush left it.
    #[must_use]
    pub fn backing(&self) -> &B {
        &self.container.backing
    }

    /// Gives the backing back. What was not flushed is lost.
    #[must_use]
    pub fn into_backing(self) -> B {
        self.container.backing
    }

    /// Runs a step that changes disk and memory together; if it fails, memory is taken from the disk before the next.
    fn protected(&mut self, step: impl FnOnce(&mut Self) -> Result<(), ContainerError>) -> Result<(), ContainerError> {
        let result = step(self);
        self.broken = result.is_err();
        result
    }

    /// Takes everything but the chunks in memory from the disk, if a step failed before.
    fn mend(&mut self) -> Result<(), ContainerError> {
        if !self.broken {
            return Ok(());
        }
        let (table, root) = self.container.load(Interrupted::Recover)?;
        let len = self.container.len();
        self.root = Root { len, floor: len.min(root.floor), high: if root.settled { len } else { root.high }, ..root };
        self.durable_floor = self.root.floor;
        (self.shrunk, self.resized) = (false, true);
        self.changed.clear();
        self.pending.clear();
        self.unclean.clear();
        if root.settled {
            (self.root.floor, self.durable_floor) = (len, len);
            self.container.tables.pin(0, Arc::new(table));
            self.see_root();
        } else {
            self.repair(table)?;
        }
        self.len = if self.dirty.is_empty() { self.root.len } else { self.len.max(self.root.len) };
        self.broken = false;
        Ok(())
    }

    /// Lets the reader see the root as it is now.
    fn see_root(&mut self) {
        self.container.bounds = Bounds::of(&self.root);
        self.container.len = self.root.len;
    }

    /// Reads bytes that are not in memory; beyond the backing's length they are zeros.
    fn read_clean(&self, buffer: &mut [u8], offset: u64) -> Result<(), ContainerError> {
        let read = self.container.read_at(buffer, offset)?;
        buffer[read..].fill(0);
        Ok(())
    }

    /// A chunk's plaintext, wherever it is, with zeros behind the end.
    fn page(&self, number: u64) -> Result<Page, ContainerError> {
        let mut page = Box::new([0; CHUNK_LEN]);
        self.read_at(page.as_mut_slice(), number * CHUNK_LEN as u64)?;
        Ok(page)
    }
}

impl<B: fmt::Debug> fmt::Debug for Editor<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The chunks in memory are plaintext.
        f.debug_struct("Editor").field("container", &self.container).field("len", &self.len).finish_non_exhaustive()
    }
}

/// The chunk that a plaintext offset lies in, and the place in it.
fn chunk_of(offset: u64) -> (u64, usize) {
    let within = usize::try_from(offset % CHUNK_LEN as u64).expect("a chunk fits memory");
    (offset / CHUNK_LEN as u64, within)
}

/// The group that a chunk lies in, and its index there.
fn place_of(number: u64) -> (GroupIndex, usize) {
    let offset = number * CHUNK_LEN as u64;
    let group = GroupIndex::of_plaintext(offset);
    let index = usize::try_from((offset - group.plaintext_start()) / CHUNK_LEN as u64).expect("a group has 64 chunks");
    (group, index)
}

//! Writing in place: any offset, any length, and at any kill or power cut every chunk old or new (SPEC.md, "Writing in
//! place").
//!
//! What is written is collected in memory, a bounded number of chunks, and goes to the backing in batches by the write
//! protocol. The rules W1 to W10 are named where they are followed.

mod batch;
mod buffers;
mod holes;
mod pages;
mod ready;
mod repair;
mod resize;
mod rules;
mod seal;
mod tables;
mod together;
mod versions;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, MAX_PLAINTEXT_LEN, chunk_of};
use crate::group::Bounds;
use crate::header::{Header, Unlocked};
use crate::io::{Backing, WritingOut};
use crate::random::Container;
use crate::read::Interrupted;
use crate::table::{Freshness, Root, Table};

pub use self::ready::ReadyWrite;
#[cfg(test)]
pub(crate) use self::rules::Rule;
use self::tables::Changed;
pub use self::together::{flush_together, settle_together};

/// Tables that may be changed between two barriers; each takes a few KB.
const MAX_CHANGED_TABLES: usize = 4096;

/// The plaintext of one chunk, with zeros behind the end of the file.
type ChunkBytes = [u8; CHUNK_LEN];

/// One chunk in memory.
type Page = Box<ChunkBytes>;

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
    /// What of the last batch is being handed to the disk.
    writing_out: Option<WritingOut>,
    dirty: BTreeMap<u64, Page>,
    len: u64,
    /// Whether the storage failed in the middle of a batch, so that memory and disk may differ.
    broken: bool,
    /// Cores that are left to others while a batch is encrypted.
    spared_cores: usize,
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
        Self::from_container(Container::new(unlocked, backing))
    }

    /// Opens a container for writing that is open for reading, as [`Editor::open`] does. Everything but the header is read
    /// anew: what was read before the caller kept other writers away may be old.
    ///
    /// # Errors
    /// As [`Editor::open`].
    pub fn from_container(container: Container<B>) -> Result<Self, ContainerError> {
        let root = Root { generation: 0, hash: [0; 16], settled: false, len: 0, floor: 0, high: 0 };
        let mut editor = Self::of(container, root);
        editor.broken = true;
        editor.mend()?;
        Ok(editor)
    }

    /// A container of which nothing but page 0 has been written.
    pub(crate) fn of_new(unlocked: Unlocked, backing: B, root: Root, table: Table) -> Self {
        let mut editor = Self::of(Container::new(unlocked, backing), root);
        editor.container.tables.pin(0, Arc::new(table));
        editor.resized = true;
        editor.see_root();
        editor
    }

    /// A container in which nothing is changed.
    fn of(container: Container<B>, root: Root) -> Self {
        Self {
            container,
            root,
            changed: BTreeMap::new(),
            pending: BTreeMap::new(),
            unclean: BTreeSet::new(),
            durable_floor: root.floor,
            shrunk: false,
            resized: false,
            writing_out: None,
            dirty: BTreeMap::new(),
            len: root.len,
            broken: false,
            spared_cores: 0,
            #[cfg(test)]
            without: None,
        }
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

    /// The verified header, with the keys to the content.
    #[must_use]
    pub fn unlocked(&self) -> &Unlocked {
        &self.container.unlocked
    }

    /// The verified header.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.container.header()
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
        let before = self.len;
        let cut = if len < self.len { self.cut_memory(len) } else { BTreeMap::new() };
        let flushed = self.flush();
        let is_flushed = flushed.is_ok();
        let result = flushed.and_then(|()| self.protected(|editor| editor.resize(len)));
        match result {
            Ok(()) => self.len = len,
            // Where the shorter length has got to the disk, it holds.
            Err(_) if is_flushed && len < before && self.mend().is_ok() && self.root.len <= len => {
                self.len = self.root.len;
            }
            Err(_) => {
                self.dirty.extend(cut);
                self.len = before;
            }
        }
        self.mend_after(result)
    }

    /// Takes from memory what lies beyond a shorter length, and returns it. What the backing holds there is written as it
    /// is, and then cut: no state in between is new.
    fn cut_memory(&mut self, len: u64) -> BTreeMap<u64, Page> {
        let mut cut = self.dirty.split_off(&len.div_ceil(CHUNK_LEN as u64));
        self.len = len.max(self.root.len);
        if let (number, within @ 1..) = chunk_of(self.len)
            && let Some(page) = self.dirty.get_mut(&number)
        {
            cut.insert(number, page.clone());
            page[within..].fill(0);
        }
        cut
    }

    /// Makes everything that was written durable.
    ///
    /// # Errors
    /// The storage fails; what was in memory is kept there.
    pub fn sync(&mut self) -> Result<(), ContainerError> {
        self.flush()?;
        let result = self.protected(Self::barrier);
        self.mend_after(result)
    }

    /// Whether the container on disk is settled, so that [`Editor::settle`] has nothing to do but to wait for the disk.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.root.settled && self.dirty.is_empty() && self.len == self.root.len && !self.broken
    }

    /// Bytes of chunks in memory that have not been given to the backing.
    #[must_use]
    pub fn unflushed_len(&self) -> u64 {
        self.dirty.len() as u64 * CHUNK_LEN as u64
    }

    /// Leaves a core to whoever writes, from now on, when it encrypts: for those who go on before they are waited for. On few
    /// cores a thread that shares one with them keeps all others waiting.
    pub fn spare_a_core(&mut self) {
        self.spared_cores = 1;
    }

    /// Whether so many bytes more stay in memory when they are written, as far as room there goes.
    #[must_use]
    pub fn has_room(&self, len: usize) -> bool {
        self.dirty.len() + len / CHUNK_LEN + 2 < pages::MAX_DIRTY_CHUNKS
    }

    /// Drops what is in memory: the container is what it was after the last flush.
    ///
    /// # Errors
    /// The storage failed before, and what is on disk cannot be read.
    pub fn discard(&mut self) -> Result<(), ContainerError> {
        self.dirty.clear();
        self.mend()?;
        self.len = self.root.len;
        Ok(())
    }

    /// Takes nothing that it remembers of the backing for granted any more: a panic cut a change short. What is in memory is
    /// kept, and the next call starts from what is on disk, as after a kill.
    pub fn distrust(&mut self) {
        self.broken = true;
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

    /// Gives the verified header and the backing back. What was not flushed is lost.
    #[must_use]
    pub fn into_parts(self) -> (Unlocked, B) {
        (self.container.unlocked, self.container.backing)
    }

    /// Runs a step that changes disk and memory together; if it fails, memory is taken from the disk before the next.
    fn protected(&mut self, step: impl FnOnce(&mut Self) -> Result<(), ContainerError>) -> Result<(), ContainerError> {
        let result = step(self);
        self.broken = result.is_err();
        result
    }

    /// After a failure reading goes on: what was remembered of the disk is taken from there at once. If that fails too, the
    /// next call that changes something tries it again.
    fn mend_after<T>(&mut self, result: Result<T, ContainerError>) -> Result<T, ContainerError> {
        if result.is_err() {
            self.mend().ok();
        }
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
}

impl<B: fmt::Debug> fmt::Debug for Editor<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The chunks in memory are plaintext.
        f.debug_struct("Editor").field("container", &self.container).field("len", &self.len).finish_non_exhaustive()
    }
}

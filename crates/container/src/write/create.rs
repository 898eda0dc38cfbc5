//! Making a container that is written in place from its first byte on (SPEC.md, "Writing a whole container").

use std::io;

use super::Sealer;
use crate::edit::Editor;
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, HEADER_LEN};
use crate::io::Backing;
use crate::keys::ContentKeys;
use crate::suite::TABLE_NONCE_LEN;
use crate::table::{Entry, Kind, Root, Table};

impl Sealer {
    /// Writes page 0 of an empty container into `backing`, which is empty, and returns the container ready to be written.
    ///
    /// It is one write of 4096 bytes, and nothing waits for it. The container is born unsettled: until
    /// [`Editor::settle`] it reads as interrupted, empty at first, and new chunks need no barrier. The caller keeps other
    /// writers away, as for [`Editor::open`].
    ///
    /// # Errors
    /// The backing is not empty, and stays as it is. Writing fails; there are no random bytes: what was written by then is no
    /// container.
    pub fn create<B: Backing>(self, backing: B) -> Result<Editor<B>, ContainerError> {
        if backing.size().map_err(ContainerError::Read)? > 0 {
            let reason = "a new container is made in an empty file, and this one is not";
            return Err(ContainerError::Write(io::Error::new(io::ErrorKind::AlreadyExists, reason)));
        }
        let (root, table, half) = empty(&self.content.keys)?;
        let mut page = [0; CHUNK_LEN];
        page[..HEADER_LEN].copy_from_slice(&self.header);
        page[HEADER_LEN..].copy_from_slice(&half);
        backing.write_all_at(&page, 0).map_err(ContainerError::Write)?;
        Ok(Editor::of_new(self.unlocked, backing, root, table))
    }
}

/// The root of an empty, unsettled container, its table, and that table's bytes in page 0.
pub(super) fn empty(keys: &ContentKeys) -> Result<(Root, Table, [u8; CHUNK_LEN - HEADER_LEN]), ContainerError> {
    let root = Root { generation: 0, hash: [0; 16], settled: false, len: 0, floor: 0, high: 0 };
    let table = Table {
        kind: Kind::Root(root),
        next: 0,
        undo_next: None,
        end: 0,
        entries: vec![Entry::HOLE; GroupIndex::ROOT.chunks()],
        undo: Vec::new(),
    };
    let mut nonce = [0; TABLE_NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(ContainerError::Random)?;
    let mut half = [0; CHUNK_LEN - HEADER_LEN];
    table.seal(keys, GroupIndex::ROOT, &nonce, &mut half);
    Ok((root, table, half))
}

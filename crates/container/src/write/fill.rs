//! Prepared containers: a data key that nobody has used yet, and how it gets its content (SPEC.md, "Header" and W11).

use std::num::NonZeroUsize;
use std::sync::Arc;

use waxseal_key_service::{DataKey, EncryptedDataKey};

use super::create::empty;
use super::input::Job;
use super::{Content, Sealed};
use crate::edit::Editor;
use crate::error::{ContainerError, Damage};
use crate::geometry::{CHUNK_LEN, GroupIndex, HEADER_LEN};
use crate::header::{Core, FilledHead, Header, Unlocked};
use crate::io::{Backing, Source};

/// A prepared container that is to be filled, with the keys for that. It can be filled once.
///
/// The caller keeps others away from the file meanwhile (an OFD lock, fcntl(2)). At any kill or power cut it is prepared as
/// before, or has all its content.
#[derive(Debug)]
pub struct Filling {
    content: Content,
    head: FilledHead,
    unlocked: Unlocked,
}

impl Header {
    /// Makes a prepared container with this core, all 4096 bytes of it, for an encrypted data key that nobody here has seen
    /// in the clear.
    ///
    /// # Errors
    /// The encrypted data keys do not fit the header.
    pub fn prepare(core: &Core, keys: &[EncryptedDataKey]) -> Result<[u8; CHUNK_LEN], ContainerError> {
        let mut page = [0; CHUNK_LEN];
        page[..HEADER_LEN].copy_from_slice(&Self::create_prepared(core, keys)?);
        Ok(page)
    }

    /// Takes a prepared container's data key, to fill it. A fresh body salt is drawn: whoever fills a copy of it uses other
    /// content keys.
    ///
    /// # Errors
    /// It is filled already; there are no random bytes.
    pub fn fill(self, data_key: &DataKey) -> Result<Filling, ContainerError> {
        let (head, unlocked) = self.create_filled(data_key)?;
        let content = Content { keys: Arc::clone(&unlocked.keys) };
        Ok(Filling { content, head, unlocked })
    }
}

impl Filling {
    /// The header as it is going to be.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.unlocked.header()
    }

    /// Encrypts everything from `source` into the prepared container, as [`Sealer::seal`](crate::Sealer::seal) does, on up to `threads` threads.
    /// When it returns, all of it is on the disk.
    ///
    /// # Errors
    /// As [`Sealer::seal`](crate::Sealer::seal); the prepared container is shorter than it has to be; what was written by then is still prepared.
    pub fn seal(
        self,
        source: Source<'_>,
        backing: &dyn Backing,
        threads: NonZeroUsize,
    ) -> Result<Sealed, ContainerError> {
        clear(backing)?;
        let begun = self.content.begin(source)?;
        let write_first = |job: &mut Job| {
            let at = GroupIndex::ROOT.table_offset();
            backing.write_all_at(job.region(), at).map_err(ContainerError::Write)?;
            self.commit(backing)
        };
        self.content.seal_file(begun, backing, threads, write_first)
    }

    /// Makes an empty container of it that is written in place, as [`Sealer::create`](crate::Sealer::create) does.
    ///
    /// # Errors
    /// The storage fails; it is still prepared then.
    pub fn create<B: Backing>(self, backing: B) -> Result<Editor<B>, ContainerError> {
        clear(&backing)?;
        let (root, table, half) = empty(&self.content.keys)?;
        backing.write_all_at(&half, GroupIndex::ROOT.table_offset()).map_err(ContainerError::Write)?;
        self.commit(&backing)?;
        Ok(Editor::of_new(self.unlocked, backing, root, table))
    }

    /// Declares it filled, behind a barrier and before one. The key slots stay as they are.
    fn commit(&self, backing: &dyn Backing) -> Result<(), ContainerError> {
        backing.sync_all().map_err(ContainerError::Write)?;
        backing.write_all_at(self.head.bytes(), 0).map_err(ContainerError::Write)?;
        backing.sync_all().map_err(ContainerError::Write)
    }
}

/// Takes away what a filling that was interrupted has left.
fn clear(backing: &dyn Backing) -> Result<(), ContainerError> {
    let (size, expected) = (backing.size().map_err(ContainerError::Read)?, CHUNK_LEN as u64);
    if size < expected {
        return Err(ContainerError::damaged(size, Damage::Truncated { size, expected }));
    }
    if size > expected {
        backing.set_len(expected).map_err(ContainerError::Write)?;
        backing.sync_all().map_err(ContainerError::Write)?;
    }
    Ok(())
}

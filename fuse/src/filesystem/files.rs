//! Opening containers, reading them, and closing them.

use std::fs::File;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use waxseal_container::{ContainerError, Header, State};
use waxseal_envelope::{EnvelopeError, lock_exclusive, lock_shared};

use super::{Caller, Filesystem};
use crate::backing;
use crate::open_file::{AtStake, Content, Descriptor, OpenFile, mode_at_stake, open_content};
use crate::open_files::Access;
use crate::report::{errno, shown};

/// What becomes of a prepared container that is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prepared {
    /// It is an error.
    Refuse,
    /// It becomes an empty file.
    Fill,
}

/// A descriptor that was given out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) handle: u64,
    /// Whether the kernel may keep the pages that it has of the file.
    pub(crate) keep_cache: bool,
    /// Whether it may write, so that there is something to tell when it is closed.
    pub(crate) may_write: bool,
}

impl Filesystem {
    /// Opens a file.
    ///
    /// # Errors
    /// `EACCES`, `ENOKEY` or `ETIMEDOUT` if its data key cannot be had; `EIO` if it is damaged; `EBUSY` if another process
    /// uses it; what opening the file below says.
    pub(crate) async fn open(self: &Arc<Self>, node: u64, flags: OFlags, caller: Caller) -> Result<Opened, Errno> {
        let access = access(flags);
        if access.write || flags.contains(OFlags::TRUNC) {
            self.writable()?;
        }
        // A prepared container may be written, and not read: there is nothing in it. Who appends to it believes that there is
        // something, and may have been shown a filled container that was made to look prepared.
        let only_writes = access.write && !access.read && !flags.contains(OFlags::APPEND);
        let prepared = if only_writes { Prepared::Fill } else { Prepared::Refuse };
        let (file, keep_cache) = self.open_or_fill(node, prepared).await?;
        if access.write || flags.contains(OFlags::TRUNC) {
            file.claim()?;
        }
        if flags.contains(OFlags::TRUNC) {
            self.set_len(&file, 0, caller)?;
        }
        Ok(Opened { handle: self.open.add_handle(node, file, access), keep_cache, may_write: access.write })
    }

    /// An open file, opened now if it was not; and whether it is as it was when it was closed last.
    pub(crate) async fn open_file(self: &Arc<Self>, node: u64) -> Result<(Arc<OpenFile>, bool), Errno> {
        self.open_or_fill(node, Prepared::Refuse).await
    }

    async fn open_or_fill(self: &Arc<Self>, node: u64, prepared: Prepared) -> Result<(Arc<OpenFile>, bool), Errno> {
        let opening = self.open.opening(node);
        let _alone = opening.lock().await;
        if let Some(file) = self.open.get(node) {
            if file.allowed().elapsed() >= self.keys.ttl() {
                self.ask_again(node, &file).await?;
            }
            file.touch();
            let is_as_known = !self.tell_length(node, &file);
            if !is_as_known {
                self.outdate(node);
            }
            return Ok((file, is_as_known));
        }
        let found = self.backing.find(&self.nodes, node)?;
        if found.below.kind != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        let name = found.name.clone();
        let (file, writable) = self.open_below(&found.directory, &name)?;
        let below = backing::status(&file)?;
        if below.identity != found.below.identity {
            return Err(Errno::STALE);
        }
        if !lock_shared(&file).map_err(|error| errno(&error))? {
            let text = format!("{}: another process is writing this container", shown(&name));
            self.reporter.warning(&text);
            return Err(Errno::BUSY);
        }
        let header = self.read_header(&file, &name)?;
        let file = Arc::new(file);
        let told = |error: ContainerError| match &error {
            ContainerError::Write(source) if errno(source) == Errno::BUSY => Errno::BUSY,
            _ => self.reporter.container(&name, &error),
        };
        let attributes = below.attributes(node);
        let (modified, changed) = (Some(attributes.modified), Some(attributes.changed));
        let at_stake = AtStake { mode: mode_at_stake(&below), modified, changed };
        let refused = |error: EnvelopeError| {
            self.outdate(node);
            self.reporter.envelope(&name, &error)
        };
        let fills = prepared == Prepared::Fill && writable && header.state() == State::Prepared;
        let (unlocked, since, content, was_interrupted) = if fills {
            if !lock_exclusive(&file).map_err(|error| errno(&error))? {
                return Err(Errno::BUSY);
            }
            let (filling, since) = self.keys.fill(header).await.map_err(refused)?;
            let editor = filling.create(Arc::clone(&file)).map_err(told)?;
            // A filling that was interrupted has left a file that looked longer.
            self.outdate_attributes(node);
            (editor.unlocked().clone(), since, Content::Exclusive(Box::new(editor)), false)
        } else {
            let (unlocked, since) = self.keys.unlock(header).await.map_err(refused)?;
            let (content, was_interrupted) = open_content(unlocked.clone(), &file, writable).map_err(told)?;
            (unlocked, since, content, was_interrupted)
        };
        let opened = Arc::new(OpenFile::new(
            Descriptor { file, writable },
            (unlocked, since),
            &name,
            content,
            &self.unflushed,
            &self.reporter,
        ));
        opened.set_opened_as(below.stamp());
        if was_interrupted {
            let text = format!("{}: its last writer was interrupted; it ends at byte {}", shown(&name), opened.len());
            self.reporter.warning(&text);
            // What a repair writes is no change that programs see.
            opened.restore(&at_stake);
        }
        self.open.insert(node, &opened);
        if was_interrupted {
            // Before the open is answered: the size that the kernel knows may be longer than what was recovered.
            self.outdate_attributes(node);
            self.outdate(node);
        }
        let keep_cache = !was_interrupted && self.seen.is_unchanged(node, below.stamp());
        Ok((opened, keep_cache))
    }

    /// Whether a container that seems to be empty is a prepared one. Where it cannot be read, nobody reads it as empty either.
    pub(super) fn is_prepared(&self, node: u64) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = self
            .backing
            .find(&self.nodes, node)
            .and_then(|found| rustix::fs::openat(&found.directory, &found.name, flags, Mode::empty()).map(File::from));
        let header = opened.ok().and_then(|file| Header::read_at(&file).ok());
        header.is_some_and(|header| header.state() == State::Prepared)
    }

    /// Opens the file below: for writing where that is possible, since a program may open it for writing later.
    fn open_below(&self, directory: &impl std::os::fd::AsFd, name: &std::ffi::OsStr) -> Result<(File, bool), Errno> {
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let open = |flags| rustix::fs::openat(directory, name, flags, Mode::empty()).map(File::from);
        if !self.read_only {
            match open(flags | OFlags::RDWR) {
                Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY) => {}
                result => return result.map(|file| (file, true)),
            }
        }
        Ok((open(flags | OFlags::RDONLY)?, false))
    }

    fn read_header(&self, file: &File, name: &std::ffi::OsStr) -> Result<Header, Errno> {
        Header::read_at(file).map_err(|error| self.reporter.container(name, &error))
    }

    /// Asks the key service again whether an open file may be opened.
    async fn ask_again(&self, node: u64, file: &OpenFile) -> Result<(), Errno> {
        let name = file.name();
        let header = self.read_header(&file.file(), &name)?;
        match self.keys.unlock(header).await {
            Ok((_, since)) => {
                file.allow(since);
                Ok(())
            }
            Err(error) => {
                if !matches!(error, EnvelopeError::Container(_)) {
                    self.outdate(node);
                }
                Err(self.reporter.envelope(&name, &error))
            }
        }
    }

    /// Reads from an open file.
    pub(crate) fn read(&self, handle: u64, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        // The kernel reads through descriptors that may only write, to fill the rest of a page.
        self.open.handle(handle)?.file.read_at(buffer, offset)
    }

    /// The next data or hole (lseek(2)).
    pub(crate) fn seek(&self, handle: u64, offset: u64, data: bool) -> Result<u64, Errno> {
        self.open.handle(handle)?.file.seek(offset, data)?.ok_or(Errno::NXIO)
    }

    /// A program closes one of its descriptors: what it wrote is given to the file below, but for what would have to wait
    /// for the disk, and errors that nobody was told yet are told.
    pub(crate) fn flush(&self, handle: u64) -> Result<(), Errno> {
        let handle = self.open.handle(handle)?;
        if handle.access.write { handle.file.flush(false) } else { Ok(()) }
    }

    /// A descriptor is gone.
    pub(crate) fn release(&self, number: u64) {
        let Some((handle, is_last)) = self.open.remove_handle(number) else { return };
        handle.file.touch();
        let node = handle.node;
        if is_last {
            drop(handle);
            self.close_if_done(node);
            if self.open.len() > self.max_waiting {
                self.settle_closed(self.max_waiting);
            }
        }
    }

    /// Closes a file that nobody uses, if nothing is left to be done for it.
    pub(crate) fn close_if_done(&self, node: u64) {
        if let Some((below, changed)) = self.open.close_if_done(node) {
            self.seen.note(node, below.stamp(), changed);
        }
    }

    /// Waits until what was written is on the disk.
    pub(crate) fn sync(&self, handle: u64) -> Result<(), Errno> {
        let handle = self.open.handle(handle)?;
        let result = handle.file.sync();
        self.tell_length(handle.node, &handle.file);
        result
    }

    /// Has the kernel ask for the length of a file, if that is another one than it can know: it would go on reading what it
    /// keeps beyond a cut that was reported as failed and made after all. Returns whether that is so.
    fn tell_length(&self, node: u64, file: &OpenFile) -> bool {
        let has_moved = file.take_len_moved();
        if has_moved {
            self.outdate_attributes(node);
        }
        has_moved
    }
}

/// What a descriptor that is opened with these flags may do.
pub(crate) fn access(flags: OFlags) -> Access {
    let mode = flags & OFlags::RWMODE;
    Access {
        read: mode != OFlags::WRONLY,
        write: mode == OFlags::WRONLY || mode == OFlags::RDWR,
        sync: flags.intersects(OFlags::SYNC | OFlags::DSYNC),
    }
}

//! Changing the content of files.

use rustix::fs::{FallocateFlags, SeekFrom, StatVfs};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use waxseal_container::{MAX_PLAINTEXT_LEN, file_size};

use super::{Caller, Filesystem};
use crate::open_file::OpenFile;
use crate::open_files::Handle;

/// Bytes in memory, in all files together, from which on whoever writes waits for the file below.
const MAX_UNFLUSHED: u64 = 64 << 20;

/// Bytes that are copied at once.
const COPY_LEN: usize = 1 << 20;

impl Filesystem {
    /// Writes at an offset.
    ///
    /// `kills_set_ids` says that the writer may not set the set-id bits, so that the file loses them. `taken` may be called
    /// once, before the bytes have been worked on: whoever wrote them can go on, and an error that comes later is kept.
    pub(crate) fn write(
        &self,
        handle: u64,
        bytes: &[u8],
        offset: u64,
        kills_set_ids: bool,
        taken: &dyn Fn(),
    ) -> Result<(), Errno> {
        let handle = self.writer(handle)?;
        let file = &handle.file;
        check_reach(file, offset.saturating_add(bytes.len() as u64))?;
        let has_room = self.unflushed.has_room(bytes.len() as u64, || self.space_left());
        let may_take = !handle.access.sync && self.unflushed.total() <= MAX_UNFLUSHED && file.may_take(bytes, offset);
        if has_room && may_take {
            if kills_set_ids {
                file.clear_set_ids();
            }
            return file.take(bytes, offset, taken);
        }
        self.put(file, bytes, offset, has_room)?;
        if kills_set_ids {
            file.clear_set_ids();
        }
        if handle.access.sync {
            file.sync()
        } else if self.unflushed.total() > MAX_UNFLUSHED {
            file.flush(true)
        } else {
            Ok(())
        }
    }

    /// Sets the length of an open file.
    pub(crate) fn set_len(&self, file: &OpenFile, len: u64, caller: Caller) -> Result<(), Errno> {
        check_reach(file, len)?;
        file.claim()?;
        file.change(|editor| editor.set_len(len))?;
        // The length below has changed already, or is what it was: its time follows at once.
        file.tell_modified();
        file.restore_time();
        if caller.uid != 0 {
            // Who may set the set-id bits keeps them.
            file.clear_set_ids();
        }
        Ok(())
    }

    /// Reserves, punches or zeroes a range (fallocate(2)).
    ///
    /// # Errors
    /// `EOPNOTSUPP` for other modes, `EFBIG` beyond what a container holds.
    pub(crate) fn allocate(&self, handle: u64, offset: u64, length: u64, mode: u32) -> Result<(), Errno> {
        let handle = self.writer(handle)?;
        let file = &handle.file;
        let end = offset.checked_add(length).ok_or(Errno::FBIG)?;
        check_reach(file, end)?;
        let mode = FallocateFlags::from_bits(mode).ok_or(Errno::OPNOTSUPP)?;
        let keeps_len = mode.contains(FallocateFlags::KEEP_SIZE);
        let done = match mode - FallocateFlags::KEEP_SIZE {
            FallocateFlags::PUNCH_HOLE if keeps_len => file.change(|editor| editor.punch_hole(offset, length)),
            // Within the length a hole is as good as zeros.
            FallocateFlags::ZERO_RANGE if keeps_len => file.change(|editor| editor.punch_hole(offset, length)),
            FallocateFlags::ZERO_RANGE => file.change(|editor| editor.zero_range(offset, length)),
            rest if rest.is_empty() => self.reserve_range(file, offset, end, keeps_len),
            _ => Err(Errno::OPNOTSUPP),
        };
        if done.is_ok() {
            file.tell_modified();
            file.restore_time();
        }
        done
    }

    /// Copies between two files (copy_file_range(2)); fewer bytes than asked for at the end of the first.
    pub(crate) fn copy(
        &self,
        (from, from_offset): (u64, u64),
        (to, to_offset): (u64, u64),
        length: u64,
    ) -> Result<u64, Errno> {
        let (from, to) = (self.open.handle(from)?, self.writer(to)?);
        let length = usize::try_from(length).unwrap_or(COPY_LEN).min(COPY_LEN);
        let mut buffer = vec![0; length];
        let read = from.file.read_at(&mut buffer, from_offset)?;
        check_reach(&to.file, to_offset.saturating_add(read as u64))?;
        let has_room = self.unflushed.has_room(read as u64, || self.space_left());
        self.put(&to.file, &buffer[..read], to_offset, has_room)?;
        if self.unflushed.total() > MAX_UNFLUSHED {
            to.file.flush(true)?;
        }
        Ok(read as u64)
    }

    /// Takes bytes. Where there is little room below they go there before they are acknowledged, so that whoever writes
    /// learns of a full disk.
    fn put(&self, file: &OpenFile, bytes: &[u8], offset: u64, has_room: bool) -> Result<(), Errno> {
        if has_room {
            return file.change(|editor| editor.write_at(bytes, offset));
        }
        file.change(|editor| {
            editor.flush()?;
            let before = editor.len();
            editor.write_at(bytes, offset).and_then(|()| editor.flush()).inspect_err(|_| {
                // If this fails as well, the next call tries it again.
                if editor.discard().is_ok() && editor.len() > before {
                    editor.set_len(before).ok();
                }
            })
        })
    }

    fn space_left(&self) -> u64 {
        let left = |space: StatVfs| space.f_bavail.saturating_mul(space.f_frsize);
        // Some file systems do not know how large they are.
        self.space().ok().filter(|space| space.f_blocks > 0).map_or(u64::MAX, left)
    }

    /// Reserves space below for a range, and extends the file to its end unless it is to keep its length.
    fn reserve_range(&self, file: &OpenFile, offset: u64, end: u64, keeps_len: bool) -> Result<(), Errno> {
        let place = file_size(offset);
        let length = file_size(end).saturating_sub(place).max(1);
        rustix::fs::fallocate(file.file(), FallocateFlags::KEEP_SIZE, place, length)?;
        if keeps_len || end <= file.len() {
            return Ok(());
        }
        file.change(|editor| editor.set_len(end))
    }

    /// A descriptor that may write.
    fn writer(&self, handle: u64) -> Result<std::sync::Arc<Handle>, Errno> {
        let handle = self.open.handle(handle)?;
        if handle.access.write { Ok(handle) } else { Err(Errno::BADF) }
    }
}

/// Refuses a length that the file below cannot have, before anything is changed for it.
fn check_reach(file: &OpenFile, len: u64) -> Result<(), Errno> {
    if len <= file.len() {
        return Ok(());
    }
    if len > MAX_PLAINTEXT_LEN {
        return Err(Errno::FBIG);
    }
    let size = file_size(len);
    if getrlimit(Resource::Fsize).current.is_some_and(|limit| size > limit) {
        return Err(Errno::FBIG);
    }
    // The position of this descriptor means nothing; that it cannot be set says that no file is as long (lseek(2)).
    match rustix::fs::seek(file.file(), SeekFrom::Start(size)) {
        Ok(_) => Ok(()),
        Err(Errno::INVAL | Errno::OVERFLOW) => Err(Errno::FBIG),
        Err(error) => Err(error),
    }
}

//! The file of a container that is checked: its reads are counted, and pages that the disk does not give are passed over.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use nix::libc;
use waxseal_container::{CHUNK_LEN, ReadAt};

/// The unit of what is passed over, in bytes: a page holds one table or one chunk.
const PAGE: u64 = CHUNK_LEN as u64;

/// What stands for a byte that cannot be read. It is not zero, for zeros could be taken for a hole.
const UNREADABLE: u8 = 0xee;

/// A file that is read at any offset.
pub(super) struct Input<'a> {
    file: &'a dyn ReadAt,
    progress: &'a (dyn Fn(u64) + Sync),
    /// The numbers of the pages that could not be read; absent if that is an error.
    unreadable: Option<Mutex<BTreeSet<u64>>>,
}

impl<'a> Input<'a> {
    /// Reads a file that has to be readable everywhere.
    pub(super) fn new(file: &'a dyn ReadAt, progress: &'a (dyn Fn(u64) + Sync)) -> Self {
        Self { file, progress, unreadable: None }
    }

    /// Reads a file on a disk that may be failing: a page that cannot be read is noted, and given as bytes that do not
    /// verify.
    pub(super) fn lenient(file: &'a dyn ReadAt, progress: &'a (dyn Fn(u64) + Sync)) -> Self {
        Self { file, progress, unreadable: Some(Mutex::default()) }
    }

    /// The ranges of the file, in bytes, that could not be read, in order.
    pub(super) fn unreadable(self) -> Vec<Range<u64>> {
        let pages = self.unreadable.unwrap_or_default().into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for start in pages.into_iter().map(|page| page * PAGE) {
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end += PAGE,
                _ => ranges.push(start..start + PAGE),
            }
        }
        ranges
    }

    /// Reads up to the end of the page, or passes over it.
    fn read_page(&self, bad: &Mutex<BTreeSet<u64>>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(PAGE - offset % PAGE).unwrap_or(CHUNK_LEN).min(buffer.len());
        let buffer = &mut buffer[..left];
        match self.file.read_at(buffer, offset) {
            Err(error) if is_of_the_disk(&error) => {
                let there = usize::try_from(self.file.size()?.saturating_sub(offset)).unwrap_or(usize::MAX).min(left);
                buffer[..there].fill(UNREADABLE);
                bad.lock().unwrap_or_else(PoisonError::into_inner).insert(offset / PAGE);
                Ok(there)
            }
            read => read,
        }
    }
}

impl ReadAt for Input<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = match (self.file.read_at(buffer, offset), &self.unreadable) {
            (Err(error), Some(bad)) if is_of_the_disk(&error) => self.read_page(bad, buffer, offset)?,
            (read, _) => read?,
        };
        (self.progress)(read as u64);
        Ok(read)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
}

/// Whether an error is one of the disk below these bytes: a bad sector, or a checksum of the file system or the device.
fn is_of_the_disk(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EBADMSG | libc::EUCLEAN | libc::EILSEQ))
}

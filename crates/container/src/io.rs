//! What is read and written: streams, and files at any offset.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

/// Something that can be read at any offset, from several threads at once.
pub trait ReadAt: Sync {
    /// Reads some bytes at `offset`; 0 means that the end lies there or before.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The size in bytes.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn size(&self) -> io::Result<u64>;
}

/// Something that can be written at any offset, from several threads at once.
pub trait WriteAt: Sync {
    /// Writes all bytes at `offset`, and extends the storage as needed.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Sets the size in bytes; what is new reads as zeros.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn set_len(&self, size: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }
}

impl WriteAt for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        File::set_len(self, size)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let length = buffer.len().min(self.len() - start);
        buffer[..length].copy_from_slice(&self[start..start + length]);
        Ok(length)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// Where bytes come from.
#[expect(missing_debug_implementations, reason = "readers have no common Debug")]
pub enum Source<'a> {
    /// A pipe, or anything else that is read once from its present position on.
    Stream(&'a mut (dyn Read + Send)),
    /// A file that is read from its beginning, at several places at once.
    File(&'a dyn ReadAt),
}

/// Where bytes go.
#[expect(missing_debug_implementations, reason = "writers have no common Debug")]
pub enum Sink<'a> {
    /// A pipe, or anything else that is written once from its present position on.
    Stream(&'a mut (dyn Write + Send)),
    /// An empty file that is written at several places at once.
    File(&'a dyn WriteAt),
    /// Nowhere: the bytes are verified only.
    Discard,
}

/// Reads at `offset` until `buffer` is full or the storage ends, and returns how many bytes there were.
pub(crate) fn read_full_at(file: &(impl ReadAt + ?Sized), buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads until `buffer` is full or the stream ends, and returns how many bytes there were.
pub(crate) fn read_full(input: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

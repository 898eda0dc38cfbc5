//! Reading and writing that is counted for the progress bar, and pipes made roomy.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use waxseal_container::{MAGIC, ReadAt, Sink};

use crate::output::Console;

/// From this many bytes on it takes long enough to show how far it is.
const DRAWN_BYTES: u64 = 256 << 20;

/// How much a pipe should hold: with the default of 64 KiB, two processes spend their time waking each other.
const PIPE_SIZE: usize = 1 << 17;

/// A file that is read at any offset, with every byte counted.
#[derive(Debug)]
pub(crate) struct CountedFile<'a> {
    file: &'a File,
    size: u64,
    is_container: AtomicBool,
    console: &'a Console,
}

impl<'a> CountedFile<'a> {
    /// Counts the reads of a file that had `size` bytes when it was opened.
    pub(crate) fn new(file: &'a File, size: u64, console: &'a Console) -> Self {
        draw_if_long(size, console);
        Self { file, size, is_container: AtomicBool::new(false), console }
    }

    /// Whether what was read from the beginning looks like a container.
    pub(crate) fn is_container(&self) -> bool {
        self.is_container.load(Ordering::Relaxed)
    }
}

impl ReadAt for CountedFile<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = ReadAt::read_at(self.file, buffer, offset)?;
        if offset == 0 && buffer[..length].starts_with(&MAGIC) {
            self.is_container.store(true, Ordering::Relaxed);
        }
        self.console.advance_bytes(length as u64);
        Ok(length)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

/// A stream, with every byte counted, that has ended once it has ended.
#[derive(Debug)]
pub(crate) struct CountedStream<'a, S> {
    inner: S,
    read: u64,
    ended: bool,
    console: &'a Console,
}

impl<'a, S> CountedStream<'a, S> {
    /// Counts the reads of a stream whose end is not known.
    pub(crate) fn new(inner: S, console: &'a Console) -> Self {
        Self { inner, read: 0, ended: false, console }
    }
}

impl<S: Read> Read for CountedStream<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A terminal goes on after its end: whoever typed Ctrl-D is not asked for it again.
        if self.ended {
            return Ok(0);
        }
        let length = self.inner.read(buffer)?;
        self.ended = length == 0 && !buffer.is_empty();
        self.read += length as u64;
        if self.read >= DRAWN_BYTES {
            self.console.draw_stream(self.read);
        }
        Ok(length)
    }
}

/// Writes to a sink from its beginning, whatever kind of sink it is.
pub(crate) struct SinkWriter<'a> {
    sink: Sink<'a>,
    written: u64,
}

impl<'a> SinkWriter<'a> {
    /// Begins at the sink's beginning.
    pub(crate) fn new(sink: Sink<'a>) -> Self {
        Self { sink, written: 0 }
    }
}

impl Write for SinkWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Stream(stream) => stream.write_all(bytes)?,
            Sink::File(file) => file.write_all_at(bytes, self.written)?,
            Sink::Discard => {}
        }
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stream(stream) => stream.flush(),
            Sink::File(_) | Sink::Discard => Ok(()),
        }
    }
}

/// Passes on only the bytes of a range of what is written to it.
#[derive(Debug)]
pub(crate) struct RangeWriter<W> {
    inner: W,
    /// Bytes to leave out before the range.
    skip: u64,
    /// Bytes of the range that are still to come.
    left: u64,
    /// Bytes passed on.
    passed: u64,
}

impl<W> RangeWriter<W> {
    /// Passes on up to `length` bytes from `offset` on.
    pub(crate) fn new(inner: W, offset: u64, length: Option<u64>) -> Self {
        Self { inner, skip: offset, left: length.unwrap_or(u64::MAX), passed: 0 }
    }

    /// How many bytes were passed on.
    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }
}

impl<W: Write> Write for RangeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - skipped);
        self.inner.write_all(&bytes[skipped..skipped + wanted])?;
        self.skip -= skipped as u64;
        self.left -= wanted as u64;
        self.passed += wanted as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Shows how far reading so many bytes is, if it takes long.
pub(crate) fn draw_if_long(size: u64, console: &Console) {
    if size >= DRAWN_BYTES {
        console.draw_bytes(size);
    }
}

/// Makes a pipe hold more, where it is one and the system allows it.
pub(crate) fn widen(file: &File) {
    rustix::pipe::fcntl_setpipe_size(file, PIPE_SIZE).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_what_is_written_is_passed_on_however_it_is_cut() {
        for piece in 1..12 {
            let mut out = RangeWriter::new(Vec::new(), 3, Some(4));
            for bytes in b"0123456789".chunks(piece) {
                out.write_all(bytes).unwrap();
            }
            assert_eq!((out.passed(), out.inner.as_slice()), (4, &b"3456"[..]), "{piece}");
        }
        let mut out = RangeWriter::new(Vec::new(), 8, None);
        out.write_all(b"0123456789").unwrap();
        assert_eq!(out.inner, b"89");
    }
}

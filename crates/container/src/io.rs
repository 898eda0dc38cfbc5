//! What is read and written: streams, and files at any offset.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroU64;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
use rustix::io::Errno;

use crate::geometry::CHUNK_LEN;

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

    /// Begins to read so many bytes at `offset` into the system's memory, and nothing around them. It is a hint, for reads
    /// that follow soon. Unless it is implemented, nothing happens.
    fn will_read(&self, offset: u64, length: u64) {
        let _ = (offset, length);
    }
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

/// Storage of a container that is written in place.
pub trait Backing: ReadAt + WriteAt {
    /// Makes `length` bytes from `offset` on read as zeros, and gives back their space where that is possible. The size
    /// stays.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn zero(&self, offset: u64, length: u64) -> io::Result<()>;

    /// Begins to write out what was written between `offset` and `end`, and waits for nothing. It is a hint: what follows
    /// may be done beside it, and the next wait is shorter. Unless it is implemented, nothing happens.
    fn start_writing_out(&self, offset: u64, end: u64) {
        let _ = (offset, end);
    }

    /// As [`Backing::start_writing_out`], beside the caller: for many scattered pieces, of which the system takes each
    /// singly. Unless it is implemented, it is done at once.
    fn start_writing_out_beside(&self, offset: u64, end: u64) -> WritingOut {
        self.start_writing_out(offset, end);
        WritingOut(None)
    }

    /// Waits until all that was written has reached the disk (fdatasync(2)).
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn sync_data(&self) -> io::Result<()>;

    /// Waits until all that was written, and every change of size and allocation, has reached the disk (fsync(2)).
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn sync_all(&self) -> io::Result<()>;
}

/// Storage whose pieces are handed to the disk, one after the other, on a thread. Dropping it waits until they have been
/// handed over, not until they are there; the storage's descriptor is open until then.
#[derive(Debug)]
#[must_use = "dropping it waits"]
pub struct WritingOut(Option<JoinHandle<()>>);

impl Drop for WritingOut {
    fn drop(&mut self) {
        // It is a hint: whatever went wrong goes wrong again where it is waited for.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

impl Backing for File {
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        match fallocate(self, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length) {
            Err(Errno::OPNOTSUPP) => write_zeros_at(self, offset, length),
            result => result.map_err(io::Error::from),
        }
    }

    fn start_writing_out(&self, offset: u64, end: u64) {
        let (Ok(offset), Ok(length)) = (i64::try_from(offset), i64::try_from(end.saturating_sub(offset))) else {
            return;
        };
        // What goes wrong here goes wrong again where it is waited for. Only libc has this call.
        // SAFETY: the descriptor is open as long as `self` lives, and the call takes nothing but numbers.
        unsafe { libc::sync_file_range(self.as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE) };
    }

    fn start_writing_out_beside(&self, offset: u64, end: u64) -> WritingOut {
        let Ok(same_file) = self.try_clone() else {
            self.start_writing_out(offset, end);
            return WritingOut(None);
        };
        let on_its_way = thread::Builder::new().spawn(move || same_file.start_writing_out(offset, end));
        WritingOut(on_its_way.ok())
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        File::sync_all(self)
    }
}

/// Zeros for storage that cannot punch holes.
fn write_zeros_at(file: &File, mut offset: u64, mut length: u64) -> io::Result<()> {
    static ZEROS: [u8; 16 * CHUNK_LEN] = [0; 16 * CHUNK_LEN];
    while length > 0 {
        let piece = usize::try_from(length).unwrap_or(usize::MAX).min(ZEROS.len());
        FileExt::write_all_at(file, &ZEROS[..piece], offset)?;
        offset += piece as u64;
        length -= piece as u64;
    }
    Ok(())
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn will_read(&self, offset: u64, length: u64) {
        fadvise(self, offset, NonZeroU64::new(length), Advice::WillNeed).unwrap_or_default();
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

/// What holds or borrows storage is storage.
macro_rules! storage_behind {
    ($($pointer:ty $(, $bound:ident)?;)*) => {$(
        impl<T: ReadAt $(+ $bound)? + ?Sized> ReadAt for $pointer {
            fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
                (**self).read_at(buffer, offset)
            }

            fn size(&self) -> io::Result<u64> {
                (**self).size()
            }

            fn will_read(&self, offset: u64, length: u64) {
                (**self).will_read(offset, length);
            }
        }

        impl<T: WriteAt $(+ $bound)? + ?Sized> WriteAt for $pointer {
            fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
                (**self).write_all_at(bytes, offset)
            }

            fn set_len(&self, size: u64) -> io::Result<()> {
                (**self).set_len(size)
            }
        }

        impl<T: Backing $(+ $bound)? + ?Sized> Backing for $pointer {
            fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
                (**self).zero(offset, length)
            }

            fn start_writing_out(&self, offset: u64, end: u64) {
                (**self).start_writing_out(offset, end);
            }

            fn start_writing_out_beside(&self, offset: u64, end: u64) -> WritingOut {
                (**self).start_writing_out_beside(offset, end)
            }

            fn sync_data(&self) -> io::Result<()> {
                (**self).sync_data()
            }

            fn sync_all(&self) -> io::Result<()> {
                (**self).sync_all()
            }
        }
    )*};
}

storage_behind! {
    &T;
    Arc<T>, Send;
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

//! Sparse files: what takes no space in the source takes none in the output.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use waxseal_container::{Backing, CHUNK_LEN, ContainerError, ReadAt, Sealed, Sealer, WriteAt, file_size};

/// Pieces in which data is read.
const PIECE: usize = 1 << 20;

/// Encrypts a sparse file of `size` bytes into `output`: its holes become holes of the container. `progress` is told of the
/// bytes that were read.
///
/// # Errors
/// As [`Sealer::seal`].
pub(crate) fn seal_sparse(
    sealer: Sealer,
    input: &File,
    size: u64,
    output: &File,
    progress: impl Fn(u64),
) -> Result<Sealed, ContainerError> {
    let mut editor = sealer.create(Unseen(output))?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while let Some((start, end)) = next_data(input, at, size).map_err(ContainerError::Read)? {
        at = start;
        while at < end {
            let wanted = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            input.read_exact_at(&mut piece[..wanted], at).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => ContainerError::InputShrank { expected: size, found: at },
                _ => ContainerError::Read(error),
            })?;
            editor.write_at(&piece[..wanted], at)?;
            // Keeps little in memory; nothing is waited for.
            editor.sync()?;
            at += wanted as u64;
            progress(wanted as u64);
        }
    }
    if editor.len() < size {
        editor.set_len(size)?;
    }
    editor.settle()?;
    Ok(Sealed { plaintext_len: size, file_size: file_size(size) })
}

/// The next part of a file from `at` on that holds data, widened to whole chunks; none if only a hole follows.
fn next_data(file: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    let chunk = CHUNK_LEN as u64;
    if at >= size {
        return Ok(None);
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Err(Errno::NXIO) => return Ok(None),
        // A file system that knows no holes has data everywhere.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
        start => start?,
    };
    if start >= size {
        return Ok(None);
    }
    let end = match seek(file, SeekFrom::Hole(start)) {
        Err(Errno::INVAL | Errno::OPNOTSUPP) => size,
        end => end?,
    };
    let start = (start / chunk * chunk).max(at);
    Ok(Some((start, end.next_multiple_of(chunk).min(size))))
}

/// A file that has no name yet: nobody can see it half-written, and it is synced before it gets one. Until then nothing has
/// to be waited for.
#[derive(Clone, Copy, Debug)]
struct Unseen<'a>(&'a File);

impl ReadAt for Unseen<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        ReadAt::read_at(self.0, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        ReadAt::size(self.0)
    }
}

impl WriteAt for Unseen<'_> {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        WriteAt::write_all_at(self.0, bytes, offset)
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        WriteAt::set_len(self.0, size)
    }
}

impl Backing for Unseen<'_> {
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        Backing::zero(self.0, offset, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An empty file in which pages of zeros are left out as holes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SparseSink<'a>(pub(crate) &'a File);

impl WriteAt for SparseSink<'_> {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let is_zero = |page: &[u8]| page.iter().all(|byte| *byte == 0);
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let alike = |zero: bool| {
                let run = rest.chunks(CHUNK_LEN).take_while(|page| is_zero(page) == zero);
                run.map(<[u8]>::len).sum::<usize>()
            };
            let (data, zeros) = (alike(false), alike(true));
            if data > 0 {
                WriteAt::write_all_at(self.0, &rest[..data], at)?;
            }
            let done = data.max(zeros);
            rest = &rest[done..];
            at += done as u64;
        }
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        WriteAt::set_len(self.0, size)
    }
}

//! Files that are nearly all hole: what an editor does with them takes time by what they hold, not by how long they are.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use super::support::*;
use crate::{Backing, CHUNK_LEN, ContainerError, Editor, ReadAt, Suite, WriteAt};

/// A length that no program could go through group by group.
const WIDE: u64 = 1 << 60;

/// A sparse file in memory: its pages, and its size.
#[derive(Debug, Default)]
struct SparseFile(Mutex<(BTreeMap<u64, [u8; CHUNK_LEN]>, u64)>);

impl ReadAt for SparseFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (pages, size) = &*self.0.lock().unwrap();
        let within = usize::try_from(offset % CHUNK_LEN as u64).unwrap();
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = buffer.len().min(CHUNK_LEN - within).min(left);
        match pages.get(&(offset / CHUNK_LEN as u64)) {
            Some(page) => buffer[..length].copy_from_slice(&page[within..within + length]),
            None => buffer[..length].fill(0),
        }
        Ok(length)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().1)
    }
}

impl WriteAt for SparseFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (pages, size) = &mut *self.0.lock().unwrap();
        for (at, byte) in (offset..).zip(bytes) {
            let page = pages.entry(at / CHUNK_LEN as u64).or_insert([0; CHUNK_LEN]);
            page[usize::try_from(at % CHUNK_LEN as u64).unwrap()] = *byte;
        }
        *size = (*size).max(offset + bytes.len() as u64);
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.0.lock().unwrap().1 = size;
        Ok(())
    }
}

impl Backing for SparseFile {
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        assert!(offset.is_multiple_of(CHUNK_LEN as u64), "these tests zero from a page on");
        let (first, last) = (offset / CHUNK_LEN as u64, (offset + length).div_ceil(CHUNK_LEN as u64));
        self.0.lock().unwrap().0.retain(|page, _| !(first..last).contains(page));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An editor of a file with a chunk at either end and a hole between them, of which the last is in memory yet.
fn wide() -> Editor<SparseFile> {
    let (file, container) = (SparseFile::default(), seal_file(Suite::default(), &plaintext(100)));
    file.write_all_at(&container, 0).unwrap();
    let mut editor = Editor::open(unlock(&container).unwrap(), file).unwrap();
    editor.set_len(WIDE - CHUNK_LEN as u64).unwrap();
    editor.write_at(&[1; CHUNK_LEN], WIDE - CHUNK_LEN as u64).unwrap();
    editor
}

/// Fails if a step does not come to its end.
fn ends<T: Send + 'static>(
    step: impl FnOnce(&mut Editor<SparseFile>) -> Result<T, ContainerError> + Send + 'static,
) -> T {
    let (done, waiting) = mpsc::channel();
    thread::spawn(move || done.send(step(&mut wide())));
    let result = waiting.recv_timeout(Duration::from_secs(20));
    result.expect("a hole is passed over as a whole, not group by group").unwrap()
}

#[test]
fn regression_a_hole_is_punched_into_a_hole_without_going_through_it() {
    ends(|editor| editor.punch_hole(8192, WIDE - 3 * 8192));
}

#[test]
fn regression_data_behind_a_hole_is_found_without_going_through_it() {
    assert_eq!(ends(|editor| editor.seek_data(4096)), Some(WIDE - CHUNK_LEN as u64));
    let flushed = ends(|editor| {
        editor.flush()?;
        editor.seek_data(4096)
    });
    assert_eq!(flushed, Some(WIDE - CHUNK_LEN as u64));
}

#[test]
fn regression_the_ends_of_a_hole_are_read_written_and_cut_off_without_going_through_it() {
    let length = ends(|editor| {
        editor.settle()?;
        editor.read_at(&mut [0; 9000], WIDE / 2)?;
        editor.write_at(&[2; 10], WIDE / 2)?;
        editor.sync()?;
        editor.set_len(WIDE / 4)?;
        editor.settle()?;
        editor.set_len(5000)?;
        editor.settle()?;
        Ok(editor.len())
    });
    assert_eq!(length, 5000);
}

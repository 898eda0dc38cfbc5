//! A sparse file in memory, cheap to copy.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use waxseal_container::{Backing, ReadAt, WriteAt};

const PAGE: u64 = 4096;

#[derive(Clone, Debug, Default)]
struct State {
    pages: BTreeMap<u64, Arc<[u8; 4096]>>,
    size: u64,
}

impl State {
    /// Calls `step` with each page that the range touches: its number, where in it, and where in the range.
    fn each(offset: u64, length: usize, mut step: impl FnMut(u64, usize, std::ops::Range<usize>)) {
        let mut done = 0;
        while done < length {
            let at = offset + done as u64;
            let within = usize::try_from(at % PAGE).unwrap();
            let piece = (4096 - within).min(length - done);
            step(at / PAGE, within, done..done + piece);
            done += piece;
        }
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        Self::each(offset, length, |page, within, range| match self.pages.get(&page) {
            Some(page) => buffer[range.clone()].copy_from_slice(&page[within..within + range.len()]),
            None => buffer[range].fill(0),
        });
        length
    }

    fn write(&mut self, bytes: &[u8], offset: u64) {
        Self::each(offset, bytes.len(), |page, within, range| {
            let page = Arc::make_mut(self.pages.entry(page).or_insert_with(|| Arc::new([0; 4096])));
            page[within..within + range.len()].copy_from_slice(&bytes[range]);
        });
        self.size = self.size.max(offset + bytes.len() as u64);
    }

    fn zero(&mut self, offset: u64, end: u64) {
        let whole = offset.div_ceil(PAGE)..end / PAGE;
        let inside: Vec<u64> = self.pages.range(offset / PAGE..end.div_ceil(PAGE)).map(|(page, _)| *page).collect();
        for number in inside {
            if whole.contains(&number) {
                self.pages.remove(&number);
            } else if let Some(page) = self.pages.get_mut(&number) {
                let start = usize::try_from(offset.saturating_sub(number * PAGE)).unwrap();
                let end = usize::try_from((end - number * PAGE).min(PAGE)).unwrap();
                Arc::make_mut(page)[start..end].fill(0);
            }
        }
    }
}

#[derive(Debug, Default)]
pub struct Disk(Mutex<State>);

impl Clone for Disk {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap().clone()))
    }
}

impl Disk {
    pub fn len(&self) -> u64 {
        self.0.lock().unwrap().size
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its content, unless there is more than `limit`.
    pub fn bytes(&self, limit: usize) -> Option<Vec<u8>> {
        let length = usize::try_from(self.len()).ok().filter(|length| *length <= limit)?;
        let mut bytes = vec![0; length];
        self.0.lock().unwrap().read(&mut bytes, 0);
        Some(bytes)
    }

    /// Bytes from `offset` on, with zeros behind the end.
    pub fn piece(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.lock().unwrap().read(&mut bytes, offset);
        bytes
    }

    /// Writes as far as the file goes.
    pub fn put(&self, bytes: &[u8], offset: u64) {
        let mut state = self.0.lock().unwrap();
        let left = usize::try_from(state.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        state.write(&bytes[..bytes.len().min(left)], offset);
    }

    pub fn stream(&self) -> Stream<'_> {
        Stream { disk: self, position: 0 }
    }
}

impl ReadAt for Disk {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(self.0.lock().unwrap().read(buffer, offset))
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len())
    }
}

impl WriteAt for Disk {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.lock().unwrap().write(bytes, offset);
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let old = state.size;
        if size < old {
            state.zero(size, old);
        }
        state.size = size;
        Ok(())
    }
}

impl Backing for Disk {
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        let end = offset.checked_add(length).ok_or(io::ErrorKind::InvalidInput)?;
        self.0.lock().unwrap().zero(offset, end);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub struct Stream<'a> {
    disk: &'a Disk,
    position: u64,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.disk.read_at(buffer, self.position)?;
        self.position += length as u64;
        Ok(length)
    }
}

//! A disk that remembers what it was told and when, and every state that a kill or a power cut can leave of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard};

use crate::io::Backing;
use crate::{ReadAt, WriteAt};

/// What is atomic: a page, or half of page 0 where not all of it is written.
pub(super) fn atoms(offset: u64, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut atoms = Vec::new();
    let mut done = 0;
    while done < bytes.len() {
        let at = offset + done as u64;
        let whole = at >= 4096 || (at == 0 && bytes.len() >= 4096);
        let size = if whole { 4096 } else { 2048 };
        let piece = usize::try_from(size - at % size).unwrap().min(bytes.len() - done);
        atoms.push((at, bytes[done..done + piece].to_vec()));
        done += piece;
    }
    atoms
}

/// Something that reaches the disk whole or not at all.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A write within one page.
    Write { offset: u64, bytes: Vec<u8> },
    /// A new size of the file.
    Size(u64),
    /// Everything before is on disk.
    Barrier,
    /// An operation began that leads to the content of this number.
    Began(usize),
    /// A write was taken, and may be in memory only.
    Buffered,
    /// The content of this number was reported to survive a kill.
    Flushed(usize),
    /// The content of this number was reported to be on disk.
    Synced(usize),
}

impl Event {
    /// The event without its bytes.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Write { offset, bytes } => format!("write {} at {offset}", bytes.len()),
            other => format!("{other:?}"),
        }
    }
}

/// A file in memory that records every event, and can run out of space.
#[derive(Debug)]
pub(super) struct RecordingFile(Mutex<Recording>);

#[derive(Debug)]
struct Recording {
    bytes: Vec<u8>,
    /// The content when recording began.
    base: Vec<u8>,
    events: Vec<Event>,
    recording: bool,
    /// Writes and size changes that still succeed.
    budget: Option<usize>,
}

impl RecordingFile {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let recording = Recording { base: bytes.clone(), bytes, events: Vec::new(), recording: false, budget: None };
        Self(Mutex::new(recording))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// Begins to record, with everything up to now on disk.
    pub(super) fn record(&self) {
        let mut file = self.lock();
        (file.base, file.recording) = (file.bytes.clone(), true);
        file.events.clear();
    }

    pub(super) fn recorded(&self) -> (Vec<u8>, Vec<Event>) {
        let file = self.lock();
        (file.base.clone(), file.events.clone())
    }

    /// Lets so many more writes and size changes succeed, or all of them again.
    pub(super) fn limit(&self, budget: Option<usize>) {
        self.lock().budget = budget;
    }

    fn spend(&self) -> io::Result<()> {
        match &mut self.lock().budget {
            None => Ok(()),
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    pub(super) fn push(&self, event: Event) {
        let mut file = self.lock();
        if file.recording {
            file.events.push(event);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap()
    }
}

impl ReadAt for RecordingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.lock().bytes[..].read_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.lock().bytes.len() as u64)
    }
}

impl WriteAt for RecordingFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        for (offset, bytes) in atoms(offset, bytes) {
            self.spend()?;
            put(&mut self.lock().bytes, offset, &bytes);
            self.push(Event::Write { offset, bytes });
        }
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.spend()?;
        self.lock().bytes.resize(usize::try_from(size).unwrap(), 0);
        self.push(Event::Size(size));
        Ok(())
    }
}

impl Backing for RecordingFile {
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        self.spend()?;
        let size = self.lock().bytes.len() as u64;
        let end = (offset + length).min(size);
        let zeros = vec![0; usize::try_from(end.saturating_sub(offset)).unwrap()];
        for (offset, bytes) in atoms(offset, &zeros) {
            put(&mut self.lock().bytes, offset, &bytes);
            self.push(Event::Write { offset, bytes });
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.spend()?;
        self.push(Event::Barrier);
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}

pub(super) fn put(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let start = usize::try_from(offset).unwrap();
    if bytes.len() < start + data.len() {
        bytes.resize(start + data.len(), 0);
    }
    bytes[start..start + data.len()].copy_from_slice(data);
}

/// Applies an event to an image of the disk.
pub(super) fn apply(image: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write { offset, bytes } => put(image, *offset, bytes),
        Event::Size(size) => image.resize(usize::try_from(*size).unwrap(), 0),
        _ => {}
    }
}

/// Every state that a kill or a power cut can leave amid these events, on what was on disk before.
pub(super) fn cuts(base: &[u8], events: &[Event]) -> Vec<Vec<u8>> {
    let (mut states, mut now, mut durable, mut since) = (vec![base.to_vec()], base.to_vec(), base.to_vec(), 0);
    for (at, event) in events.iter().enumerate() {
        apply(&mut now, event);
        states.push(now.clone());
        if matches!(event, Event::Barrier) || at + 1 == events.len() {
            let choices = Choices::new(&durable, &events[since..=at]);
            let count = choices.count();
            // All where they are few; else every one that differs in one page, and some in between.
            let step = (count / 300).max(1);
            states.extend((0..count).step_by(usize::try_from(step).unwrap()).map(|number| choices.state(number)));
            (durable, since) = (now.clone(), at + 1);
        }
    }
    states
}

/// What a power cut chooses from: each page's versions since the last barrier, and the file's sizes.
///
/// The file's size is an item of its own. A page written beyond the size on disk is lost with it; a page that a shrinking
/// cut off and a later write brought back is zero where it was not written again.
pub(super) struct Choices {
    base: Vec<u8>,
    /// Of each page, the contents that it has had, as (place in the order of events, offset, bytes) in turn.
    pages: BTreeMap<u64, Vec<Vec<u8>>>,
    sizes: Vec<usize>,
}

impl Choices {
    /// Collects the choices of the events since the last barrier, on an image of what was on disk then.
    pub(super) fn new(base: &[u8], events: &[Event]) -> Self {
        let mut image = base.to_vec();
        let mut choices = Self { base: base.to_vec(), pages: BTreeMap::new(), sizes: vec![base.len()] };
        for event in events {
            let before = image.len();
            apply(&mut image, event);
            match event {
                // Page 0, both halves at once.
                Event::Write { offset: 0, bytes } if bytes.len() == 4096 => {
                    [0, 2048].into_iter().for_each(|half| choices.remember(&image, half));
                }
                Event::Write { offset, .. } => choices.remember(&image, page_of(*offset)),
                // Cutting a page changes it: what is cut off is zero when the file grows again.
                Event::Size(size) if usize::try_from(*size).unwrap() < before => {
                    let touched: Vec<u64> = choices.pages.keys().copied().filter(|page| page + 4096 > *size).collect();
                    for page in touched.into_iter().chain([page_of(size.saturating_sub(1))]) {
                        choices.remember(&image, page);
                    }
                }
                _ => {}
            }
            if image.len() != *choices.sizes.last().unwrap() {
                choices.sizes.push(image.len());
            }
        }
        choices
    }

    fn remember(&mut self, image: &[u8], page: u64) {
        let content = |bytes: &[u8]| {
            let start = usize::try_from(page).unwrap().min(bytes.len());
            let mut content = bytes[start..(start + page_len(page)).min(bytes.len())].to_vec();
            content.resize(page_len(page), 0);
            content
        };
        let base = content(&self.base);
        self.pages.entry(page).or_insert_with(|| vec![base]).push(content(image));
    }

    /// How many states there are, as far as a `u64` tells.
    pub(super) fn count(&self) -> u64 {
        let versions = self.pages.values().map(|versions| versions.len() as u64);
        versions.fold(self.sizes.len() as u64, u64::saturating_mul)
    }

    /// The state of a number below [`Choices::count`], each page and the size chosen by a digit of it.
    pub(super) fn state(&self, mut number: u64) -> Vec<u8> {
        self.build(|choices| {
            let digit = number % choices as u64;
            number /= choices as u64;
            usize::try_from(digit).unwrap()
        })
    }

    /// The state in which `choose` picks one of so many versions, for each page in turn and for the size.
    pub(super) fn build(&self, mut choose: impl FnMut(usize) -> usize) -> Vec<u8> {
        let size = self.sizes[choose(self.sizes.len())];
        let mut image = self.base.clone();
        image.resize(image.len().max(size), 0);
        for (page, versions) in &self.pages {
            let version = &versions[choose(versions.len())];
            if usize::try_from(*page).unwrap() < size {
                put(&mut image, *page, version);
            }
        }
        image.truncate(size);
        // A new file's page 0 was made in one write: where one half of it is missing, the other is as well.
        if self.base.is_empty() && !has_page_zero(&image) {
            let there = image.len().min(4096);
            image[..there].fill(0);
        }
        image
    }
}

/// Whether anything is written in both halves of page 0, as is in every container.
pub(super) fn has_page_zero(image: &[u8]) -> bool {
    let is_written =
        |half: std::ops::Range<usize>| image.get(half).is_some_and(|half| half.iter().any(|byte| *byte != 0));
    is_written(0..2048) && is_written(2048..4096)
}

pub(super) fn page_of(offset: u64) -> u64 {
    if offset < 4096 { offset / 2048 * 2048 } else { offset / 4096 * 4096 }
}

pub(super) fn page_len(page: u64) -> usize {
    if page < 4096 { 2048 } else { 4096 }
}

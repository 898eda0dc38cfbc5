//! A container on its way in: cut into group regions, from a stream or from a file.

use std::io::Read;
use std::num::NonZeroUsize;

use crate::error::{ContainerError, Damage};
use crate::geometry::{GroupIndex, HEADER_LEN, MAX_REGION_LEN};
use crate::group::GroupFacts;
use crate::io::{ReadAt, Source, read_full, read_full_at};
use crate::pipeline::Produced;

/// One group's region on its way through the pipeline.
pub(super) struct Job {
    pub(super) group: GroupIndex,
    /// What opening it found.
    pub(super) facts: Result<Option<GroupFacts>, ContainerError>,
    /// Bytes of the region; fewer than the group's where the file ends in it.
    length: usize,
    buffer: Vec<u8>,
}

impl Job {
    /// A job without room, which it is given with its first region: most files have no second one.
    pub(super) fn new() -> Self {
        Self::with_room(0)
    }

    /// Makes room for any region: an interrupted container may be longer than its file, and what is missing is zeros.
    pub(super) fn make_room(&mut self) {
        self.buffer.resize(MAX_REGION_LEN, 0);
    }

    fn with_room(room: usize) -> Self {
        Self { group: GroupIndex::ROOT, facts: Ok(None), length: 0, buffer: vec![0; room] }
    }

    /// The region as it was read, and after opening in place with plaintext in its chunks.
    pub(super) fn region(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.length]
    }

    /// The group's first `length` plaintext bytes, after opening. What the file ends before is zeros.
    pub(super) fn plaintext(&self, length: usize) -> &[u8] {
        &self.buffer[self.group.table_len()..][..length]
    }

    /// File offset of the byte behind the region's last one.
    pub(super) fn file_end(&self) -> u64 {
        self.group.table_offset() + self.length as u64
    }
}

/// Cuts a container into group regions, in order.
pub(super) struct Input<'a> {
    kind: Kind<'a>,
    next: GroupIndex,
    ended: bool,
    /// Bytes of a stream that mean anything.
    limit: u64,
}

enum Kind<'a> {
    /// A stream is read here.
    Stream { reader: &'a mut (dyn Read + Send), size: u64 },
    /// A file is read by the filler.
    File { file: &'a dyn ReadAt, size: u64 },
}

impl<'a> Input<'a> {
    pub(super) fn open(source: Source<'a>) -> Result<Self, ContainerError> {
        let kind = match source {
            Source::Stream(reader) => Kind::Stream { reader, size: HEADER_LEN as u64 },
            Source::File(file) => Kind::File { file, size: file.size().map_err(ContainerError::Read)? },
        };
        Ok(Self { kind, next: GroupIndex::ROOT, ended: false, limit: u64::MAX })
    }

    /// A job with room for group 0, as much of it as there is.
    pub(super) fn first_job(&self) -> Job {
        let room = GroupIndex::ROOT.region_len();
        Job::with_room(match self.kind {
            Kind::Stream { .. } => room,
            Kind::File { size, .. } => usize::try_from(size).unwrap_or(usize::MAX).min(room),
        })
    }

    pub(super) fn filler(&self) -> Filler<'a> {
        match &self.kind {
            Kind::Stream { .. } => Filler { file: None },
            Kind::File { file, .. } => Filler { file: Some(*file) },
        }
    }

    /// Bytes of the container seen so far: of a stream, those that were read.
    pub(super) fn size(&self) -> u64 {
        match self.kind {
            Kind::Stream { size, .. } | Kind::File { size, .. } => size,
        }
    }

    /// Bytes of the whole container, where they are known: of a stream, when it has ended.
    pub(super) fn total_size(&self) -> Option<u64> {
        match self.kind {
            Kind::File { size, .. } => Some(size),
            Kind::Stream { size, .. } => self.ended.then_some(size),
        }
    }

    /// Reads no further than this size.
    pub(super) fn limit(&mut self, limit: u64) {
        match &mut self.kind {
            Kind::File { size, .. } => *size = limit.min(*size),
            Kind::Stream { .. } => self.limit = limit,
        }
        self.ended |= self.next.table_offset() >= limit;
    }

    pub(super) fn produce(&mut self, job: &mut Job) -> Result<Produced, ContainerError> {
        if self.ended {
            return Ok(Produced::End);
        }
        if job.buffer.is_empty() {
            job.make_room();
        }
        job.group = self.next;
        let room = job.group.region_len();
        match &mut self.kind {
            Kind::Stream { reader, size } => {
                job.length = read_full(*reader, &mut job.buffer[..room]).map_err(ContainerError::Read)?;
                *size += job.length as u64;
                self.ended = job.length < room || self.next.successor().table_offset() >= self.limit;
            }
            Kind::File { size, .. } => {
                let left = size.saturating_sub(job.group.table_offset());
                job.length = usize::try_from(left).unwrap_or(usize::MAX).min(room);
                self.ended = left <= room as u64;
            }
        }
        // What the file does not have reads as zeros where an interrupted container counts it.
        job.buffer[job.length..].fill(0);
        self.next = self.next.successor();
        let is_root = job.group == GroupIndex::ROOT;
        Ok(if job.length == 0 && !is_root { Produced::End } else { Produced::Job })
    }
}

/// Fills the regions of a file, several at once; those of a stream come filled.
#[derive(Clone, Copy)]
pub(super) struct Filler<'a> {
    file: Option<&'a dyn ReadAt>,
}

impl Filler<'_> {
    pub(super) fn fill(&self, job: &mut Job) -> Result<(), ContainerError> {
        let Some(file) = self.file else { return Ok(()) };
        let (start, expected) = (job.group.table_offset(), job.file_end());
        let read = read_full_at(file, job.region(), start).map_err(ContainerError::Read)?;
        let size = start + read as u64;
        if size < expected {
            return Err(ContainerError::damaged(size, Damage::Truncated { size, expected }));
        }
        Ok(())
    }

    /// A stream keeps one thread waiting, so one more works.
    pub(super) fn threads(&self, threads: NonZeroUsize) -> NonZeroUsize {
        if self.file.is_some() { threads } else { threads.saturating_add(1) }
    }
}

//! Plaintext on its way into a container: cut into groups, from a stream or from a file.

use std::io::Read;
use std::num::NonZeroUsize;

use crate::error::ContainerError;
use crate::geometry::{GroupIndex, HEADER_LEN, MAX_PLAINTEXT_LEN, MAX_REGION_LEN};
use crate::io::{ReadAt, Source, read_full, read_full_at};
use crate::keys::ContentKeys;
use crate::pipeline::Produced;
use crate::suite::TABLE_NONCE_LEN;
use crate::table::{Entry, Kind, Table};

/// One group on its way through the pipeline.
pub(super) struct Job {
    pub(super) group: GroupIndex,
    /// Whether the plaintext ends with this group.
    pub(super) is_last: bool,
    /// The id of its table.
    pub(super) id: u64,
    /// Plaintext bytes in it.
    length: usize,
    /// Room for a header, and then the region: group 0 is written together with the header.
    buffer: Vec<u8>,
}

impl Job {
    /// A job without room, which it is given with its first group: most files have one group only.
    pub(super) fn new() -> Self {
        Self { group: GroupIndex::ROOT, is_last: false, id: 0, length: 0, buffer: Vec::new() }
    }

    /// A job for group 0, with room for `capacity` bytes of plaintext at most.
    pub(super) fn first(capacity: usize) -> Self {
        Self { buffer: vec![0; HEADER_LEN + GroupIndex::ROOT.table_len() + capacity], ..Self::new() }
    }

    /// The plaintext, and after encryption in place the ciphertext.
    pub(super) fn chunks(&mut self) -> &mut [u8] {
        let start = HEADER_LEN + self.group.table_len();
        &mut self.buffer[start..start + self.length]
    }

    /// The whole region, as it goes to the output.
    pub(super) fn region(&self) -> &[u8] {
        &self.buffer[HEADER_LEN..HEADER_LEN + self.group.table_len() + self.length]
    }

    /// Header and region side by side, as group 0 goes to the output.
    pub(super) fn with_header(&mut self, header: &[u8; HEADER_LEN]) -> &[u8] {
        self.buffer[..HEADER_LEN].copy_from_slice(header);
        &self.buffer[..HEADER_LEN + self.group.table_len() + self.length]
    }

    /// Offset of the plaintext byte behind the group's last one.
    pub(super) fn plaintext_end(&self) -> u64 {
        self.group.plaintext_start() + self.length as u64
    }

    /// Seals the group's table in front of its chunks.
    pub(super) fn seal_table(
        &mut self,
        keys: &ContentKeys,
        kind: Kind,
        entries: Vec<Entry>,
        nonce: &[u8; TABLE_NONCE_LEN],
    ) {
        let next = if self.is_last { 0 } else { self.group.successor().0 };
        let end = u32::try_from(self.length).expect("a group holds at most 262144 bytes");
        let table = Table { kind, next, undo_next: None, end, entries, undo: Vec::new() };
        table.seal(keys, self.group, nonce, &mut self.buffer[HEADER_LEN..][..self.group.table_len()]);
    }
}

/// Makes the two halves of a source: one that cuts it into groups in order, one that fills them side by side.
pub(super) fn open(source: Source<'_>) -> Result<(Producer<'_>, Filler<'_>), ContainerError> {
    let next = GroupIndex::ROOT;
    match source {
        Source::Stream(reader) => {
            let cutter = Cutter::Stream { reader, ahead: None };
            Ok((Producer { cutter, next, ended: false }, Filler { file: None }))
        }
        Source::File(file) => {
            let size = file.size().map_err(ContainerError::Read)?;
            if size > MAX_PLAINTEXT_LEN {
                return Err(ContainerError::TooLong);
            }
            Ok((Producer { cutter: Cutter::File { size }, next, ended: false }, Filler { file: Some((file, size)) }))
        }
    }
}

/// Cuts a source into groups, in order.
pub(super) struct Producer<'a> {
    cutter: Cutter<'a>,
    next: GroupIndex,
    ended: bool,
}

enum Cutter<'a> {
    /// A stream is read here, one byte ahead: a table says whether a group follows.
    Stream { reader: &'a mut (dyn Read + Send), ahead: Option<u8> },
    /// A file is read by the filler.
    File { size: u64 },
}

impl Producer<'_> {
    /// Bytes of plaintext that group 0 will have at most.
    pub(super) fn first_capacity(&self) -> usize {
        let capacity = GroupIndex::ROOT.capacity();
        match self.cutter {
            Cutter::Stream { .. } => capacity,
            Cutter::File { size } => usize::try_from(size).unwrap_or(usize::MAX).min(capacity),
        }
    }

    pub(super) fn produce(&mut self, job: &mut Job) -> Result<Produced, ContainerError> {
        if self.ended {
            return Ok(Produced::End);
        }
        if job.buffer.is_empty() {
            job.buffer.resize(HEADER_LEN + MAX_REGION_LEN, 0);
        }
        job.group = self.next;
        let capacity = job.group.capacity();
        match &mut self.cutter {
            Cutter::Stream { reader, ahead } => {
                let room = &mut job.buffer[HEADER_LEN + job.group.table_len()..][..capacity];
                let carried = ahead.take();
                let start = usize::from(carried.is_some());
                room[..start].copy_from_slice(carried.as_slice());
                job.length = start + read_full(*reader, &mut room[start..]).map_err(ContainerError::Read)?;
                let mut byte = [0];
                if job.length == capacity && read_full(*reader, &mut byte).map_err(ContainerError::Read)? == 1 {
                    *ahead = Some(byte[0]);
                }
                job.is_last = ahead.is_none();
            }
            Cutter::File { size } => {
                let left = *size - job.group.plaintext_start();
                job.length = usize::try_from(left).unwrap_or(usize::MAX).min(capacity);
                job.is_last = left <= capacity as u64;
            }
        }
        if job.plaintext_end() > MAX_PLAINTEXT_LEN {
            return Err(ContainerError::TooLong);
        }
        self.ended = job.is_last;
        self.next = self.next.successor();
        Ok(Produced::Job)
    }
}

/// Fills the groups of a file, several at once; those of a stream come filled.
#[derive(Clone, Copy)]
pub(super) struct Filler<'a> {
    file: Option<(&'a dyn ReadAt, u64)>,
}

impl Filler<'_> {
    pub(super) fn fill(&self, job: &mut Job) -> Result<(), ContainerError> {
        let Some((file, expected)) = self.file else { return Ok(()) };
        let start = job.group.plaintext_start();
        let length = job.length;
        let read = read_full_at(file, job.chunks(), start).map_err(ContainerError::Read)?;
        if read < length {
            return Err(ContainerError::InputShrank { expected, found: start + read as u64 });
        }
        Ok(())
    }

    /// A stream keeps one thread waiting, so one more works.
    pub(super) fn threads(&self, threads: NonZeroUsize) -> NonZeroUsize {
        if self.file.is_some() { threads } else { threads.saturating_add(1) }
    }
}

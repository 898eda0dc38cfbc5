//! Writing whole containers: streams and files, in one pass (SPEC.md, "Writing a whole container").

mod create;
mod input;

use std::io::Write;
use std::num::NonZeroUsize;

use waxseal_key_service::{DataKey, EncryptedDataKey};

use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GROUP_CHUNKS, HEADER_LEN, file_size};
use crate::group::{SEAL_RANDOM_LEN, seal_chunks, seal_random_len, table_random};
use crate::header::{Core, Header};
use crate::io::{Sink, Source, WriteAt};
use crate::keys::{ContentKeys, FreshnessHash};
use crate::pipeline;
use crate::table::{Entry, Freshness, Kind, Root, STREAM};

use self::input::{Filler, Job, Producer};

/// A new container, ready to take its content once.
#[derive(Debug)]
pub struct Sealer {
    header: [u8; HEADER_LEN],
    keys: ContentKeys,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of plaintext.
    pub plaintext_len: u64,
    /// Bytes of the container.
    pub file_size: u64,
}

impl Sealer {
    /// Makes a container with this core, whose data key is `data_key`, encrypted as each of `keys`.
    ///
    /// # Errors
    /// The encrypted data keys do not fit the header; there are no random bytes.
    pub fn new(core: Core, keys: &[EncryptedDataKey], data_key: &DataKey) -> Result<Self, ContainerError> {
        let (header, keys) = Header::create(core, keys, data_key)?;
        Ok(Self { header, keys })
    }

    /// Encrypts everything from `source` into `sink`, on up to `threads` threads.
    ///
    /// A file as source is read up to the size that it has at the beginning. A stream as sink gets a container without
    /// its length in the root, unless the content fits the first group (131072 bytes). Memory is bounded by about 270 KB a
    /// thread.
    ///
    /// # Errors
    /// Reading or writing fails; a file shrinks while it is read; there are no random bytes. What was written by then is
    /// no container.
    pub fn seal(self, source: Source<'_>, sink: Sink<'_>, threads: NonZeroUsize) -> Result<Sealed, ContainerError> {
        let (mut producer, filler) = input::open(source)?;
        let mut job = Job::first(producer.first_capacity());
        producer.produce(&mut job)?;
        filler.fill(&mut job)?;
        let first = self.seal_first_chunks(&mut job)?;
        if job.is_last {
            return self.write_small(sink, &first, &mut job);
        }
        match sink {
            Sink::Stream(output) => self.seal_stream(producer, filler, output, &first, &mut job, threads),
            Sink::File(output) => self.seal_file(producer, filler, output, &first, &mut job, threads),
            Sink::Discard => Err(ContainerError::Write(std::io::ErrorKind::Unsupported.into())),
        }
    }

    /// Writes front to back: the root goes out before the length is known.
    fn seal_stream(
        &self,
        producer: Producer<'_>,
        filler: Filler<'_>,
        output: &mut (dyn Write + Send),
        first: &First,
        job: &mut Job,
        threads: NonZeroUsize,
    ) -> Result<Sealed, ContainerError> {
        self.seal_first_table(first, job, STREAM, FreshnessHash::default());
        output.write_all(job.with_header(&self.header)).map_err(ContainerError::Write)?;
        let mut written = 0;
        let consume = |job: &mut Job| {
            written = job.plaintext_end();
            output.write_all(job.region()).map_err(ContainerError::Write)
        };
        self.seal_groups(producer, filler, Ids::Zero, threads, |_| Ok(()), consume)?;
        output.flush().map_err(ContainerError::Write)?;
        Ok(Sealed::of(written))
    }

    /// Writes each group to its place, and the root last.
    fn seal_file(
        &self,
        producer: Producer<'_>,
        filler: Filler<'_>,
        output: &dyn WriteAt,
        first: &First,
        job: &mut Job,
        threads: NonZeroUsize,
    ) -> Result<Sealed, ContainerError> {
        let (mut written, mut hash) = (0, FreshnessHash::default());
        let write =
            |job: &mut Job| output.write_all_at(job.region(), job.group.table_offset()).map_err(ContainerError::Write);
        let consume = |job: &mut Job| {
            self.keys.toggle_table(&mut hash, job.group.0, job.id);
            written = job.plaintext_end();
            Ok(())
        };
        self.seal_groups(producer, filler, Ids::Random, threads, write, consume)?;
        self.seal_first_table(first, job, written, hash);
        self.write_head(output, job)?;
        Ok(Sealed::of(written))
    }

    /// Writes a container of one group: its length is known, whatever the sink.
    fn write_small(&self, sink: Sink<'_>, first: &First, job: &mut Job) -> Result<Sealed, ContainerError> {
        let length = job.plaintext_end();
        self.seal_first_table(first, job, length, FreshnessHash::default());
        match sink {
            Sink::Stream(output) => {
                output
                    .write_all(job.with_header(&self.header))
                    .and_then(|()| output.flush())
                    .map_err(ContainerError::Write)?;
            }
            Sink::File(output) => self.write_head(output, job)?,
            Sink::Discard => {}
        }
        Ok(Sealed::of(length))
    }

    /// Writes header and group 0 at the beginning of a file, as one write: they lie side by side.
    fn write_head(&self, output: &dyn WriteAt, job: &mut Job) -> Result<(), ContainerError> {
        output.write_all_at(job.with_header(&self.header), 0).map_err(ContainerError::Write)
    }

    /// Encrypts group 0's chunks. Its table is sealed when the length is known.
    fn seal_first_chunks(&self, job: &mut Job) -> Result<First, ContainerError> {
        let random = draw(job.chunks().len().div_ceil(CHUNK_LEN))?;
        let entries = seal_chunks(&self.keys, job.group, job.chunks(), &random);
        Ok(First { entries, random })
    }

    fn seal_first_table(&self, first: &First, job: &mut Job, len: u64, hash: FreshnessHash) {
        let root = Root { generation: 0, hash, settled: true, len, floor: len, high: len };
        let (nonce, _) = table_random(&first.random);
        job.seal_table(&self.keys, Kind::Root(root), first.entries.clone(), nonce);
    }

    /// Encrypts all groups but the first.
    fn seal_groups(
        &self,
        mut producer: Producer<'_>,
        filler: Filler<'_>,
        ids: Ids,
        threads: NonZeroUsize,
        write: impl Fn(&mut Job) -> Result<(), ContainerError> + Sync,
        consume: impl FnMut(&mut Job) -> Result<(), ContainerError> + Send,
    ) -> Result<(), ContainerError> {
        let work = |job: &mut Job| {
            filler.fill(job)?;
            let random = draw(GROUP_CHUNKS)?;
            let entries = seal_chunks(&self.keys, job.group, job.chunks(), &random);
            let (nonce, id) = table_random(&random);
            job.id = if ids == Ids::Zero { 0 } else { id };
            let freshness = Freshness { generation: 0, id: job.id, base: 0 };
            job.seal_table(&self.keys, Kind::Group(freshness), entries, nonce);
            write(job)
        };
        pipeline::run(filler.threads(threads), Job::new, |job| producer.produce(job), work, consume)
    }
}

impl Sealed {
    fn of(plaintext_len: u64) -> Self {
        Self { plaintext_len, file_size: file_size(plaintext_len) }
    }
}

/// What group 0 waits with until the length is known: the entries of its chunks, and the randomness for its table.
struct First {
    entries: Vec<Entry>,
    random: [u8; SEAL_RANDOM_LEN],
}

/// Whether tables get ids. A root that was written before them cannot commit to them, and then they have none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    Zero,
    Random,
}

/// Fresh randomness for a region of so many chunks, straight from the operating system: suite 2 must never see a repeated
/// state.
fn draw(chunks: usize) -> Result<[u8; SEAL_RANDOM_LEN], ContainerError> {
    let mut random = [0; SEAL_RANDOM_LEN];
    getrandom::fill(&mut random[..seal_random_len(chunks)]).map_err(ContainerError::Random)?;
    Ok(random)
}

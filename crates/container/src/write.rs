//! Writing whole containers: streams and files, in one pass (SPEC.md, "Writing a whole container").

mod create;
mod fill;
mod input;

pub use self::fill::Filling;

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;

use waxseal_key_service::{DataKey, EncryptedDataKey};

use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GROUP_CHUNKS, HEADER_LEN, file_size};
use crate::group::{SEAL_RANDOM_LEN, seal_chunks, seal_random_len, table_random};
use crate::header::{Core, Header, Unlocked};
use crate::io::{Sink, Source, WriteAt};
use crate::keys::{ContentKeys, FreshnessHash};
use crate::pipeline;
use crate::table::{Entry, Freshness, Kind, Root, STREAM};

use self::input::{Filler, Job, Producer};

/// A new container, ready to take its content once.
#[derive(Debug)]
pub struct Sealer {
    header: [u8; HEADER_LEN],
    unlocked: Unlocked,
    content: Content,
}

/// What encrypts the content.
#[derive(Debug)]
struct Content {
    keys: Arc<ContentKeys>,
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
        let (header, unlocked) = Header::create(core, keys, data_key)?;
        let content = Content { keys: Arc::clone(&unlocked.keys) };
        Ok(Self { header, unlocked, content })
    }

    /// The header, with the keys to the content: for what is encrypted beside it.
    #[must_use]
    pub fn unlocked(&self) -> &Unlocked {
        &self.unlocked
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
        let begun = self.content.begin(source)?;
        match sink {
            Sink::Stream(output) => self.seal_stream(begun, output, threads),
            Sink::File(output) => self.content.seal_file(begun, output, threads, |job| self.write_head(output, job)),
            Sink::Discard => Err(ContainerError::Write(std::io::ErrorKind::Unsupported.into())),
        }
    }

    /// Writes front to back: the root goes out before the length is known, unless there is one group only.
    fn seal_stream(
        &self,
        begun: Begun<'_>,
        output: &mut (dyn Write + Send),
        threads: NonZeroUsize,
    ) -> Result<Sealed, ContainerError> {
        let Begun { producer, filler, mut job, first } = begun;
        let mut written = job.plaintext_end();
        let len = if job.is_last { written } else { STREAM };
        self.content.seal_first_table(&first, &mut job, len, FreshnessHash::default());
        output.write_all(job.with_header(&self.header)).map_err(ContainerError::Write)?;
        if !job.is_last {
            let consume = |job: &mut Job| {
                written = job.plaintext_end();
                output.write_all(job.region()).map_err(ContainerError::Write)
            };
            self.content.seal_groups(producer, filler, Ids::Zero, threads, |_| Ok(()), consume)?;
        }
        output.flush().map_err(ContainerError::Write)?;
        Ok(Sealed::of(written))
    }

    /// Writes header and group 0 at the beginning of a file, as one write: they lie side by side.
    fn write_head(&self, output: &dyn WriteAt, job: &mut Job) -> Result<(), ContainerError> {
        output.write_all_at(job.with_header(&self.header), 0).map_err(ContainerError::Write)
    }
}

impl Content {
    /// Reads and encrypts what belongs into group 0.
    fn begin<'a>(&self, source: Source<'a>) -> Result<Begun<'a>, ContainerError> {
        let (mut producer, filler) = input::open(source)?;
        let mut job = Job::first(producer.first_capacity());
        producer.produce(&mut job)?;
        filler.fill(&mut job)?;
        let random = draw(job.chunks().len().div_ceil(CHUNK_LEN))?;
        // Its table is sealed when the length is known.
        let entries = seal_chunks(&self.keys, job.group, job.chunks(), &random);
        Ok(Begun { producer, filler, job, first: First { entries, random } })
    }

    /// Writes each group to its place, and group 0 last, which `write_first` does.
    fn seal_file(
        &self,
        begun: Begun<'_>,
        output: &dyn WriteAt,
        threads: NonZeroUsize,
        write_first: impl FnOnce(&mut Job) -> Result<(), ContainerError>,
    ) -> Result<Sealed, ContainerError> {
        let Begun { producer, filler, mut job, first } = begun;
        let (mut written, mut hash) = (job.plaintext_end(), FreshnessHash::default());
        if !job.is_last {
            let write = |job: &mut Job| {
                output.write_all_at(job.region(), job.group.table_offset()).map_err(ContainerError::Write)
            };
            let consume = |job: &mut Job| {
                self.keys.toggle_table(&mut hash, job.group.0, job.id);
                written = job.plaintext_end();
                Ok(())
            };
            self.seal_groups(producer, filler, Ids::Random, threads, write, consume)?;
        }
        self.seal_first_table(&first, &mut job, written, hash);
        write_first(&mut job)?;
        Ok(Sealed::of(written))
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

/// A container whose group 0 has been read and encrypted.
struct Begun<'a> {
    producer: Producer<'a>,
    filler: Filler<'a>,
    job: Job,
    first: First,
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

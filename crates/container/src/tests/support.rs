//! What the tests share: keys, memory files, and readers that deliver in odd pieces.

use std::io::{self, Read, Write as _};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use waxseal_key_service::{DataKey, EncryptedDataKey, EncryptionContext, Provider};

use crate::{
    Container, ContainerError, Core, Header, Interrupted, Opened, Sealer, Sink, Source, Suite, Unlocked, WriteAt,
};

pub(super) const KEY: [u8; 32] = [0x5a; 32];

pub(super) fn data_key() -> DataKey {
    DataKey::take(&mut KEY.clone())
}

/// Checks a property with its usual number of cases or, in the long runs by hand, for as many minutes as
/// `WAXSEAL_TEST_MINUTES` says. Long runs say at their end how many cases there were, and of what `states` counted.
pub(super) fn hold<S: Strategy>(
    property: &str,
    usual: u32,
    strategy: S,
    states: &AtomicU64,
    test: impl Fn(S::Value) -> TestCaseResult,
) {
    let minutes = std::env::var("WAXSEAL_TEST_MINUTES").ok().map(|text| text.parse().expect("a number of minutes"));
    let until = minutes.map(|minutes: u64| Instant::now() + Duration::from_secs(minutes * 60));
    // A case that fails is shown, and gets a test of its own; no file has to remember it.
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(usual) };
    let mut cases = 0;
    loop {
        let mut runner = TestRunner::new(config.clone());
        if let Err(error) = runner.run(&strategy, &test) {
            panic!("{property}: {error}");
        }
        cases += u64::from(usual);
        match until {
            Some(until) if Instant::now() < until => {}
            Some(_) => {
                let states = states.load(Ordering::Relaxed);
                return writeln!(io::stderr(), "{property}: {cases} cases, {states} states").expect("stderr is open");
            }
            None => return,
        }
    }
}

pub(super) fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

pub(super) fn encrypted_key() -> EncryptedDataKey {
    EncryptedDataKey {
        provider: Provider::Local,
        key_arn: "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
        ciphertext_blob: vec![0xc1; 90],
    }
}

pub(super) fn sealer(suite: Suite) -> Sealer {
    let context = EncryptionContext::from_pairs(["project=x"]).unwrap();
    let core = Core::new(suite, context, Some(1_700_000_000)).unwrap();
    Sealer::new(core, &[encrypted_key()], &data_key()).unwrap()
}

/// Plaintext in which every chunk differs from every other.
pub(super) fn plaintext(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 4096 * 7 + at * 31 + at / 256).to_le_bytes()[0] | 1).collect()
}

/// Seals as a file: the root has the length and commits to the tables.
pub(super) fn seal_file(suite: Suite, plaintext: &[u8]) -> Vec<u8> {
    let file = MemoryFile::default();
    let sealed = sealer(suite).seal(Source::File(&plaintext), Sink::File(&file), threads(2)).unwrap();
    assert_eq!(sealed.plaintext_len, plaintext.len() as u64);
    file.bytes()
}

/// Seals as a stream: beyond the first group, the root does not know the length.
pub(super) fn seal_stream(suite: Suite, plaintext: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    sealer(suite).seal(Source::Stream(&mut &plaintext[..]), Sink::Stream(&mut output), threads(2)).unwrap();
    output
}

pub(super) fn unlock(container: &[u8]) -> Result<Unlocked, ContainerError> {
    Header::parse(&container[..container.len().min(2048)])?.unlock(&data_key())
}

/// Reads everything as a stream; what was released by a failure is returned with it.
pub(super) fn open_stream(container: &[u8], interrupted: Interrupted) -> (Result<Opened, ContainerError>, Vec<u8>) {
    let mut input = container;
    let mut output = Vec::new();
    let result = Header::read_from(&mut input).and_then(|header| header.unlock(&data_key())).and_then(|unlocked| {
        unlocked.open(Source::Stream(&mut input), Sink::Stream(&mut output), interrupted, threads(2))
    });
    (result, output)
}

/// Reads everything as a file into a file.
pub(super) fn open_file(container: &[u8], interrupted: Interrupted) -> Result<Vec<u8>, ContainerError> {
    let output = MemoryFile::default();
    unlock(container)?.open(Source::File(&container), Sink::File(&output), interrupted, threads(2))?;
    Ok(output.bytes())
}

/// Reads everything through the positional reader, in pieces.
pub(super) fn read_at_whole(container: &[u8], interrupted: Interrupted) -> Result<Vec<u8>, ContainerError> {
    let container = Container::open(unlock(container)?, container, interrupted)?;
    let mut plaintext = vec![0; usize::try_from(container.len()).unwrap()];
    for (index, piece) in plaintext.chunks_mut(100_003).enumerate() {
        let length = container.read_at(piece, index as u64 * 100_003)?;
        assert_eq!(length, piece.len());
    }
    Ok(plaintext)
}

/// A file in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryFile {
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

impl WriteAt for MemoryFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut file = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        if file.len() < start + bytes.len() {
            file.resize(start + bytes.len(), 0);
        }
        file[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(usize::try_from(size).unwrap(), 0);
        Ok(())
    }
}

/// A reader that delivers pieces of the given lengths in turn, with an interruption before each.
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    lengths: &'a [usize],
    turn: usize,
    interrupted: bool,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(bytes: &'a [u8], lengths: &'a [usize]) -> Self {
        Self { rest: bytes, lengths, turn: 0, interrupted: false }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = self.lengths[self.turn % self.lengths.len()].min(buffer.len()).min(self.rest.len());
        self.turn += 1;
        let (piece, rest) = self.rest.split_at(length);
        buffer[..length].copy_from_slice(piece);
        self.rest = rest;
        Ok(length)
    }
}

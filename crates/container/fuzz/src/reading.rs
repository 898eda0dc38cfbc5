//! The three readers, one beside the others.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use waxseal_container::fuzzing::data_key;
use waxseal_container::{Container, ContainerError, Header, Interrupted, Sink, Source, Unlocked};

use crate::disk::Disk;

/// The most plaintext that is looked at.
pub const LIMIT: usize = 1 << 20;

/// What came of reading a container whole.
#[derive(Debug)]
pub enum Read {
    Bytes(Vec<u8>),
    /// More plaintext than is looked at.
    TooLong,
    Refused(ContainerError),
}

/// What each reader says.
#[derive(Debug)]
pub struct Readings {
    pub stream: Read,
    pub file: Read,
    pub positional: Read,
    /// What the stream had released when it ended, in whatever way.
    pub released: Vec<u8>,
}

pub fn unlock(disk: &Disk) -> Result<Unlocked, ContainerError> {
    Header::read_from(&mut disk.stream())?.unlock(&data_key())
}

impl Readings {
    /// Reads in all three ways, and checks what has to hold whatever the container is: who reads the file and who reads
    /// the stream agree, the positional reader agrees with what they accept, and the stream releases no byte too many.
    pub fn of(disk: &Disk, interrupted: Interrupted) -> Self {
        let (stream, released) = read_stream(disk, interrupted);
        let (file, positional) = (read_file(disk, interrupted), read_positions(disk, interrupted));
        match (&stream, &file) {
            (Read::Bytes(stream), Read::Bytes(file)) => assert!(stream == file, "stream and file differ"),
            (Read::Bytes(_), _) => panic!("only the stream is read: {file:?}"),
            (_, Read::Bytes(_)) => panic!("only the file is read: {stream:?}"),
            _ => {}
        }
        if let Read::Bytes(bytes) = &file {
            let Read::Bytes(found) = &positional else { panic!("not read by position: {positional:?}") };
            assert!(bytes == found, "file and positional reader differ");
        }
        Self { stream, file, positional, released }
    }
}

fn read_stream(disk: &Disk, interrupted: Interrupted) -> (Read, Vec<u8>) {
    let (mut input, mut output) = (disk.stream(), Bounded(Vec::new()));
    let opened = Header::read_from(&mut input)
        .and_then(|header| header.unlock(&data_key()))
        .and_then(|unlocked| unlocked.open(Source::Stream(&mut input), Sink::Stream(&mut output), interrupted, ONE));
    let read = match opened {
        Ok(opened) => {
            assert_eq!(opened.plaintext_len, output.0.len() as u64);
            Read::Bytes(output.0.clone())
        }
        Err(ContainerError::Write(_)) => Read::TooLong,
        Err(error) => Read::Refused(error),
    };
    (read, output.0)
}

fn read_file(disk: &Disk, interrupted: Interrupted) -> Read {
    let output = Disk::default();
    let opened = unlock(disk).and_then(|key| key.open(Source::File(disk), Sink::File(&output), interrupted, ONE));
    match opened {
        Ok(opened) => {
            assert_eq!(opened.plaintext_len, output.len());
            output.bytes(LIMIT).map_or(Read::TooLong, Read::Bytes)
        }
        Err(error) => Read::Refused(error),
    }
}

fn read_positions(disk: &Disk, interrupted: Interrupted) -> Read {
    let opened = unlock(disk).and_then(|unlocked| Container::open(unlocked, disk.clone(), interrupted));
    match opened.and_then(|container| all_positions(&container)) {
        Ok(Some(bytes)) => Read::Bytes(bytes),
        Ok(None) => Read::TooLong,
        Err(error) => Read::Refused(error),
    }
}

fn all_positions(container: &Container<Disk>) -> Result<Option<Vec<u8>>, ContainerError> {
    let length = usize::try_from(container.len()).unwrap_or(usize::MAX);
    if length > LIMIT {
        let mut piece = [0; 9000];
        for offset in [0, 1 << 17, container.len() / 2, container.len() - 5000] {
            container.read_at(&mut piece, offset)?;
        }
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    for (index, piece) in bytes.chunks_mut(100_003).enumerate() {
        assert_eq!(container.read_at(piece, index as u64 * 100_003)?, piece.len());
    }
    Ok(Some(bytes))
}

const ONE: NonZeroUsize = NonZeroUsize::MIN;

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LIMIT {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

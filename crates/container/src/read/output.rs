//! Plaintext on its way out of a container.

use std::io::Write;

use crate::chain::Release;
use crate::error::ContainerError;
use crate::geometry::CHUNK_LEN;
use crate::group::GroupFacts;
use crate::io::{Sink, WriteAt};

use super::input::Job;

/// The sink, and how far it has been written.
pub(super) struct Output<'a> {
    sink: Sink<'a>,
    /// The container is settled: what a group holds is known without those before it.
    settled: bool,
    position: u64,
}

impl<'a> Output<'a> {
    pub(super) fn new(sink: Sink<'a>, settled: bool) -> Self {
        Self { sink, settled, position: 0 }
    }

    /// What may write groups before their turn has come: a file that counts only when all of it has been verified.
    pub(super) fn early(&self) -> Early<'a> {
        match &self.sink {
            Sink::File(file) if self.settled => Early(Some(*file)),
            _ => Early(None),
        }
    }

    /// Writes what a group adds, in its turn.
    pub(super) fn write(&mut self, job: &Job, release: Release) -> Result<(), ContainerError> {
        let bytes = job.plaintext(release.bytes);
        match &mut self.sink {
            Sink::Stream(output) => write_zeros(*output, release.zeros).and_then(|()| output.write_all(bytes)),
            Sink::File(file) if !self.settled => file.write_all_at(bytes, self.position + release.zeros),
            Sink::File(_) | Sink::Discard => Ok(()),
        }
        .map_err(ContainerError::Write)?;
        self.position += release.zeros + bytes.len() as u64;
        Ok(())
    }

    /// Ends with so many zeros, and returns the length of it all.
    pub(super) fn finish(mut self, zeros: u64) -> Result<u64, ContainerError> {
        let length = self.position + zeros;
        match &mut self.sink {
            Sink::Stream(output) => write_zeros(*output, zeros).and_then(|()| output.flush()),
            Sink::File(file) => file.set_len(length),
            Sink::Discard => Ok(()),
        }
        .map_err(ContainerError::Write)?;
        Ok(length)
    }
}

/// The part of the output that several threads write to at once.
#[derive(Clone, Copy)]
pub(super) struct Early<'a>(Option<&'a dyn WriteAt>);

impl Early<'_> {
    pub(super) fn write(&self, job: &Job, facts: &GroupFacts) -> Result<(), ContainerError> {
        let Some(file) = self.0 else { return Ok(()) };
        file.write_all_at(job.plaintext(facts.end as usize), job.group.plaintext_start()).map_err(ContainerError::Write)
    }
}

fn write_zeros(output: &mut (dyn Write + Send), mut count: u64) -> std::io::Result<()> {
    static ZEROS: [u8; 16 * CHUNK_LEN] = [0; 16 * CHUNK_LEN];
    while count > 0 {
        let length = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
        output.write_all(&ZEROS[..length])?;
        count -= length as u64;
    }
    Ok(())
}

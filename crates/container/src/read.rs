//! Reading whole containers: every group in order, everything verified (SPEC.md, "Reading").

mod input;
mod output;

use std::num::NonZeroUsize;

use crate::chain::Chain;
use crate::error::{ContainerError, Damage};
use crate::geometry::{CHUNK_LEN, GroupIndex, file_size};
use crate::group::{Bounds, GroupFacts, open_content, open_region, split_region};
use crate::header::Unlocked;
use crate::io::{Sink, Source};
use crate::pipeline;
use crate::table::{Kind, Root, STREAM, Table};

use self::input::{Input, Job};
use self::output::Output;

/// What to do with a container whose last writer was interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interrupted {
    /// Report it as an error: a copy taken in the middle of a write may be neither old nor new.
    #[default]
    Refuse,
    /// Read what its writer had made durable, and as much of what came after as is whole.
    Recover,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Bytes of plaintext.
    pub plaintext_len: u64,
    /// Whether the last writer had been interrupted.
    pub interrupted: bool,
}

impl Unlocked {
    /// Decrypts and verifies everything from `source` into `sink`, on up to `threads` threads.
    ///
    /// A stream as source continues behind the header; a file is read from its beginning. No byte reaches the sink before
    /// its chunk has been verified, but a stream as sink has received what came before a damage: only the result says
    /// whether it was all.
    ///
    /// # Errors
    /// Anything is damaged, cut or appended; the last writer was interrupted and that is to be refused; reading or writing
    /// fails.
    pub fn open(
        &self,
        source: Source<'_>,
        sink: Sink<'_>,
        interrupted: Interrupted,
        threads: NonZeroUsize,
    ) -> Result<Opened, ContainerError> {
        let mut input = Input::open(source)?;
        let filler = input.filler();
        let mut job = input.first_job();
        input.produce(&mut job)?;
        filler.fill(&mut job)?;
        let (root, facts) = self.open_first(&mut input, interrupted, &mut job)?;

        if !root.settled {
            job.make_room();
            input.limit(meaningful_size(&root, u64::MAX));
        }
        let mut chain = Chain::new(&root);
        let bounds = Bounds::of(&root);
        let mut output = Output::new(sink, root.settled);
        let early = output.early();
        early.write(&job, &facts)?;
        output.write(&job, chain.accept(&self.keys, GroupIndex::ROOT, Some(&facts))?)?;

        let work = |job: &mut Job| {
            filler.fill(job)?;
            job.facts = open_region(&self.keys, job.group, &bounds, job.region());
            if let Ok(Some(facts)) = job.facts {
                early.write(job, &facts)?;
            }
            Ok(())
        };
        let consume = |job: &mut Job| {
            check_appended(&root, &chain, job)?;
            let facts = std::mem::replace(&mut job.facts, Ok(None))?;
            output.write(job, chain.accept(&self.keys, job.group, facts.as_ref())?)
        };
        let threads = filler.threads(threads);
        pipeline::run(threads, Job::new, |job| input.produce(job), work, consume)?;

        let zeros = chain.finish(input.size())?;
        check_size(&root, chain.known_len(), input.size())?;
        let plaintext_len = output.finish(zeros)?;
        Ok(Opened { plaintext_len, interrupted: !root.settled })
    }

    /// Opens group 0, whose table says how everything else is to be read.
    fn open_first(
        &self,
        input: &mut Input<'_>,
        interrupted: Interrupted,
        job: &mut Job,
    ) -> Result<(Root, GroupFacts), ContainerError> {
        let (page, chunks) = split_region(GroupIndex::ROOT, job.region())?;
        let (table, root) = open_root(&self.keys, interrupted, page)?;
        if let Some(size) = input.total_size() {
            check_size(&root, (root.len != STREAM).then_some(root.len), size)?;
        }
        let facts = open_content(&self.keys, GroupIndex::ROOT, &Bounds::of(&root), &table, chunks)?;
        Ok((root, facts))
    }
}

/// Opens the root in its page, in place.
///
/// # Errors
/// It is missing or does not verify; the last writer was interrupted and that is to be refused.
pub(crate) fn open_root(
    keys: &crate::keys::ContentKeys,
    interrupted: Interrupted,
    page: &mut [u8],
) -> Result<(Table, Root), ContainerError> {
    let offset = GroupIndex::ROOT.table_offset();
    let table = Table::open(keys, GroupIndex::ROOT, page)?
        .ok_or_else(|| ContainerError::damaged(offset, Damage::TableMissing { group: 0 }))?;
    let Kind::Root(root) = table.kind else {
        let damage = Damage::TableContent { group: 0, reason: "it is not a root" };
        return Err(ContainerError::damaged(offset, damage));
    };
    if !root.settled && interrupted == Interrupted::Refuse {
        return Err(ContainerError::Interrupted);
    }
    Ok((table, root))
}

/// Checks a file's size against its root: rule R1. `len` is the plaintext length, as far as it is known.
pub(crate) fn check_size(root: &Root, len: Option<u64>, size: u64) -> Result<(), ContainerError> {
    // The size of an unsettled container reaches the disk when it likes, before the root or after it.
    let Some(expected) = len.filter(|_| root.settled).map(file_size) else { return Ok(()) };
    if size < expected {
        return Err(ContainerError::damaged(size, Damage::Truncated { size, expected }));
    }
    if size > expected {
        return Err(ContainerError::damaged(expected, Damage::Appended { expected }));
    }
    Ok(())
}

/// Bytes of a file that can mean anything: what an interrupted container has beyond its high mark does not (R1).
pub(crate) fn meaningful_size(root: &Root, size: u64) -> u64 {
    if root.settled { size } else { size.min(file_size(root.high).next_multiple_of(CHUNK_LEN as u64)) }
}

/// Refuses a group that lies beyond the end of a container whose length is known by now.
fn check_appended(root: &Root, chain: &Chain, job: &Job) -> Result<(), ContainerError> {
    let Some(expected) = chain.known_len().filter(|_| root.settled).map(file_size) else { return Ok(()) };
    if job.file_end() > expected {
        return Err(ContainerError::damaged(expected, Damage::Appended { expected }));
    }
    Ok(())
}

//! Flushing and settling, of one container or of many that share their barriers (rules W1 and W10).

use std::collections::BTreeMap;
use std::io;
use std::ops::{Range, RangeBounds};

use super::batch::Staged;
use super::buffers::{free_spare, keep_pages};
use super::rules::Rule;
use super::{Editor, Page};
use crate::error::ContainerError;
use crate::io::Backing;

/// Bytes of chunks that are held encrypted at a time, beside those in memory.
const MAX_STAGED_LEN: u64 = 16 << 20;

/// Flushes many containers ([`Editor::flush`]). Where any of them overwrites data, they wait for `barrier` together, which
/// makes everything that was written to all of them durable, sizes included (such as syncfs(2)).
///
/// Returns one result for each editor. One that fails leaves the others alone.
///
/// # Errors
/// As [`Editor::flush`]; `barrier` fails.
pub fn flush_together<B: Backing>(
    editors: &mut [&mut Editor<B>],
    barrier: &mut dyn FnMut() -> io::Result<()>,
) -> Vec<Result<(), ContainerError>> {
    let results = Together::new(editors, &mut |_| barrier()).flush();
    free_spare();
    results
}

/// Settles many containers ([`Editor::settle`]) with few barriers: each call of `barrier` makes everything that was written
/// to all of them durable, sizes included (such as syncfs(2)).
///
/// Returns one result for each editor. One that fails leaves the others alone.
///
/// # Errors
/// As [`Editor::settle`]; `barrier` fails.
pub fn settle_together<B: Backing>(
    editors: &mut [&mut Editor<B>],
    barrier: &mut dyn FnMut() -> io::Result<()>,
) -> Vec<Result<(), ContainerError>> {
    Together::new(editors, &mut |_| barrier()).settle()
}

impl<B: Backing> Editor<B> {
    /// Gives what is in memory to the backing. It survives this process then, but not a power cut.
    ///
    /// # Errors
    /// The storage fails; what was in memory is kept there.
    pub fn flush(&mut self) -> Result<(), ContainerError> {
        let result = self.flush_now();
        free_spare();
        result
    }

    /// Flushes, and keeps memory for what comes next.
    pub(super) fn flush_now(&mut self) -> Result<(), ContainerError> {
        alone(Together::new(&mut [self], &mut own_barrier).flush())
    }

    /// Makes everything durable, and leaves the container settled: as one that was written in one pass.
    ///
    /// # Errors
    /// The storage fails; what was in memory is kept there.
    pub fn settle(&mut self) -> Result<(), ContainerError> {
        alone(Together::new(&mut [self], &mut own_barrier).settle())
    }

    /// The first of a flush's steps: the root on disk says that the container is not settled. Returns whether that has to
    /// be waited for.
    fn begin_flush(&mut self) -> Result<bool, ContainerError> {
        if !self.root.settled || self.dirty.is_empty() {
            return Ok(false);
        }
        let numbers = self.with_short_tails(self.dirty.keys().copied().collect())?;
        self.unsettle_for(&numbers, self.batch_len())
    }

    /// The second: the tables are written.
    fn stage_flush(&mut self) -> Result<Option<Flush>, ContainerError> {
        if self.dirty.is_empty() {
            return Ok(None);
        }
        let (len, dirty) = (self.batch_len(), std::mem::take(&mut self.dirty));
        match self.stage(dirty.iter().map(|(number, page)| (*number, &**page)).collect(), len, None) {
            Ok(staged) => Ok(Some(Flush { dirty, staged })),
            Err(error) => {
                self.dirty = dirty;
                Err(error)
            }
        }
    }

    /// The last: the chunks are written.
    fn end_flush(&mut self, flush: Option<&Flush>) -> Result<(), ContainerError> {
        flush.map_or(Ok(()), |flush| self.write_staged(&flush.staged))?;
        // Where the end is a hole there is no chunk to vouch for the length.
        self.resize(self.len)
    }
}

/// A flush whose tables have been written.
struct Flush {
    /// The chunks that were in memory; they go back there if something fails.
    dirty: BTreeMap<u64, Page>,
    staged: Staged<'static>,
}

/// What waits until everything written to some containers is on disk.
type Barrier<'a, 'e, B> = dyn FnMut(&[&'e mut Editor<B>]) -> io::Result<()> + 'a;

/// The barrier of containers that have each its own.
fn own_barrier<B: Backing>(editors: &[&mut Editor<B>]) -> io::Result<()> {
    editors.iter().try_for_each(|editor| editor.wait_for_backing())
}

/// The result of one editor.
fn alone(results: Vec<Result<(), ContainerError>>) -> Result<(), ContainerError> {
    results.into_iter().collect()
}

/// Containers that take the same steps, and wait for the same barriers. One that fails takes no further step.
struct Together<'a, 'e, B> {
    editors: &'a mut [&'e mut Editor<B>],
    results: Vec<Result<(), ContainerError>>,
    barrier: &'a mut Barrier<'a, 'e, B>,
}

impl<'a, 'e, B: Backing> Together<'a, 'e, B> {
    fn new(editors: &'a mut [&'e mut Editor<B>], barrier: &'a mut Barrier<'a, 'e, B>) -> Self {
        let results = editors.iter().map(|_| Ok(())).collect();
        let mut together = Self { editors, results, barrier };
        together.step(.., |_, editor| editor.mend());
        together
    }

    fn flush(mut self) -> Vec<Result<(), ContainerError>> {
        self.flush_all();
        self.finish()
    }

    fn settle(mut self) -> Vec<Result<(), ContainerError>> {
        self.flush_all();
        self.wait(Some(Rule::DataBeforeCleanTables), .., |_| true);
        let mut wrote = vec![false; self.editors.len()];
        self.step(.., |at, editor| {
            wrote[at] = !editor.root.settled && editor.write_clean_tables()?;
            Ok(())
        });
        self.wait(Some(Rule::CleanTablesBeforeCommit), .., |at| wrote[at]);
        self.step(.., |at, editor| {
            wrote[at] = !editor.root.settled;
            if wrote[at] { editor.write_settled_root() } else { Ok(()) }
        });
        self.wait(None, .., |at| wrote[at]);
        free_spare();
        self.finish()
    }

    /// The results, once those that failed have taken from the disk how far they came.
    fn finish(self) -> Vec<Result<(), ContainerError>> {
        let ends = self.editors.iter_mut().zip(self.results);
        ends.map(|(editor, result)| editor.mend_after(result)).collect()
    }

    fn flush_all(&mut self) {
        let mut waits = vec![false; self.editors.len()];
        self.step(.., |at, editor| {
            waits[at] = editor.begin_flush()?;
            Ok(())
        });
        self.wait(Some(Rule::UnsettledBeforeChange), .., |at| waits[at]);
        let mut start = 0;
        while start < self.editors.len() {
            let end = self.wave_from(start);
            self.flush_wave(start..end);
            start = end;
        }
    }

    /// Where the editors end whose chunks may be held encrypted together with those of the first one.
    fn wave_from(&self, start: usize) -> usize {
        let mut staged = 0;
        let fits = |editor: &&&mut Editor<B>| {
            staged += editor.unflushed_len();
            staged <= MAX_STAGED_LEN
        };
        start + self.editors[start..].iter().take_while(fits).count().max(1)
    }

    fn flush_wave(&mut self, wave: Range<usize>) {
        let start = wave.start;
        let mut flushes: Vec<Option<Flush>> = wave.clone().map(|_| None).collect();
        self.step(wave.clone(), |at, editor| {
            flushes[at - start] = editor.stage_flush()?;
            Ok(())
        });
        let overwrites = |at: usize| flushes[at - start].as_ref().is_some_and(|flush| flush.staged.overwrites);
        self.wait(Some(Rule::TableBeforeOverwrite), wave.clone(), overwrites);
        self.step(wave.clone(), |at, editor| editor.end_flush(flushes[at - start].as_ref()));
        for (at, flush) in wave.zip(flushes) {
            let Some(flush) = flush else { continue };
            match &self.results[at] {
                Ok(()) => keep_pages(flush.dirty),
                Err(_) => self.editors[at].dirty = flush.dirty,
            }
        }
    }

    /// Lets those editors that have not failed take a step.
    fn step(
        &mut self,
        editors: impl RangeBounds<usize>,
        mut step: impl FnMut(usize, &mut Editor<B>) -> Result<(), ContainerError>,
    ) {
        for (at, (editor, result)) in self.editors.iter_mut().zip(&mut self.results).enumerate() {
            if editors.contains(&at) && result.is_ok() {
                *result = editor.protected(|editor| step(at, editor));
            }
        }
    }

    /// Waits for the barrier that a rule asks for, if any editor that has not failed is in need of it.
    fn wait(&mut self, rule: Option<Rule>, editors: impl RangeBounds<usize>, in_need: impl Fn(usize) -> bool) {
        let takes_part: Vec<bool> = (self.editors.iter().zip(&self.results).enumerate())
            .map(|(at, (editor, result))| {
                let keeps_rule = rule.is_none_or(|rule| !editor.is_taken_out(rule));
                editors.contains(&at) && result.is_ok() && keeps_rule
            })
            .collect();
        if !takes_part.iter().enumerate().any(|(at, takes_part)| *takes_part && in_need(at)) {
            return;
        }
        let waited = (self.barrier)(self.editors);
        for (at, (editor, result)) in self.editors.iter_mut().zip(&mut self.results).enumerate() {
            match &waited {
                Ok(()) if takes_part[at] => editor.note_barrier(),
                Err(error) if takes_part[at] && in_need(at) => {
                    *result = editor.protected(|_| Err(ContainerError::Write(again(error))));
                }
                _ => {}
            }
        }
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

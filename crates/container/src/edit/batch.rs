//! Writing a batch of chunks: rules W1, W2 and W10. First the tables go out, then, behind a barrier where data is
//! overwritten, the data.

use std::collections::BTreeSet;

use super::rules::Rule;
use super::seal::{Ready, Run, Sealed, seal_runs};
use super::tables::durable_version;
use super::{ChunkBytes, Editor, Page};
use crate::error::ContainerError;
use crate::geometry::{CHUNK_LEN, GroupIndex, place_of};
use crate::io::Backing;
use crate::table::Kind;

/// Bytes that lie side by side, from which on the disk is given them while others are written.
const LONG_RUN_LEN: usize = 64 << 10;

/// Bytes of overwritten data after which the disk is told to begin with them.
const WRITE_OUT_LEN: usize = 2 << 20;

/// Runs from which on a thread of its own gives them to the disk: that takes about ten microseconds a run.
const MANY_RUNS: usize = 64;

/// The chunks that are to be written, by their numbers, which ascend.
pub(super) type Chunks<'a> = Vec<(u64, &'a ChunkBytes)>;

/// A batch whose tables have been written, and whose chunks have not.
pub(super) struct Staged<'a> {
    runs: Vec<Run>,
    sealed: Sealed<'a>,
    /// Whether data goes where other data may be on disk: then the tables have to be there first.
    pub(super) overwrites: bool,
}

impl<B: Backing> Editor<B> {
    /// Writes chunks, and extends the container to `new_len` if it is shorter. Some of them may be encrypted already.
    pub(super) fn write_batch(
        &mut self,
        chunks: Chunks<'_>,
        new_len: u64,
        ready: Option<&Ready>,
    ) -> Result<(), ContainerError> {
        let staged = self.stage(chunks, new_len, ready)?;
        if staged.overwrites {
            self.barrier_for(Rule::TableBeforeOverwrite)?;
        }
        self.write_staged(&staged)
    }

    /// Encrypts those chunks that are not ready, and writes the tables that have them.
    pub(super) fn stage<'r>(
        &mut self,
        chunks: Chunks<'_>,
        new_len: u64,
        ready: Option<&'r Ready>,
    ) -> Result<Staged<'r>, ContainerError> {
        let new_len = new_len.max(self.root.len);
        let numbers: Vec<u64> = chunks.iter().map(|(number, _)| *number).collect();
        self.pin_tables(&numbers)?;
        let tails = self.read_chunks(self.short_tails(&numbers)?)?;
        let mut chunks: Chunks<'_> = chunks;
        chunks.extend(tails.iter().map(|(number, page)| (*number, &**page)));
        chunks.sort_unstable_by_key(|(number, _)| *number);
        let (numbers, plaintext): (Vec<u64>, Vec<&ChunkBytes>) = chunks.into_iter().unzip();
        self.make_way(&numbers, new_len)?;

        let overwrites = self.overwrites(&numbers)?;
        let (runs, mut touched) = self.enter(&numbers, new_len, ready)?;
        let sealed = seal_runs(&self.container.unlocked.keys, &runs, &plaintext, self.spared_cores, ready)?;
        for run in &runs {
            self.table_mut(run.group)?.entries[run.first..][..run.chunks.len()]
                .copy_from_slice(&sealed.entries[run.chunks.clone()]);
        }
        let grows = new_len > self.root.len;
        (self.root.len, self.root.high) = (new_len, self.root.high.max(new_len));
        // The root has the lengths; where it says nothing new, it stays as it is.
        let root = Kind::Root(self.root);
        if self.table_mut(GroupIndex::ROOT)?.kind != root {
            touched.insert(GroupIndex::ROOT);
        }
        self.write_tables(touched)?;
        self.see_root();
        if grows {
            self.set_file_size()?;
        }
        Ok(Staged { runs, sealed, overwrites })
    }

    /// Writes encrypted chunks to their places.
    pub(super) fn write_staged(&mut self, staged: &Staged<'_>) -> Result<(), ContainerError> {
        let mut written_out = staged.runs.first().map_or(0, Run::offset);
        let mut waiting = 0;
        for (run, bytes) in staged.sealed.runs(&staged.runs) {
            self.write(bytes, run.offset())?;
            waiting += run.len;
            // Whoever overwrites much is going to wait for it before the next batch: the disk begins at once. With scattered
            // chunks it would keep us waiting for each of them.
            if staged.overwrites && waiting >= WRITE_OUT_LEN && run.len >= LONG_RUN_LEN {
                let end = run.offset() + run.len as u64;
                self.container.backing.start_writing_out(written_out, end);
                (written_out, waiting) = (end, 0);
            }
            let versions = &mut self.changed_mut(run.group).versions;
            for (index, number, length) in run.each() {
                versions.push(index, staged.sealed.entries[number], length);
            }
        }
        if let [_, .., last] = &staged.runs[..]
            && staged.overwrites
            && waiting > 0
        {
            let (backing, end) = (&self.container.backing, last.offset() + last.len as u64);
            if staged.runs.len() < MANY_RUNS {
                backing.start_writing_out(written_out, end);
            } else {
                self.writing_out = Some(backing.start_writing_out_beside(written_out, end));
            }
        }
        Ok(())
    }

    /// W10, where a batch does not come to it by itself: an overwrite within group 0 waits for the root, which is group
    /// 0's table, before it writes data. Returns whether the root that says so has to be waited for.
    pub(super) fn unsettle_for(&mut self, numbers: &[u64], new_len: u64) -> Result<bool, ContainerError> {
        let comes_by_itself = new_len <= self.root.len
            && numbers.iter().all(|number| place_of(*number).0 == GroupIndex::ROOT)
            && self.overwrites(numbers)?;
        if !self.root.settled || comes_by_itself {
            self.root.settled = false;
            return Ok(false);
        }
        self.root.settled = false;
        self.write_root()?;
        Ok(true)
    }

    /// W2: a short tail is stored in full when its group gets later chunks. Returns the numbers of those tails that are not
    /// among the chunks.
    pub(super) fn short_tails(&self, numbers: &[u64]) -> Result<Vec<u64>, ContainerError> {
        let mut tails = Vec::new();
        for (group, numbers) in by_group(numbers) {
            let Some(table) = self.container.table(group)? else { continue };
            if (table.end as usize).is_multiple_of(CHUNK_LEN) {
                continue;
            }
            let tail = group.chunk_number(table.chunks() - 1);
            if numbers.last().is_some_and(|last| tail < *last) && numbers.binary_search(&tail).is_err() {
                tails.push(tail);
            }
        }
        Ok(tails)
    }

    /// Reads chunks that are not in memory.
    fn read_chunks(&self, numbers: Vec<u64>) -> Result<Vec<(u64, Page)>, ContainerError> {
        let read = |number: u64| {
            let mut page: Page = Box::new([0; CHUNK_LEN]);
            self.read_clean(page.as_mut_slice(), number * CHUNK_LEN as u64)?;
            Ok((number, page))
        };
        numbers.into_iter().map(read).collect()
    }

    /// Whether any of these chunks has stored data, be it of a version that is on its way.
    pub(super) fn overwrites(&self, numbers: &[u64]) -> Result<bool, ContainerError> {
        for (group, numbers) in by_group(numbers) {
            // Often the first group tells, so that the others are not asked for.
            self.will_read_tables(&numbers[..1]);
            let Some(table) = self.container.table(group)? else { continue };
            let versions = self.changed.get(&group.0).map(|changed| &changed.versions);
            let has_data = |number: &u64| {
                let index = place_of(*number).1;
                match versions.filter(|versions| versions.knows(index)) {
                    Some(versions) => versions.of(index).any(|version| !version.entry.is_hole()),
                    None => index < table.chunks() && !table.entries[index].is_hole(),
                }
            };
            if numbers.iter().any(has_data) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives chunks their places in their tables, in memory. Returns them in runs, and the tables to write.
    fn enter(
        &mut self,
        numbers: &[u64],
        new_len: u64,
        ready: Option<&Ready>,
    ) -> Result<(Vec<Run>, BTreeSet<GroupIndex>), ContainerError> {
        let (old_len, ready) = (self.root.len, ready.map_or(0..0, Ready::numbers));
        let mut touched = BTreeSet::new();
        let mut runs: Vec<Run> = Vec::new();
        for (at, number) in numbers.iter().enumerate() {
            let (group, index) = place_of(*number);
            if touched.insert(group) && self.container.table(group)?.is_none() {
                touched.insert(self.create_table(group)?);
            }
            let table = self.table_mut(group)?;
            let before = durable_version(table, index, number * (CHUNK_LEN as u64) < old_len);
            let reach = new_len - group.plaintext_start();
            let end = usize::try_from(reach).unwrap_or(usize::MAX).min((index + 1) * CHUNK_LEN);
            table.end = table.end.max(u32::try_from(end).expect("a group holds at most 262144 bytes"));
            let length = table.stored_len(index);
            self.changed_mut(group).versions.begin(index, before);
            let is_ready = ready.contains(number);
            match runs.last_mut().filter(|run| run.reaches(group, index) && run.is_ready == is_ready) {
                Some(run) => (run.len, run.chunks.end) = (run.len + length, at + 1),
                None => runs.push(Run { group, first: index, len: length, chunks: at..at + 1, is_ready }),
            }
        }
        Ok((runs, touched))
    }
}

/// Splits chunk numbers, which ascend, into those of each group.
pub(super) fn by_group(numbers: &[u64]) -> impl Iterator<Item = (GroupIndex, &[u64])> {
    numbers.chunk_by(|one, next| place_of(*one).0 == place_of(*next).0).map(|numbers| (place_of(numbers[0]).0, numbers))
}

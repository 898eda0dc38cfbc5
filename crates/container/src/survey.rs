//! Reading on after damage: what of a container is still good, and what is not (SPEC.md, "Reading").

mod in_flight;

use std::ops::Range;

use crate::chain::Chain;
use crate::error::{ContainerError, Damage};
use crate::geometry::{CHUNK_LEN, GroupIndex, SizeClaim, size_claim};
use crate::header::Unlocked;
use crate::io::{ReadAt, WriteAt};
use crate::random::Container;
use crate::read::Interrupted;
use crate::table::STREAM;

pub use self::in_flight::{Holds, InFlight, Interruption};

/// Parts that are listed one by one.
const MAX_PARTS: usize = 10_000;

/// A part of the plaintext that is lost, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The lost bytes of the plaintext.
    pub plaintext: Range<u64>,
    /// File offset of what is wrong.
    pub offset: u64,
    /// What is wrong there.
    pub damage: Damage,
}

/// What a survey found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Length that the plaintext has, or had.
    pub plaintext_len: u64,
    /// Bytes of it that verify.
    pub good: u64,
    /// Bytes of it that do not.
    pub lost: u64,
    /// What does not verify, in order, the first 10000 parts; those that lie side by side and have the same kind of damage
    /// are one.
    pub losses: Vec<Loss>,
}

impl Unlocked {
    /// Reads all of a damaged container that can be read, and writes it to `output`, each byte to its place. What is lost is
    /// left as it is there: zeros in a new file.
    ///
    /// Every byte written has been verified by itself. That they all belong to one state of the file is not said: that
    /// takes a container that opens whole ([`Unlocked::open`]).
    ///
    /// # Errors
    /// The root is damaged, without which nothing can be read; reading or writing fails.
    pub fn survey(self, backing: &dyn ReadAt, output: Option<&dyn WriteAt>) -> Result<Survey, ContainerError> {
        let container = Container::open_damaged(self, backing)?;
        let mut survey = Survey { plaintext_len: container.len(), ..Survey::default() };
        let mut group = GroupIndex::ROOT;
        let mut buffer = Vec::new();
        while group.plaintext_start() < container.len() {
            if group.chunk_offset(0) >= container.size() && group != GroupIndex::ROOT {
                let (size, expected) = (container.size(), group.chunk_offset(0) + 1);
                let damage = Damage::Truncated { size, expected };
                survey.lose(Loss { plaintext: group.plaintext_start()..container.len(), offset: size, damage });
                break;
            }
            let end = group.successor().plaintext_start().min(container.len());
            survey.take(&container, group.plaintext_start()..end, &mut buffer, output)?;
            group = group.successor();
        }
        if let Some(output) = output {
            output.set_len(container.len()).map_err(ContainerError::Write)?;
        }
        Ok(survey)
    }
}

impl Survey {
    /// Reads a group's bytes, all at once, or chunk by chunk where that fails.
    fn take(
        &mut self,
        container: &Container<&dyn ReadAt>,
        range: Range<u64>,
        buffer: &mut Vec<u8>,
        output: Option<&dyn WriteAt>,
    ) -> Result<(), ContainerError> {
        let length = usize::try_from(range.end - range.start).expect("a group fits memory");
        buffer.resize(length, 0);
        match container.read_at(buffer, range.start) {
            Ok(_) => {
                self.good += length as u64;
                let is_hole = buffer.iter().all(|byte| *byte == 0);
                match output.filter(|_| !is_hole) {
                    Some(output) => output.write_all_at(buffer, range.start).map_err(ContainerError::Write),
                    None => Ok(()),
                }
            }
            Err(ContainerError::Damaged { offset, .. }) if length > CHUNK_LEN && !is_table(range.start, offset) => {
                let mut start = range.start;
                while start < range.end {
                    let end = range.end.min(start + CHUNK_LEN as u64);
                    self.take(container, start..end, buffer, output)?;
                    start = end;
                }
                Ok(())
            }
            Err(ContainerError::Damaged { offset, damage }) => {
                self.lose(Loss { plaintext: range, offset, damage });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn lose(&mut self, loss: Loss) {
        self.lost += loss.plaintext.end - loss.plaintext.start;
        let same_kind = |one: &Damage, other: &Damage| std::mem::discriminant(one) == std::mem::discriminant(other);
        if let Some(last) = self.losses.last_mut()
            && last.plaintext.end == loss.plaintext.start
            && same_kind(&last.damage, &loss.damage)
        {
            last.plaintext.end = loss.plaintext.end;
        } else if self.losses.len() < MAX_PARTS {
            self.losses.push(loss);
        }
    }
}

/// Whether an offset is that of the table of the group in which a plaintext offset lies: then the whole group is lost.
fn is_table(plaintext: u64, offset: u64) -> bool {
    offset <= GroupIndex::of_plaintext(plaintext).table_offset()
}

impl<B: ReadAt> Container<B> {
    /// Opens a container of which only the root has to verify: sizes may be wrong, and tables missing.
    fn open_damaged(unlocked: Unlocked, backing: B) -> Result<Self, ContainerError> {
        let mut container = Self::new(unlocked, backing);
        let (_, root) = container.load_root(Interrupted::Recover)?;
        container.bounds.settled = false;
        container.len = root.len;
        if root.len == STREAM {
            container.len = match size_claim(container.size()) {
                SizeClaim::Plaintext(len) | SizeClaim::Impossible(len) => len,
            };
        } else if !root.settled && container.recover(Chain::new(&root)).is_err() {
            (container.len, container.runs) = (root.len, None);
        }
        Ok(container)
    }
}

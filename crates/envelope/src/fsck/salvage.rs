//! Saving what is left of a container.

use std::fs::File;
use std::io;
use std::ops::Range;

use waxseal_container::{CHUNK_LEN, ContainerError, ReadAt, Unlocked, WriteAt};

use super::input::Input;
use super::{Finding, Fsck, keep_writers_away};
use crate::EnvelopeError;

/// What was saved, and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvage {
    /// The state of the container. Where it is damaged, its survey says which parts of the output are missing; without a
    /// survey there is no output.
    pub finding: Finding,
    /// Ranges of the file, in bytes, that could not be read from the disk. What stands there counts as damaged.
    pub unreadable: Vec<Range<u64>>,
}

impl Salvage {
    /// Whether the output is all that the container ever held: nothing is damaged, and nothing was unreadable.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unreadable.is_empty() && matches!(self.finding, Finding::Clean { .. })
    }
}

impl Fsck<'_> {
    /// Writes all that verifies to `output`, which is empty, each byte to its place, and leaves holes in it for the rest.
    ///
    /// Every byte written has verified by itself. If the container is damaged they may be of different states of the file.
    /// Pages that the disk does not give count as damaged.
    ///
    /// # Errors
    /// Another process is writing the container; reading or writing fails.
    pub fn salvage(&self, unlocked: &Unlocked, file: &File, output: &dyn WriteAt) -> Result<Salvage, EnvelopeError> {
        keep_writers_away(file)?;
        Ok(self.salvage_from(unlocked, file, output)?)
    }

    pub(super) fn salvage_from(
        &self,
        unlocked: &Unlocked,
        file: &dyn ReadAt,
        output: &dyn WriteAt,
    ) -> Result<Salvage, ContainerError> {
        let input = Input::lenient(file, self.progress);
        let finding = self.diagnose(unlocked, &input, Some(&Sparse(output)))?;
        Ok(Salvage { finding, unreadable: input.unreadable() })
    }
}

/// A new file in which pages of zeros are left out.
struct Sparse<'a>(&'a dyn WriteAt);

impl WriteAt for Sparse<'_> {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            let zero = is_zero(&rest[..CHUNK_LEN.min(rest.len())]);
            let alike: usize = rest.chunks(CHUNK_LEN).take_while(|page| is_zero(page) == zero).map(<[u8]>::len).sum();
            if !zero {
                self.0.write_all_at(&rest[..alike], offset + done as u64)?;
            }
            done += alike;
        }
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }
}

fn is_zero(page: &[u8]) -> bool {
    page.iter().all(|byte| *byte == 0)
}

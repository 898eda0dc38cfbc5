//! Repairing an interrupted container in its place.

use std::fs::File;

use waxseal_container::{Backing, ContainerError, Editor, Interrupted, Interruption, Opened, Sink, Unlocked};

use super::input::Input;
use super::{Damaged, Finding, Fsck};
use crate::EnvelopeError;
use crate::lock::claim;

/// What a repair came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It was clean, and was not touched.
    NotNeeded {
        /// Length of the plaintext in bytes.
        plaintext_len: u64,
    },
    /// It had been interrupted, is clean now, and a full read has confirmed that.
    Done(Interruption),
    /// It is damaged, and was not touched.
    Refused(Damaged),
}

impl Fsck<'_> {
    /// Makes an interrupted container clean, under the file's exclusive lock. `file` is open for reading and writing.
    ///
    /// The content stays what a recovering reader sees. A kill or power cut in the middle leaves an interrupted container
    /// that reads the same. The time of the last change is kept where the caller owns the file: its content did not change.
    ///
    /// # Errors
    /// Another process has it open under a lock; it cannot be locked or written; it is found not to be clean afterwards.
    pub fn repair(&self, unlocked: &Unlocked, file: &File) -> Result<Repair, EnvelopeError> {
        claim(file)?;
        let interruption = match self.diagnose(unlocked, &Input::new(file, self.progress), None)? {
            Finding::Clean { plaintext_len } => return Ok(Repair::NotNeeded { plaintext_len }),
            Finding::Damaged(damaged) => return Ok(Repair::Refused(damaged)),
            Finding::Interrupted(interruption) => interruption,
        };
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        mend(unlocked, file.try_clone().map_err(ContainerError::Write)?)?;
        if let Ok(modified) = modified {
            // Only the owner may set it, and the repair is none the worse without.
            file.set_modified(modified).ok();
        }
        self.confirm(unlocked, file, interruption.plaintext_len)?;
        Ok(Repair::Done(interruption))
    }

    /// Reads a repaired container in full.
    fn confirm(&self, unlocked: &Unlocked, file: &File, expected: u64) -> Result<(), EnvelopeError> {
        let input = Input::new(file, self.progress);
        match self.read(unlocked, &input, Sink::Discard, Interrupted::Refuse) {
            Ok(Opened { plaintext_len, .. }) if plaintext_len == expected => Ok(()),
            Ok(Opened { plaintext_len, .. }) => Err(EnvelopeError::LengthChanged { expected, found: plaintext_len }),
            Err(source) => Err(EnvelopeError::NotClean { source }),
        }
    }
}

/// Repairs and settles.
pub(super) fn mend<B: Backing>(unlocked: &Unlocked, backing: B) -> Result<(), ContainerError> {
    Editor::open(unlocked.clone(), backing)?.settle()
}

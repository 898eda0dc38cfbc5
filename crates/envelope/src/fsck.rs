//! Checking one container: clean, interrupted or damaged; what is to be done about it, and what can be saved.

mod input;
mod repair;
mod salvage;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::num::NonZeroUsize;

use waxseal_container::{
    Container, ContainerError, Damage, Interrupted, Interruption, Opened, ReadAt, Sink, Source, Survey, Unlocked,
    WriteAt,
};

use self::input::Input;
pub use self::repair::Repair;
pub use self::salvage::Salvage;
use crate::EnvelopeError;
use crate::lock::lock_shared;

/// Checks, repairs and salvages containers in files that can be read at any offset.
///
/// The header has been verified by then: an [`Unlocked`] header and the open file belong together. The file should have an
/// open file description of its own here, for the locks that are taken stay until it is closed.
#[derive(Clone, Copy)]
pub struct Fsck<'a> {
    /// Threads that read and verify.
    pub threads: NonZeroUsize,
    /// Told of every read, in bytes. A container that is not clean is read more than once.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// The state in which a container was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Whole and settled: every byte verifies, and all belong to one state.
    Clean {
        /// Length of the plaintext in bytes.
        plaintext_len: u64,
    },
    /// Its last writer was interrupted. Nothing is damaged: every chunk is old or new, and a repair makes it clean.
    Interrupted(Interruption),
    /// It was changed by something else than a writer: a repair would hide that, and so it is never changed.
    Damaged(Damaged),
}

/// What is wrong with a damaged container, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// File offset, in bytes, of what a full read noticed first.
    pub offset: u64,
    /// What is wrong there.
    pub damage: Damage,
    /// Which parts of the plaintext still verify by themselves; `None` if nothing can be read, for the root is damaged.
    ///
    /// It may name no loss at all: of tables that were put back to an older version, and of bytes that were appended, only
    /// a full read knows.
    pub survey: Option<Survey>,
}

impl Fsck<'_> {
    /// Finds out in which state a container is, by a full read; nothing is changed.
    ///
    /// A clean container is read once, without a lock, whoever else has it open. Anything else may be the doing of a writer
    /// that is at work, so the file is locked (shared) then, and looked at again.
    ///
    /// # Errors
    /// Another process is writing it, so that nothing can be said; reading fails.
    pub fn check(&self, unlocked: &Unlocked, file: &File) -> Result<Finding, EnvelopeError> {
        let input = Input::new(file, self.progress);
        match self.read(unlocked, &input, Sink::Discard, Interrupted::Refuse) {
            Ok(Opened { plaintext_len, .. }) => return Ok(Finding::Clean { plaintext_len }),
            Err(ContainerError::Interrupted | ContainerError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        keep_writers_away(file)?;
        Ok(self.diagnose(unlocked, &input, None)?)
    }

    /// Reads all that can be read, to `output` if there is one, and says what was found.
    fn diagnose(
        &self,
        unlocked: &Unlocked,
        input: &dyn ReadAt,
        output: Option<&dyn WriteAt>,
    ) -> Result<Finding, ContainerError> {
        let sink = output.map_or(Sink::Discard, Sink::File);
        let found = self.read(unlocked, input, sink, Interrupted::Recover).and_then(|opened| {
            let Opened { plaintext_len, .. } = opened;
            let interruption = match opened.interrupted {
                true => Container::open(unlocked.clone(), input, Interrupted::Recover)?.interruption()?,
                false => None,
            };
            Ok(interruption.map_or(Finding::Clean { plaintext_len }, Finding::Interrupted))
        });
        match found {
            Err(ContainerError::Damaged { offset, damage }) => {
                let survey = survey(unlocked, input, output)?;
                Ok(Finding::Damaged(Damaged { offset, damage, survey }))
            }
            found => found,
        }
    }

    fn read(
        &self,
        unlocked: &Unlocked,
        input: &dyn ReadAt,
        sink: Sink<'_>,
        interrupted: Interrupted,
    ) -> Result<Opened, ContainerError> {
        unlocked.open(Source::File(input), sink, interrupted, self.threads)
    }
}

/// Looks for what is left of a damaged container, and writes it to `output` if there is one; `None` if nothing is.
fn survey(
    unlocked: &Unlocked,
    input: &dyn ReadAt,
    output: Option<&dyn WriteAt>,
) -> Result<Option<Survey>, ContainerError> {
    if let Some(output) = output {
        // What the full read wrote before it failed is written anew, if it still counts.
        output.set_len(0).map_err(ContainerError::Write)?;
    }
    match unlocked.clone().survey(input, output) {
        Ok(survey) => Ok(Some(survey)),
        Err(ContainerError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks the file against writers, as long as it is open.
fn keep_writers_away(file: &File) -> Result<(), EnvelopeError> {
    match lock_shared(file) {
        Ok(false) => Err(EnvelopeError::InUse),
        // Where there are no locks nobody can be kept away, and reading does no harm.
        Ok(true) | Err(_) => Ok(()),
    }
}

impl fmt::Debug for Fsck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fsck").field("threads", &self.threads).finish_non_exhaustive()
    }
}

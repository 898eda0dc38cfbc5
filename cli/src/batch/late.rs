//! Failures of work that is finished in passing, for instance when the last file of a directory is done.

use std::sync::{Mutex, PoisonError};

use crate::error::CliError;

/// Failures that nobody has told yet.
#[derive(Debug, Default)]
pub(crate) struct Late(Mutex<Vec<CliError>>);

impl Late {
    /// Leaves one.
    pub(crate) fn leave(&self, error: CliError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }

    /// Takes all.
    pub(super) fn take(&self) -> Vec<CliError> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! The embedded KMS at a Unix socket of one's own.

use std::path::PathBuf;

use tokio::runtime::Runtime;
use waxseal_kms_local::Region;
use waxseal_kms_local::model::Operation;
use waxseal_kms_server::ServedKms;
use zeroize::Zeroizing;

use super::failed;
use super::local::asked_region;
use crate::aws::words::Words;
use crate::error::{Class, CliError};
use crate::library_errors;

/// A served KMS in one of its regions, or in its home.
pub(crate) struct Served {
    runtime: Runtime,
    kms: ServedKms,
    region: Option<Region>,
}

impl Served {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The region is none.
    pub(super) fn new(path: PathBuf, words: &Words) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CliError::system(Class::Other, "cannot start", &error))?;
        Ok(Self { runtime, kms: ServedKms::at(path), region: asked_region(words)? })
    }

    /// Performs an operation.
    ///
    /// # Errors
    /// The service refuses, or cannot be reached.
    pub(super) fn call(&self, operation: &Operation, body: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, CliError> {
        let answer = self.runtime.block_on(self.kms.call(self.region.as_ref(), operation.name, body));
        answer.map_err(|error| match error.code() {
            // The client's own word: nobody has answered.
            code if code.is_found_by_the_caller() || std::error::Error::source(&error).is_some() => {
                library_errors::key_service(&error)
            }
            _ => failed(operation.name, &error),
        })
    }
}

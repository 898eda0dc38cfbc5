//! The embedded KMS of a command.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use waxseal_key_service::{ErrorCode, Front, KeyService, KeyServiceError, Provider, Request};
use waxseal_kms_local::{LocalKms, Opened};

use super::{Missing, open_store};
use crate::args::AwsOptions;
use crate::error::CliError;
use crate::library_errors;
use crate::passphrase::Source;

/// The embedded KMS, opened by the first call to it: what fails before needs no store, no passphrase, and makes none.
#[derive(Debug)]
pub(super) struct LazyKms {
    pub(super) directory: PathBuf,
    passphrase: Source,
    missing: Missing,
    aws: AwsOptions,
    opened: OnceLock<Result<LocalKms, CliError>>,
    /// Whether the store was made by this process, and nobody has been told yet.
    pub(super) told: AtomicBool,
}

impl LazyKms {
    /// Nothing is opened yet.
    pub(super) fn new(directory: PathBuf, passphrase: Source, missing: Missing, aws: AwsOptions) -> Self {
        Self { directory, passphrase, missing, aws, opened: OnceLock::new(), told: AtomicBool::new(false) }
    }

    pub(super) fn open(&self) -> Result<&LocalKms, KeyServiceError> {
        // The error would be the same for every file, so it ends a batch.
        let opened = self.opened.get_or_init(|| self.try_open().map_err(CliError::fatal));
        opened.as_ref().map_err(|error| {
            KeyServiceError::new(ErrorCode::KeyUnavailable, "The key store cannot be opened.")
                .with_source(error.clone())
        })
    }

    fn try_open(&self) -> Result<LocalKms, CliError> {
        let opened = open_store(&self.directory, self.missing, &self.passphrase, &self.aws);
        let opened = opened.map_err(|error| library_errors::store(&error))?;
        if let Opened::Created(_) = &opened {
            self.told.store(true, Ordering::Relaxed);
        }
        Ok(opened.into_kms())
    }
}

#[async_trait]
impl Front for LazyKms {
    fn provider(&self) -> Provider {
        Provider::Local
    }

    async fn behind(&self, _request: Request) -> Result<&dyn KeyService, KeyServiceError> {
        self.open().map(|kms| kms as &dyn KeyService)
    }
}

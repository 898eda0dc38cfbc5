//! The key services of a command: opened when one is first needed, once, whatever the number of files and threads.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use tokio::runtime::{Handle, Runtime};
use waxseal_container::{Header, Sealer};
use waxseal_envelope::{Envelope, EnvelopeError, NewContainer, OpenedBy, Reading};
use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, ErrorCode, GeneratedDataKey, KeyArn, KeyId, KeyReference, KeyService,
    KeyServiceError, Provider,
};
use waxseal_kms_local::{CreateOptions, LocalKms, Opened, Passphrase};

use crate::args::{Common, PassphraseOptions};
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::library_errors;
use crate::output::Console;
use crate::passphrase::{Purpose, Source};
use crate::shown::shown;

/// What the command does if there is no key store yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is made: the command needs a new data key.
    Create,
    /// It is an error: the command only reads.
    Refuse,
}

/// The key services of a command, with what it takes to call them.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    runtime: Runtime,
    envelope: Envelope,
    local: Arc<LazyKms>,
    resolved: OnceLock<Result<KeyArn, CliError>>,
    console: &'a Console,
}

impl<'a> Session<'a> {
    /// Prepares a session; nothing is opened yet.
    pub(crate) fn new(
        common: &Common,
        passphrase: &PassphraseOptions,
        missing: Missing,
        console: &'a Console,
    ) -> Result<Self, CliError> {
        Self::with(tokio::runtime::Builder::new_current_thread(), common, passphrase, missing, console)
    }

    /// Prepares a session that goes on answering while the threads of a mount ask: requests run on `workers` of its own.
    pub(crate) fn serving(
        common: &Common,
        passphrase: &PassphraseOptions,
        missing: Missing,
        workers: usize,
        console: &'a Console,
    ) -> Result<Self, CliError> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(workers).thread_name("keys");
        Self::with(builder, common, passphrase, missing, console)
    }

    fn with(
        mut builder: tokio::runtime::Builder,
        common: &Common,
        passphrase: &PassphraseOptions,
        missing: Missing,
        console: &'a Console,
    ) -> Result<Self, CliError> {
        let runtime = builder.build().map_err(|error| CliError::system(Class::Other, "cannot start", &error))?;
        let local = Arc::new(LazyKms {
            directory: Home::find(common.home.as_deref())?.kms(),
            passphrase: store_passphrase(passphrase),
            missing,
            opened: OnceLock::new(),
            told: AtomicBool::new(false),
        });
        let envelope = Envelope::new(vec![Arc::clone(&local) as Arc<dyn KeyService>]);
        Ok(Self { runtime, envelope, local, resolved: OnceLock::new(), console })
    }

    /// The key that new containers are made under: found once, the same for all of them.
    pub(crate) fn resolve(&self, reference: &KeyReference) -> Result<KeyArn, CliError> {
        self.resolved.get_or_init(|| self.find(reference)).clone()
    }

    /// Finds a key, and opens the key store for that if it is not open yet.
    pub(crate) fn find(&self, reference: &KeyReference) -> Result<KeyArn, CliError> {
        if reference.provider != Provider::Local {
            return Err(CliError::new(Class::KeyRefused, format!("{reference}: keys of AWS KMS cannot be used yet"))
                .hint("name a key of the embedded KMS, or leave -k out")
                .fatal());
        }
        let resolved = self.wait(self.local.resolve_key(&reference.key));
        self.tell();
        resolved.map_err(|error| {
            let source = library_errors::key_service(&error);
            if error.code() == ErrorCode::NotFound { self.name_regions(source, reference) } else { source }.fatal()
        })
    }

    /// Opens the key store now, where it would be opened by the first request: a passphrase is asked for now.
    pub(crate) fn open_store(&self) -> Result<(), CliError> {
        let opened = self.local.open().map(|_| ());
        self.tell();
        opened.map_err(|error| library_errors::key_service(&error))
    }

    /// What makes and opens envelopes with the key services of this session, from any thread.
    pub(crate) fn envelope(&self) -> Envelope {
        self.envelope.clone()
    }

    /// Where requests run that do not answer at once. It ends with the session.
    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// Has a data key made for a new container.
    pub(crate) fn make(&self, new: &NewContainer) -> Result<Sealer, EnvelopeError> {
        self.wait(self.envelope.make(new))
    }

    /// Has a container's data key decrypted.
    pub(crate) fn open(&self, header: Header, reading: &Reading) -> Result<OpenedBy, EnvelopeError> {
        self.wait(self.envelope.open(header, reading))
    }

    /// Runs a request. The embedded KMS answers it within the first poll, and the runtime's own waiting, which costs more
    /// than that answer, is left to those that do not.
    fn wait<T>(&self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        let polled = {
            let _context = self.runtime.enter();
            request.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        match polled {
            Poll::Ready(answer) => answer,
            Poll::Pending => self.runtime.block_on(request),
        }
    }

    /// Says where the keys are, if the store was made just now.
    fn tell(&self) {
        if self.local.told.swap(false, Ordering::Relaxed) {
            say_created(self.console, &self.local.directory);
        }
    }

    /// Adds the regions in which an alias does exist.
    fn name_regions(&self, error: CliError, reference: &KeyReference) -> CliError {
        let (KeyId::Alias(name) | KeyId::AliasArn { name, .. }) = &reference.key else { return error };
        let regions = self.local.open().ok().and_then(|kms| kms.regions_with_alias(name).ok()).unwrap_or_default();
        match regions.first() {
            Some(region) => error.hint(format!(
                "region {region} has it: -k arn:aws:kms:{region}:{}:{name}",
                waxseal_key_service::LOCAL_ACCOUNT
            )),
            None => error,
        }
    }
}

/// The embedded KMS, opened by the first call to it: what fails before needs no store, no passphrase, and makes none.
#[derive(Debug)]
struct LazyKms {
    directory: PathBuf,
    passphrase: Source,
    missing: Missing,
    opened: OnceLock<Result<LocalKms, CliError>>,
    /// Whether the store was made by this process, and nobody has been told yet.
    told: AtomicBool,
}

impl LazyKms {
    fn open(&self) -> Result<&LocalKms, KeyServiceError> {
        // The error would be the same for every file, so it ends a batch.
        let opened = self.opened.get_or_init(|| self.try_open().map_err(CliError::fatal));
        opened.as_ref().map_err(|error| {
            KeyServiceError::new(ErrorCode::KeyUnavailable, "The key store cannot be opened.")
                .with_source(error.clone())
        })
    }

    fn try_open(&self) -> Result<LocalKms, CliError> {
        let mut passphrase = || ask(&self.passphrase, Purpose::Open).map_err(Into::into);
        let opened = match self.missing {
            Missing::Refuse => LocalKms::open(&self.directory, &mut passphrase).map(Opened::Existing),
            Missing::Create => LocalKms::open_or_create(&self.directory, &CreateOptions::default(), &mut passphrase),
        };
        let opened = opened.map_err(|error| library_errors::store(&error))?;
        if let Opened::Created(_) = &opened {
            self.told.store(true, Ordering::Relaxed);
        }
        Ok(opened.into_kms())
    }
}

#[async_trait]
impl KeyService for LazyKms {
    fn provider(&self) -> Provider {
        Provider::Local
    }

    async fn resolve_key(&self, key: &KeyId) -> Result<KeyArn, KeyServiceError> {
        KeyService::resolve_key(self.open()?, key).await
    }

    async fn generate_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<GeneratedDataKey, KeyServiceError> {
        KeyService::generate_data_key(self.open()?, key, context).await
    }

    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        KeyService::generate_data_key_without_plaintext(self.open()?, key, context).await
    }

    async fn encrypt_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        KeyService::encrypt_data_key(self.open()?, key, context, data_key).await
    }

    async fn decrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<DataKey, KeyServiceError> {
        KeyService::decrypt_data_key(self.open()?, encrypted, context).await
    }
}

/// Where the passphrase of the store comes from.
pub(crate) fn store_passphrase(options: &PassphraseOptions) -> Source {
    Source::choose(options.passphrase_file.as_deref(), options.passphrase_command.as_deref())
}

/// Gets the passphrase of the store.
pub(crate) fn ask(source: &Source, purpose: Purpose) -> Result<Passphrase, CliError> {
    let bytes = source.get("the key store", purpose)?;
    Passphrase::new(bytes).map_err(|error| library_errors::store(&error))
}

/// Says where the keys are from now on, and that they need a backup.
pub(crate) fn say_created(console: &Console, directory: &Path) {
    console.note(
        &format!("made a key store in {}", shown(&directory.to_string_lossy())),
        Some("without it nothing encrypted here can be opened: back it up with 'waxseal kms backup FILE'"),
    );
}

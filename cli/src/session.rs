//! The key services of a command: opened when one is first needed, once, whatever the number of files and threads.

#[cfg(feature = "aws")]
mod aws;
mod local;
mod served;
mod store;

use std::fs::File;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Runtime};
use waxseal_container::{CHUNK_LEN, Filling, Header, Sealer};
use waxseal_envelope::{Envelope, EnvelopeError, NewContainer, Reading, Rewrap, Rewrapped};
use waxseal_key_service::{ErrorCode, KeyArn, KeyId, KeyReference, KeyService, Provider};
use waxseal_kms_local::Passphrase;

use self::local::LazyKms;
pub(crate) use self::store::{generate, open_store, unseal};
use crate::args::{AwsOptions, PassphraseOptions};
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::library_errors;
use crate::output::Console;
use crate::passphrase::{Purpose, Source, Whose};
use crate::shown::shown;

/// What the command does if there is no key store yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is made: the command needs a new data key.
    Create,
    /// It is an error: the command only reads.
    Refuse,
}

/// How far the requests of a command may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To the embedded KMS only, which answers at once.
    Machine,
    /// To AWS KMS too: others go on while some wait.
    Network,
}

/// What a session is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    /// Where state is.
    pub(crate) home: &'a Home,
    /// Where the passphrase of the store comes from.
    pub(crate) passphrase: &'a PassphraseOptions,
    /// How AWS KMS is spoken to.
    pub(crate) aws: &'a AwsOptions,
    /// What is done if there is no key store yet.
    pub(crate) missing: Missing,
    /// How far requests may go.
    pub(crate) reach: Reach,
}

impl Setup<'_> {
    /// Whether every request is answered within this process: by the embedded KMS, on its store.
    pub(crate) fn answers_at_once(&self) -> Result<bool, CliError> {
        Ok(self.reach == Reach::Machine && self.aws.kms_place()?.is_none())
    }
}

/// The key services of a command, with what it takes to call them.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    runtime: Runtime,
    envelope: Envelope,
    /// The key store of this user, unless the embedded KMS is served elsewhere.
    local: Option<Arc<LazyKms>>,
    console: &'a Console,
}

/// Threads on which the requests run that do not answer at once.
const WORKERS: usize = 2;

impl<'a> Session<'a> {
    /// Prepares a session; nothing is opened yet, and no configuration of AWS is read.
    pub(crate) fn new(setup: &Setup<'_>, console: &'a Console) -> Result<Self, CliError> {
        if setup.answers_at_once()? {
            Self::with(Builder::new_current_thread(), setup, console)
        } else {
            Self::serving(setup, console)
        }
    }

    /// Prepares a session that goes on answering while threads ask: requests run on workers of its own.
    pub(crate) fn serving(setup: &Setup<'_>, console: &'a Console) -> Result<Self, CliError> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(WORKERS).thread_name("keys").enable_all();
        Self::with(builder, setup, console)
    }

    fn with(mut builder: Builder, setup: &Setup<'_>, console: &'a Console) -> Result<Self, CliError> {
        let runtime = builder.build().map_err(|error| CliError::system(Class::Other, "cannot start", &error))?;
        let (local, embedded): (_, Arc<dyn KeyService>) = match setup.aws.kms_place()? {
            Some(place) => (None, served::service(place, setup.aws)?),
            None => {
                let passphrase = store_passphrase(setup.passphrase);
                let local = LazyKms::new(setup.home.kms(), passphrase, setup.missing, setup.aws.clone());
                let local = Arc::new(local);
                (Some(Arc::clone(&local)), local)
            }
        };
        // In this order they are asked for the key of a file.
        let services = [Some(embedded), aws_service(setup.aws)?];
        let envelope = Envelope::new(services.into_iter().flatten().collect());
        Ok(Self { runtime, envelope, local, console })
    }

    /// Has every encrypted data key that is made decrypted again before anything is written.
    pub(crate) fn proving_keys(self) -> Self {
        Self { envelope: self.envelope.proving(), ..self }
    }

    /// Finds keys, by their ARNs; one that is named twice is found once.
    pub(crate) fn find_all<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k KeyReference>,
    ) -> Result<Vec<KeyReference>, CliError> {
        let mut found = Vec::new();
        for key in keys {
            let key = self.find(key)?;
            if !found.contains(&key) {
                found.push(key);
            }
        }
        Ok(found)
    }

    /// Finds a key, and opens the key store for that if it is not open yet.
    pub(crate) fn find(&self, reference: &KeyReference) -> Result<KeyReference, CliError> {
        let Some(service) = self.envelope.service(reference.provider) else {
            return Err(CliError::new(
                Class::KeyRefused,
                format!("{reference}: this waxseal was built without AWS KMS"),
            )
            .hint("name a key of the embedded KMS, or use a waxseal that was built with the feature aws")
            .fatal());
        };
        let resolved = self.wait(service.resolve_key(&reference.key));
        self.tell();
        match resolved {
            Ok(arn) => Ok(KeyReference { provider: reference.provider, key: KeyId::Arn(arn) }),
            Err(error) => {
                let source = library_errors::key_service(&error);
                let is_local = reference.provider == Provider::Local;
                let missing = is_local && error.code() == ErrorCode::NotFound;
                Err(if missing { self.name_regions(source, reference) } else { source }.fatal())
            }
        }
    }

    /// Opens the key store now, where it would be opened by the first request: a passphrase is asked for now.
    #[cfg(feature = "fuse")]
    pub(crate) fn open_store(&self) -> Result<(), CliError> {
        let Some(local) = &self.local else { return Ok(()) };
        let opened = local.open().map(|_| ());
        self.tell();
        opened.map_err(|error| library_errors::key_service(&error))
    }

    /// What makes and opens envelopes with the key services of this session, from any thread.
    pub(crate) fn envelope(&self) -> Envelope {
        self.envelope.clone()
    }

    /// Where requests run that do not answer at once. It ends with the session.
    #[cfg(feature = "fuse")]
    pub(crate) fn runtime(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }

    /// Has a data key made for a new container.
    pub(crate) fn make(&self, new: &NewContainer) -> Result<Sealer, EnvelopeError> {
        self.wait(self.envelope.make(new))
    }

    /// Has a data key generated that nobody here sees, for a prepared container.
    pub(crate) fn prepare(&self, new: &NewContainer) -> Result<[u8; CHUNK_LEN], EnvelopeError> {
        self.wait(self.envelope.prepare(new))
    }

    /// Has a prepared container's data key decrypted.
    pub(crate) fn fill(&self, header: Header, reading: &Reading) -> Result<(Filling, KeyArn), EnvelopeError> {
        self.wait(self.envelope.fill(header, reading))
    }

    /// Gives a container other keys.
    pub(crate) fn rewrap(&self, file: &File, rewrap: &Rewrap) -> Result<Rewrapped, EnvelopeError> {
        self.wait(self.envelope.rewrap(file, rewrap))
    }

    /// Runs a request. The embedded KMS answers it within the first poll, and the runtime's own waiting, which costs more
    /// than that answer, is left to those that do not.
    pub(crate) fn wait<T>(&self, request: impl Future<Output = T>) -> T {
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
        if let Some(local) = &self.local
            && local.told.swap(false, Ordering::Relaxed)
        {
            say_created(self.console, &local.directory);
        }
    }

    /// Adds the regions in which an alias does exist.
    fn name_regions(&self, error: CliError, reference: &KeyReference) -> CliError {
        let (KeyId::Alias(name) | KeyId::AliasArn { name, .. }) = &reference.key else { return error };
        let store = self.local.as_ref().and_then(|local| local.open().ok());
        let regions = store.and_then(|kms| kms.regions_with_alias(name).ok()).unwrap_or_default();
        match regions.first() {
            Some(region) => error.hint(format!(
                "region {region} has it: -k arn:aws:kms:{region}:{}:{name}",
                waxseal_key_service::LOCAL_ACCOUNT
            )),
            None => error,
        }
    }
}

/// AWS KMS, to be set up when it is first needed.
#[cfg(feature = "aws")]
fn aws_service(options: &AwsOptions) -> Result<Option<Arc<dyn KeyService>>, CliError> {
    Ok(Some(Arc::new(aws::LazyAws::new(aws::options(options)?))))
}

/// There is none.
#[cfg(not(feature = "aws"))]
fn aws_service(_options: &AwsOptions) -> Result<Option<Arc<dyn KeyService>>, CliError> {
    Ok(None)
}

/// The options of AWS KMS as they were typed, checked.
#[cfg(feature = "aws")]
pub(crate) fn aws_options(options: &AwsOptions) -> Result<waxseal_kms_aws::AwsKmsOptions, CliError> {
    aws::options(options)
}

/// Requests to AWS KMS that may be under way at once.
#[cfg(feature = "aws")]
pub(crate) fn concurrency(options: &AwsOptions) -> usize {
    options.kms_concurrency.map_or(waxseal_kms_aws::AwsKmsOptions::CONCURRENCY.get(), usize::from)
}

/// There are none.
#[cfg(not(feature = "aws"))]
pub(crate) fn concurrency(_options: &AwsOptions) -> usize {
    1
}

/// Where the passphrase of the store comes from.
pub(crate) fn store_passphrase(options: &PassphraseOptions) -> Source {
    Source::choose(options.passphrase_file.as_deref(), options.passphrase_command.as_deref())
}

/// Gets the passphrase of the store.
pub(crate) fn ask(source: &Source, purpose: Purpose) -> Result<Passphrase, CliError> {
    let bytes = source.get(Whose::Store, purpose)?;
    Passphrase::new(bytes).map_err(|error| library_errors::store(&error))
}

/// Says where the keys are from now on, and that they need a backup.
pub(crate) fn say_created(console: &Console, directory: &Path) {
    console.note(
        &format!("made a key store in {}", shown(&directory.to_string_lossy())),
        Some("without it nothing encrypted here can be opened: back it up with 'waxseal kms backup FILE'"),
    );
}

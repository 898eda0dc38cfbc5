//! Making and opening envelopes.

use std::sync::Arc;

use futures_util::future::try_join_all;
use waxseal_container::{ContainerError, Core, Header, Sealer, State, Suite, Unlocked};
use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, ErrorCode, KeyArn, KeyId, KeyReference, KeyService, KeyServiceError,
    Provider,
};

use crate::candidates::candidates;
use crate::{EnvelopeError, Reading};

/// The key services at hand.
#[derive(Clone)]
pub struct Envelope {
    services: Vec<Arc<dyn KeyService>>,
    /// Whether every encrypted data key is decrypted again before it is used.
    pub(crate) proves: bool,
}

/// What a new container is to be.
#[derive(Clone, Debug)]
pub struct NewContainer {
    /// The keys that are to open it, one at least: the first one's service generates the data key, and the others' encrypt
    /// it as well. A key that is there twice counts once.
    pub keys: Vec<KeyReference>,
    /// The user's encryption context.
    pub context: EncryptionContext,
    /// The cipher suite.
    pub suite: Suite,
    /// When it was made, in seconds since 1970-01-01 UTC; left out where that is nobody's business.
    pub created: Option<u64>,
}

impl NewContainer {
    /// A container for these keys, without a context, in the default suite, that does not say when it was made.
    #[must_use]
    pub fn new(keys: Vec<KeyReference>) -> Self {
        Self { keys, context: EncryptionContext::new(), suite: Suite::default(), created: None }
    }
}

/// An opened header, and the key that opened it.
#[derive(Clone, Debug)]
pub struct OpenedBy {
    /// The header, with the keys to the content.
    pub unlocked: Unlocked,
    /// The KMS key that its data key was encrypted under.
    pub key_arn: KeyArn,
    /// The key service that decrypted it.
    pub provider: Provider,
}

impl Envelope {
    /// Works with these key services, at most one of a provider.
    #[must_use]
    pub fn new(services: Vec<Arc<dyn KeyService>>) -> Self {
        Self { services, proves: false }
    }

    /// Has a data key generated for a new container, and encrypted under each of its keys.
    ///
    /// # Errors
    /// The context does not fit a container; a key service refuses or cannot be reached; the encrypted data keys do not fit
    /// the header, or are found not to open it; no key is named. A container is made for all its keys or not at all.
    pub async fn make(&self, new: &NewContainer) -> Result<Sealer, EnvelopeError> {
        let core = Core::new(new.suite, new.context.clone(), new.created)?;
        let context = core.key_service_context();
        let (first, others) = new.keys.split_first().ok_or(EnvelopeError::NoKey)?;
        let service = self.service_of(first)?;
        let generated =
            service.generate_data_key(&first.key, &context).await.map_err(|source| refused(first, source))?;
        let encrypting = others.iter().map(|key| self.encrypt(key, &context, &generated.plaintext));
        let further = try_join_all(encrypting).await?;
        let mut keys = vec![generated.encrypted];
        for key in further {
            if keys.iter().all(|known| (known.provider, &known.key_arn) != (key.provider, &key.key_arn)) {
                keys.push(key);
            }
        }
        let sealer = Sealer::new(core, &keys, &generated.plaintext)?;
        self.prove(sealer.unlocked().header(), &keys).await?;
        Ok(sealer)
    }

    async fn encrypt(
        &self,
        key: &KeyReference,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, EnvelopeError> {
        let encrypted = self.service_of(key)?.encrypt_data_key(&key.key, context, data_key).await;
        encrypted.map_err(|source| refused(key, source))
    }

    /// Has a container's data key decrypted and verifies its header with it.
    ///
    /// The demands of `reading` are checked first, and without any call. The services are asked in their order, each for the
    /// allowed ones of its keys.
    ///
    /// # Errors
    /// The container is prepared only or damaged; its context is not as asserted; no key may be used, or every key service
    /// refuses or cannot be reached. Of several refusals a passing one is reported, else the first.
    pub async fn open(&self, header: Header, reading: &Reading) -> Result<OpenedBy, EnvelopeError> {
        if header.state() == State::Prepared {
            return Err(ContainerError::Prepared.into());
        }
        let (unlocked, encrypted) = self.with_data_key(header, reading, Header::unlock).await?;
        Ok(OpenedBy { unlocked, key_arn: encrypted.key_arn, provider: encrypted.provider })
    }

    /// Has a container's data key decrypted and gives it to `act`; where `act` refuses it, the next one is tried. The
    /// encrypted data key that it was is returned too.
    pub(crate) async fn with_data_key<T>(
        &self,
        header: Header,
        reading: &Reading,
        act: impl Fn(Header, &DataKey) -> Result<T, ContainerError>,
    ) -> Result<(T, EncryptedDataKey), EnvelopeError> {
        reading.context.iter().try_for_each(|assertion| assertion.check(header.core().context()))?;
        let context = header.core().key_service_context();
        let mut refusals = Vec::new();
        let mut tried = 0;
        for service in &self.services {
            let (keys, unresolved) = candidates(service.as_ref(), &header, &reading.keys).await;
            refusals.extend(unresolved);
            tried += keys.len();
            for encrypted in keys {
                match service.decrypt_data_key(&encrypted, &context).await {
                    Ok(data_key) => match act(header.clone(), &data_key) {
                        Ok(done) => return Ok((done, encrypted.into_owned())),
                        // Whoever put this key into a slot does not take the others away.
                        Err(error) => refusals.push(error.into()),
                    },
                    Err(error) => refusals.push(decrypt_refused(&encrypted, error)),
                }
            }
        }
        Err(reported(refusals, &header, tried))
    }

    /// The key service of a provider, if there is one.
    #[must_use]
    pub fn service(&self, provider: Provider) -> Option<&Arc<dyn KeyService>> {
        self.services.iter().find(|service| service.provider() == provider)
    }

    /// All of them, in the order in which they are asked.
    pub(crate) fn services(&self) -> &[Arc<dyn KeyService>] {
        &self.services
    }

    pub(crate) fn service_of(&self, key: &KeyReference) -> Result<&Arc<dyn KeyService>, EnvelopeError> {
        self.service(key.provider).ok_or_else(|| refused(key, not_configured(key.provider)))
    }
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.services.iter().map(|service| service.provider())).finish()
    }
}

pub(crate) fn not_configured(provider: Provider) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::NotFound, format!("no key service of kind {provider} is set up here"))
}

pub(crate) fn refused(key: &KeyReference, source: KeyServiceError) -> EnvelopeError {
    EnvelopeError::KeyService { key: key.to_string(), source }
}

/// The one refusal that is worth knowing: one that may pass, else the first. That a store lacks the only key it was asked
/// for says less than that there are keys which nobody was asked for.
pub(crate) fn reported(mut refusals: Vec<EnvelopeError>, header: &Header, tried: usize) -> EnvelopeError {
    let keys = header.encrypted_data_keys();
    let is_elsewhere = |error: &EnvelopeError| match error {
        EnvelopeError::KeyService { source, .. } => source.code() == ErrorCode::NotFound,
        _ => false,
    };
    if refusals.is_empty() || tried > 0 && tried < keys.len() && refusals.iter().all(is_elsewhere) {
        return EnvelopeError::NoUsableKey {
            keys: keys.iter().map(|key| (key.provider, key.key_arn.clone())).collect(),
        };
    }
    let passing = refusals.iter().position(|error| match error {
        EnvelopeError::KeyService { source, .. } => source.code().is_transient(),
        _ => false,
    });
    refusals.swap_remove(passing.unwrap_or(0))
}

pub(crate) fn decrypt_refused(encrypted: &EncryptedDataKey, source: KeyServiceError) -> EnvelopeError {
    let key = encrypted.key_arn.clone();
    match source.code() {
        // The blob and the context, which holds the file id, are both from the header.
        ErrorCode::InvalidCiphertext | ErrorCode::IncorrectKey => EnvelopeError::DataKeyRefused { key, source },
        _ => refused(&KeyReference { provider: encrypted.provider, key: KeyId::Arn(key) }, source),
    }
}

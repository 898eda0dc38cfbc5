//! Making and opening envelopes.

use std::sync::Arc;

use waxseal_container::{ContainerError, Core, Header, Sealer, State, Suite, Unlocked};
use waxseal_key_service::{
    EncryptedDataKey, EncryptionContext, ErrorCode, KeyArn, KeyId, KeyReference, KeyService, KeyServiceError, Provider,
};

use crate::{EnvelopeError, Reading};

/// The key services at hand.
#[derive(Clone)]
pub struct Envelope {
    services: Vec<Arc<dyn KeyService>>,
}

/// What a new container is to be.
#[derive(Clone, Debug)]
pub struct NewContainer {
    /// The key that its data key is made under.
    pub key: KeyReference,
    /// The user's encryption context.
    pub context: EncryptionContext,
    /// The cipher suite.
    pub suite: Suite,
    /// When it was made, in seconds since 1970-01-01 UTC; left out where that is nobody's business.
    pub created: Option<u64>,
}

/// An opened header, and the key that opened it.
#[derive(Debug)]
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
        Self { services }
    }

    /// Has a data key generated for a new container.
    ///
    /// # Errors
    /// The context does not fit a container; the key service refuses or cannot be reached; its encrypted data key does not
    /// fit the header.
    pub async fn make(&self, new: &NewContainer) -> Result<Sealer, EnvelopeError> {
        let core = Core::new(new.suite, new.context.clone(), new.created)?;
        let refused = |source| EnvelopeError::KeyService { key: new.key.to_string(), source };
        let service = self.service(new.key.provider).ok_or_else(|| refused(not_configured(new.key.provider)))?;
        let generated = service.generate_data_key(&new.key.key, &core.key_service_context()).await.map_err(refused)?;
        Ok(Sealer::new(core, &[generated.encrypted], &generated.plaintext)?)
    }

    /// Has a container's data key decrypted and verifies its header with it.
    ///
    /// The demands of `reading` are checked first, and without any call. The embedded KMS is tried before others.
    ///
    /// # Errors
    /// The container is prepared only or damaged; its context is not as asserted; no key may be used, or every key service
    /// refuses or cannot be reached. Of several refusals a passing one is reported, else the first.
    pub async fn open(&self, header: Header, reading: &Reading) -> Result<OpenedBy, EnvelopeError> {
        if header.state() == State::Prepared {
            return Err(ContainerError::Prepared.into());
        }
        reading.context.iter().try_for_each(|assertion| assertion.check(header.core().context()))?;
        let context = header.core().key_service_context();
        let reading = self.resolve_aliases(reading).await?;
        let mut refusal: Option<EnvelopeError> = None;
        for (service, encrypted) in self.candidates(&header, &reading) {
            match service.decrypt_data_key(encrypted, &context).await {
                Ok(data_key) => match header.clone().unlock(&data_key) {
                    Ok(unlocked) => {
                        let (key_arn, provider) = (encrypted.key_arn.clone(), encrypted.provider);
                        return Ok(OpenedBy { unlocked, key_arn, provider });
                    }
                    // Whoever put this key into a slot does not take the others away.
                    Err(error) => refusal = refusal.or(Some(error.into())),
                },
                Err(error) if refusal.is_none() || error.code().is_transient() => {
                    refusal = Some(decrypt_refused(encrypted, error));
                }
                Err(_) => {}
            }
        }
        Err(refusal.unwrap_or_else(|| EnvelopeError::NoUsableKey {
            keys: header.encrypted_data_keys().iter().map(|key| (key.provider, key.key_arn.clone())).collect(),
        }))
    }

    /// The container's keys that may be used, with their services, in the order of the services.
    fn candidates<'a>(
        &'a self,
        header: &'a Header,
        reading: &'a Reading,
    ) -> impl Iterator<Item = (&'a Arc<dyn KeyService>, &'a EncryptedDataKey)> {
        self.services.iter().flat_map(move |service| {
            let usable = move |key: &&EncryptedDataKey| key.provider == service.provider() && reading.allows(key);
            header.encrypted_data_keys().iter().filter(usable).map(move |key| (service, key))
        })
    }

    /// Replaces aliases among the keys that a reader allows by the keys that they stand for.
    async fn resolve_aliases(&self, reading: &Reading) -> Result<Reading, EnvelopeError> {
        let mut resolved = reading.clone();
        for reference in &mut resolved.keys {
            if matches!(reference.key, KeyId::Alias(_) | KeyId::AliasArn { .. }) {
                let refused = |source| EnvelopeError::KeyService { key: reference.to_string(), source };
                let service =
                    self.service(reference.provider).ok_or_else(|| refused(not_configured(reference.provider)))?;
                let arn = service.resolve_key(&reference.key).await.map_err(refused)?;
                reference.key = KeyId::Arn(arn);
            }
        }
        Ok(resolved)
    }

    fn service(&self, provider: Provider) -> Option<&Arc<dyn KeyService>> {
        self.services.iter().find(|service| service.provider() == provider)
    }
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.services.iter().map(|service| service.provider())).finish()
    }
}

fn not_configured(provider: Provider) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::NotFound, format!("no key service of kind {provider} is set up here"))
}

fn decrypt_refused(encrypted: &EncryptedDataKey, source: KeyServiceError) -> EnvelopeError {
    let key = encrypted.key_arn.clone();
    match source.code() {
        // The blob and the context, which holds the file id, are both from the header.
        ErrorCode::InvalidCiphertext | ErrorCode::IncorrectKey => EnvelopeError::DataKeyRefused { key, source },
        _ => EnvelopeError::KeyService { key: key.to_string(), source },
    }
}

//! Whether encrypted data keys open what they are for: found out by having them decrypted.

use futures_util::future::try_join_all;
use waxseal_container::{Header, State};
use waxseal_key_service::{DataKey, EncryptedDataKey, EncryptionContext, KeyId, KeyReference, KeyService};

use crate::envelope::{decrypt_refused, not_configured, refused};
use crate::{Envelope, EnvelopeError};

impl Envelope {
    /// Has every encrypted data key that a key service gives decrypted again before it is used. A key service that answered with
    /// a wrong one, or an answer that was changed on its way, is an error then, where it would else be a file that does not
    /// open. That is one Decrypt more for each key, and takes the right to it. Prepared containers are made without:
    /// who makes them may not decrypt.
    #[must_use]
    pub fn proving(mut self) -> Self {
        self.proves = true;
        self
    }

    /// Has each of these encrypted data keys decrypted, and verifies that it is the one of this container. Nothing is asked
    /// unless that is wanted.
    pub(crate) async fn prove(&self, header: &Header, keys: &[EncryptedDataKey]) -> Result<(), EnvelopeError> {
        if !self.proves {
            return Ok(());
        }
        let context = header.core().key_service_context();
        try_join_all(keys.iter().map(|key| self.proven(header, key, &context))).await?;
        Ok(())
    }

    async fn proven(
        &self,
        header: &Header,
        key: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<(), EnvelopeError> {
        let named = || KeyReference { provider: key.provider, key: KeyId::Arn(key.key_arn.clone()) };
        let service = self.service(key.provider).ok_or_else(|| refused(&named(), not_configured(key.provider)))?;
        match verified_data_key(service.as_ref(), key, header, context).await {
            Ok(_) => Ok(()),
            Err(error @ EnvelopeError::KeyService { .. }) => Err(error),
            Err(_) => Err(EnvelopeError::WrongDataKey { key: key.key_arn.clone() }),
        }
    }
}

/// Has the data key decrypted, and verifies that it is the one of this container. A prepared container has no tag that would
/// say so, and its context alone vouches for it.
pub(crate) async fn verified_data_key(
    service: &dyn KeyService,
    source: &EncryptedDataKey,
    header: &Header,
    context: &EncryptionContext,
) -> Result<DataKey, EnvelopeError> {
    let decrypted = service.decrypt_data_key(source, context).await;
    let data_key = decrypted.map_err(|error| decrypt_refused(source, error))?;
    if header.state() == State::Filled {
        header.clone().unlock(&data_key)?;
    }
    Ok(data_key)
}

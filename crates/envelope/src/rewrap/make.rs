//! How a data key gets under other KMS keys.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::try_join_all;
use waxseal_container::Header;
use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, KeyId, KeyReference, KeyService, KeyServiceError, Provider,
};

use super::KeyName;
use crate::candidates::candidates;
pub(super) use crate::envelope::decrypt_refused;
use crate::envelope::{not_configured, refused, reported};
use crate::proof::verified_data_key;
use crate::{Envelope, EnvelopeError, Reading};

/// A key of a container that may be asked for its data key, and the service that has it.
type SourceKey<'a> = (&'a Arc<dyn KeyService>, Cow<'a, EncryptedDataKey>);

impl Envelope {
    /// The keys of a container that may be asked, one at least. Nobody is asked about any other one.
    pub(super) async fn sources<'a>(
        &'a self,
        header: &'a Header,
        reading: &Reading,
    ) -> Result<Vec<SourceKey<'a>>, EnvelopeError> {
        let (mut sources, mut refusals) = (Vec::new(), Vec::new());
        for service in self.services() {
            let (keys, unresolved) = candidates(service.as_ref(), header, &reading.keys).await;
            refusals.extend(unresolved);
            sources.extend(keys.into_iter().map(|key| (service, key)));
        }
        if sources.is_empty() { Err(reported(refusals, header, 0)) } else { Ok(sources) }
    }

    /// Has a container's data key encrypted under other keys, in their order, and says which of its keys gave it.
    ///
    /// ReEncrypt comes first: the data key is seen by nobody here. What it does not prove is that what it decrypted is the data
    /// key of this container's content, for no header tag is looked at; it proves that a holder of the one KMS key encrypted it
    /// for this file id. Where a new key is of another service or region, the data key is decrypted and verified.
    pub(super) async fn encrypted_under(
        &self,
        header: &Header,
        keys: &[KeyName],
        reading: &Reading,
    ) -> Result<(Vec<EncryptedDataKey>, EncryptedDataKey), EnvelopeError> {
        let context = header.core().key_service_context();
        let sources = self.sources(header, reading).await?;
        let mut refusals = Vec::new();
        for (service, source) in &sources {
            if !keys.iter().all(|key| is_near(source, key) || may_be_near(source, key)) {
                continue;
            }
            let asked = keys.iter().map(|key| service.re_encrypt_data_key(source, &key.arn, &context));
            match try_join_all(asked).await {
                Ok(made) => return Ok((made, source.as_ref().clone())),
                Err(error) => refusals.push(decrypt_refused(source, error)),
            }
        }
        for (service, source) in &sources {
            // A service that has refused to move the data key is not asked to show it. Nothing but the container's own is put
            // under other keys.
            if keys.iter().all(|key| is_near(source, key)) {
                continue;
            }
            match verified_data_key(service.as_ref(), source, header, &context).await {
                Ok(data_key) => {
                    let made =
                        try_join_all(keys.iter().map(|key| self.encrypt_under(key, &context, &data_key))).await?;
                    return Ok((made, source.as_ref().clone()));
                }
                Err(error) => refusals.push(error),
            }
        }
        Err(reported(refusals, header, sources.len()))
    }

    async fn encrypt_under(
        &self,
        key: &KeyName,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, EnvelopeError> {
        let named = KeyReference { provider: key.provider, key: KeyId::Arn(key.arn.clone()) };
        let failed = |error: KeyServiceError| refused(&named, error);
        let service = self.service(key.provider).ok_or_else(|| failed(not_configured(key.provider)))?;
        service.encrypt_data_key(&named.key, context, data_key).await.map_err(failed)
    }
}

/// Whether one request reaches both keys.
fn is_near(source: &EncryptedDataKey, key: &KeyName) -> bool {
    is_of_one_service(source, key) && source.key_arn.region() == key.arn.region()
}

/// Whether one request reaches both keys if the first one, a multi-Region key, has a replica beside the other.
fn may_be_near(source: &EncryptedDataKey, key: &KeyName) -> bool {
    is_of_one_service(source, key) && source.provider == Provider::Aws && source.key_arn.is_multi_region()
}

fn is_of_one_service(source: &EncryptedDataKey, key: &KeyName) -> bool {
    source.provider == key.provider && source.key_arn.partition() == key.arn.partition()
}

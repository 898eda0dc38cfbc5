//! Which of a container's keys are tried.

use std::borrow::Cow;

use waxseal_container::Header;
use waxseal_key_service::{EncryptedDataKey, KeyArn, KeyId, KeyReference, KeyService, Provider};

use crate::{AllowedKeys, EnvelopeError};

/// How often one key is tried: a rotator may have left it in both slots. A container that names it more often wants calls.
const TRIES_OF_A_KEY: usize = 2;

/// The keys of a container that one service may be asked for, in the container's order; and the refusals that were met in
/// finding out which these are. A service that has none of the container's keys is not asked anything. A multi-Region key that
/// was named is asked for where it was named: the region in the container is a claim.
pub(crate) async fn candidates<'a>(
    service: &dyn KeyService,
    header: &'a Header,
    allowed: &AllowedKeys,
) -> (Vec<Cow<'a, EncryptedDataKey>>, Vec<EnvelopeError>) {
    let provider = service.provider();
    let own: Vec<_> = header.encrypted_data_keys().iter().filter(|key| key.provider == provider).collect();
    if own.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut refusals = Vec::new();
    let mut named = Vec::new();
    for key in allowed.named(provider) {
        // A store's ids are its own: what has this id in the container is what is meant.
        if let (Provider::Local, KeyId::Id(id)) = (provider, key) {
            named.extend(own.iter().map(|own| &own.key_arn).filter(|arn| arn.key_id() == id).cloned());
            continue;
        }
        match resolve(service, key).await {
            Ok(arn) => named.push(arn),
            Err(refusal) => refusals.push(refusal),
        }
    }
    let mut chosen: Vec<Cow<'_, EncryptedDataKey>> = Vec::new();
    for key in own {
        let tries = chosen.iter().filter(|other| other.key_arn.is_same_key(&key.key_arn)).count();
        if tries >= TRIES_OF_A_KEY {
            continue;
        }
        let is_allowed = allowed.allows_unnamed(key) || named.contains(&key.key_arn);
        if is_allowed {
            chosen.push(Cow::Borrowed(key));
        } else if let Some(elsewhere) = named.iter().find(|arn| arn.is_same_key(&key.key_arn)) {
            chosen.push(Cow::Owned(EncryptedDataKey { key_arn: elsewhere.clone(), ..key.clone() }));
        }
    }
    (chosen, refusals)
}

/// The ARN of a key that was named in whatever form.
async fn resolve(service: &dyn KeyService, key: &KeyId) -> Result<KeyArn, EnvelopeError> {
    match key {
        KeyId::Arn(arn) => Ok(arn.clone()),
        _ => service.resolve_key(key).await.map_err(|source| EnvelopeError::KeyService {
            key: KeyReference { provider: service.provider(), key: key.clone() }.to_string(),
            source,
        }),
    }
}

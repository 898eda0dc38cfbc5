//! What has to be changed about a container's keys. Its header says that, and only of rotations is a key service asked.

use waxseal_container::Header;
use waxseal_key_service::{EncryptedDataKey, KeyId, KeyReference};

use super::make::decrypt_refused;
use super::{KeyChange, KeyName, Rewrap, Selection};
use crate::envelope::reported;
use crate::{Envelope, EnvelopeError, Reading};

/// What has to be done to a container's key slots.
pub(super) enum Change {
    /// An interrupted rewrap has written the right keys: what is beside them goes.
    Complete,
    /// Other keys.
    Replace {
        /// What stays as it is.
        keep: Vec<EncryptedDataKey>,
        /// The keys that the data key has to be encrypted under beside that.
        make: Vec<KeyName>,
    },
}

impl Envelope {
    /// Finds out what has to be changed; nothing if the container is as it is to be, or is not meant.
    pub(super) async fn change_of(&self, header: &Header, rewrap: &Rewrap) -> Result<Option<Change>, EnvelopeError> {
        let current = header.current_data_keys();
        let change = match &rewrap.change {
            KeyChange::To(keys) => {
                let is_right = are_those_of(keys, current);
                if rewrap.selection == Selection::Stale && self.is_stale(header, &rewrap.reading).await? {
                    Some(Change::Replace { keep: Vec::new(), make: unique(keys) })
                } else if is_right {
                    None
                } else if rewrap.selection == Selection::Stale {
                    return Ok(None);
                } else {
                    Some(Change::Replace { keep: Vec::new(), make: unique(keys) })
                }
            }
            KeyChange::Add(keys) => {
                let is_there = |key: &KeyName| current.iter().any(|there| key.names(there));
                let make: Vec<_> = unique(keys).into_iter().filter(|key| !is_there(key)).collect();
                (!make.is_empty()).then(|| Change::Replace { keep: current.to_vec(), make })
            }
            KeyChange::Remove(keys) => {
                let goes = |there: &EncryptedDataKey| keys.iter().any(|key| means(key, there));
                let keep: Vec<_> = current.iter().filter(|there| !goes(there)).cloned().collect();
                if keep.is_empty() {
                    return Err(EnvelopeError::LastKey);
                }
                (keep.len() < current.len()).then(|| Change::Replace { keep, make: Vec::new() })
            }
        };
        Ok(change.or_else(|| (!header.is_rewrap_complete()).then_some(Change::Complete)))
    }

    /// Whether one of the container's keys was rotated since. Those that may not be asked are passed over.
    async fn is_stale(&self, header: &Header, reading: &Reading) -> Result<bool, EnvelopeError> {
        let context = header.core().key_service_context();
        let sources = self.sources(header, reading).await?;
        let mut refusals = Vec::new();
        let mut tried = 0;
        let is_current = |key: &EncryptedDataKey| {
            header.current_data_keys().iter().any(|current| current.ciphertext_blob == key.ciphertext_blob)
        };
        for (service, key) in sources.iter().filter(|(_, key)| is_current(key)) {
            tried += 1;
            match service.is_stale(key, &context).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => refusals.push(decrypt_refused(key, error)),
            }
        }
        // What nobody knows is not taken for fresh.
        if refusals.is_empty() && tried > 0 { Ok(false) } else { Err(reported(refusals, header, tried)) }
    }
}

/// Whether a container's keys are these and no others, each once; their order makes no difference.
fn are_those_of(names: &[KeyName], keys: &[EncryptedDataKey]) -> bool {
    let (mut wanted, mut found) = (unique(names), keys.iter().map(KeyName::of).collect::<Vec<_>>());
    wanted.sort();
    found.sort();
    wanted == found
}

/// Each once, in their order.
fn unique(names: &[KeyName]) -> Vec<KeyName> {
    let mut unique: Vec<KeyName> = Vec::with_capacity(names.len());
    for name in names {
        if !unique.contains(name) {
            unique.push(name.clone());
        }
    }
    unique
}

/// Whether a key as it was named is one of a container's.
fn means(named: &KeyReference, key: &EncryptedDataKey) -> bool {
    named.provider == key.provider
        && match &named.key {
            KeyId::Arn(arn) => arn.is_same_key(&key.key_arn),
            KeyId::Id(id) => id == key.key_arn.key_id(),
            KeyId::Alias(_) | KeyId::AliasArn { .. } => false,
        }
}

//! The operations of AWS KMS, each in a file of its own.
//!
//! Each checks in the order of AWS: the constraints of the service model, those of the operation, the key, its state, and
//! only then the cryptography (SEMANTICS.md, "Order of checks").

mod cancel_key_deletion;
mod create_alias;
pub(crate) mod create_key;
mod decrypt;
mod describe_key;
mod disable_key;
mod enable_key;
mod encrypt;
mod generate_data_key;
mod generate_data_key_without_plaintext;
mod metadata;
mod plaintext;
mod schedule_key_deletion;

use std::sync::Arc;

use waxseal_key_service::{EncryptionContext, KeyId, KeyServiceError};

pub use cancel_key_deletion::CancelKeyDeletionRequest;
pub use create_alias::CreateAliasRequest;
pub use create_key::CreateKeyRequest;
pub use decrypt::{DecryptRequest, DecryptResponse};
pub use describe_key::DescribeKeyRequest;
pub use disable_key::DisableKeyRequest;
pub use enable_key::EnableKeyRequest;
pub use encrypt::{EncryptRequest, EncryptResponse};
pub use generate_data_key::{DataKeySpec, GenerateDataKeyRequest, GenerateDataKeyResponse};
pub use generate_data_key_without_plaintext::GenerateDataKeyWithoutPlaintextResponse;
pub use plaintext::Plaintext;
pub use schedule_key_deletion::{ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse};

use crate::ciphertext;
use crate::context;
use crate::key::{Key, KeyState, Material};
use crate::local_kms::LocalKms;
use crate::names::Name;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::store::{Usable, Wanted};
use crate::timestamp::Timestamp;

/// What performs the protocol's request of one operation.
pub(crate) type Perform = fn(&LocalKms, &Region, &Arguments<'_>) -> Result<Answer, KeyServiceError>;

/// What performs the operation of this name, if the embedded KMS does.
pub(crate) fn perform(name: &str) -> Option<Perform> {
    Some(match name {
        "CancelKeyDeletion" => cancel_key_deletion::call,
        "CreateAlias" => create_alias::call,
        "CreateKey" => create_key::call,
        "Decrypt" => decrypt::call,
        "DescribeKey" => describe_key::call,
        "DisableKey" => disable_key::call,
        "EnableKey" => enable_key::call,
        "Encrypt" => encrypt::call,
        "GenerateDataKey" => generate_data_key::call,
        "GenerateDataKeyWithoutPlaintext" => generate_data_key_without_plaintext::call,
        "ScheduleKeyDeletion" => schedule_key_deletion::call,
        _ => return None,
    })
}

/// The only encryption algorithm of symmetric keys, in AWS's name for it.
const SYMMETRIC_DEFAULT: &str = "SYMMETRIC_DEFAULT";

/// A key that may be used now, with the material that encrypts.
pub(crate) struct Encrypting {
    pub(crate) key: Arc<Key>,
    pub(crate) material: Arc<Material>,
}

impl LocalKms {
    /// Finds the key that a request names, for encrypting.
    pub(crate) fn encrypting(
        &self,
        region: &Region,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<Encrypting, KeyServiceError> {
        context::check_size(context)?;
        let Usable { key, material } = self.store.find_usable(region, Name::within(region, key)?, Wanted::Current)?;
        // Its row says which version encrypts, and that version is missing: the row does not match the others.
        let material = material.ok_or_else(|| self.store.damaged("a key has lost its current material"))?;
        Ok(Encrypting { key, material })
    }

    /// Finds the key that a request names.
    pub(crate) fn key(&self, region: &Region, key: &KeyId) -> Result<Arc<Key>, KeyServiceError> {
        let name = Name::within(region, key)?;
        self.store.find(region, name)?.ok_or_else(|| name.not_found(region))
    }

    /// Changes the state of a key that is named by key id or key ARN, as management operations demand.
    fn change_state(
        &self,
        region: &Region,
        key: &KeyId,
        change: impl FnOnce(&Key) -> Result<(KeyState, Option<Timestamp>), KeyServiceError>,
    ) -> Result<Key, KeyServiceError> {
        let name = Name::within(region, key)?;
        if matches!(name, Name::Alias(_)) {
            return Err(refusals::invalid_key_id(&key.to_string()));
        }
        self.store.write(|rows| {
            let key = rows.key(region, name)?.ok_or_else(|| name.not_found(region))?;
            let (state, deletion_date) = change(&key)?;
            rows.set_state(&key, state, deletion_date)?;
            Ok(key)
        })
    }
}

impl Encrypting {
    pub(crate) fn encrypt(&self, context: &EncryptionContext, plaintext: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        ciphertext::encrypt(&self.key, &self.material, context, plaintext)
    }
}

//! The operations of AWS KMS, each in a file of its own.
//!
//! Each checks in the order of AWS: the constraints of the service model, those of the operation, the key, its state, and
//! only then the cryptography (SEMANTICS.md, "Order of checks").

mod cancel_key_deletion;
mod create_alias;
pub(crate) mod create_key;
mod decrypt;
mod delete_alias;
mod describe_key;
mod disable_key;
mod disable_key_rotation;
mod enable_key;
mod enable_key_rotation;
mod encrypt;
mod generate_data_key;
mod generate_data_key_pair;
mod generate_data_key_pair_without_plaintext;
mod generate_data_key_without_plaintext;
mod generate_random;
mod get_key_policy;
mod get_key_rotation_status;
mod get_public_key;
mod list_aliases;
mod list_key_policies;
mod list_key_rotations;
mod list_keys;
mod list_resource_tags;
mod metadata;
mod page;
mod plaintext;
mod policy;
mod put_key_policy;
mod re_encrypt;
mod rotate_key_on_demand;
mod schedule_key_deletion;
mod tag_resource;
mod tags;
mod untag_resource;
mod update_alias;
mod update_key_description;

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
pub use re_encrypt::{ReEncryptRequest, ReEncryptResponse};
pub use schedule_key_deletion::{ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse};

use crate::ciphertext;
use crate::context;
use crate::key::{Key, KeyState, Material};
use crate::local_kms::LocalKms;
use crate::names::Name;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::store::Usable;
use crate::store::rows::Rows;
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
        "DeleteAlias" => delete_alias::call,
        "DescribeKey" => describe_key::call,
        "DisableKey" => disable_key::call,
        "DisableKeyRotation" => disable_key_rotation::call,
        "EnableKey" => enable_key::call,
        "EnableKeyRotation" => enable_key_rotation::call,
        "Encrypt" => encrypt::call,
        "GenerateDataKey" => generate_data_key::call,
        "GenerateDataKeyPair" => generate_data_key_pair::call,
        "GenerateDataKeyPairWithoutPlaintext" => generate_data_key_pair_without_plaintext::call,
        "GenerateDataKeyWithoutPlaintext" => generate_data_key_without_plaintext::call,
        "GenerateRandom" => generate_random::call,
        "GetKeyPolicy" => get_key_policy::call,
        "GetKeyRotationStatus" => get_key_rotation_status::call,
        "GetPublicKey" => get_public_key::call,
        "ListAliases" => list_aliases::call,
        "ListKeyPolicies" => list_key_policies::call,
        "ListKeyRotations" => list_key_rotations::call,
        "ListKeys" => list_keys::call,
        "ListResourceTags" => list_resource_tags::call,
        "PutKeyPolicy" => put_key_policy::call,
        "ReEncrypt" => re_encrypt::call,
        "RotateKeyOnDemand" => rotate_key_on_demand::call,
        "ScheduleKeyDeletion" => schedule_key_deletion::call,
        "TagResource" => tag_resource::call,
        "UntagResource" => untag_resource::call,
        "UpdateAlias" => update_alias::call,
        "UpdateKeyDescription" => update_key_description::call,
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
        operation: &str,
    ) -> Result<Encrypting, KeyServiceError> {
        context::check_size(context)?;
        let name = Name::within(region, key)?;
        let Usable { key, material } = self.find_current(region, name, operation)?;
        // Its row says which version encrypts, and that version is missing: the row does not match the others.
        let material = material.ok_or_else(|| self.store.damaged("a key has lost its current material"))?;
        Ok(Encrypting { key, material })
    }

    /// Finds the key that a request names.
    pub(crate) fn key(&self, region: &Region, key: &KeyId) -> Result<Arc<Key>, KeyServiceError> {
        self.find(region, Name::within(region, key)?)
    }

    /// Finds the key that a request names by key id or key ARN, as management operations demand.
    fn key_by_id(&self, region: &Region, key: &KeyId) -> Result<Arc<Key>, KeyServiceError> {
        self.find(region, by_id(region, key)?)
    }

    fn find(&self, region: &Region, name: Name<'_>) -> Result<Arc<Key>, KeyServiceError> {
        let key = self.store.find(region, name)?.ok_or_else(|| name.not_found(region))?;
        // What is told about a key is what the next request will find.
        if self.rotate_if_due(&key)? {
            return self.store.find(region, name)?.ok_or_else(|| name.not_found(region));
        }
        Ok(key)
    }

    /// Refuses a key that an operation could not use now.
    fn check_may_use(&self, region: &Region, key: &KeyId, operation: &str) -> Result<(), KeyServiceError> {
        let key = self.key(region, key)?;
        key.check_encrypts(operation)?;
        key.check_usable()
    }

    /// Refuses an encryption algorithm that the key does not have; symmetric keys have one.
    fn check_algorithm(
        &self,
        region: &Region,
        arguments: &Arguments<'_>,
        member: &str,
        key: Option<&KeyId>,
        operation: &str,
    ) -> Result<(), KeyServiceError> {
        let Some(algorithm) = arguments.text(member).filter(|algorithm| *algorithm != SYMMETRIC_DEFAULT) else {
            return Ok(());
        };
        let key = key.map(|key| self.key(region, key)).transpose()?;
        key.iter().try_for_each(|key| key.check_encrypts(operation))?;
        // What encrypts here is symmetric, whichever key made a ciphertext.
        Err(refusals::invalid_algorithm(algorithm, SYMMETRIC_DEFAULT))
    }

    /// Changes a key that is named by key id or key ARN, and gives it as it was.
    fn change(
        &self,
        region: &Region,
        key: &KeyId,
        change: impl FnOnce(&Rows<'_>, &Key) -> Result<(), KeyServiceError>,
    ) -> Result<Key, KeyServiceError> {
        let name = by_id(region, key)?;
        self.store.write(|rows| {
            let key = rows.key(region, name)?.ok_or_else(|| name.not_found(region))?;
            change(rows, &key)?;
            Ok(key)
        })
    }

    /// Changes the state of a key that is named by key id or key ARN.
    fn change_state(
        &self,
        region: &Region,
        key: &KeyId,
        change: impl FnOnce(&Key) -> Result<(KeyState, Option<Timestamp>), KeyServiceError>,
    ) -> Result<Key, KeyServiceError> {
        self.change(region, key, |rows, key| {
            let (state, deletion_date) = change(key)?;
            Ok(rows.set_state(key, state, deletion_date)?)
        })
    }
}

/// The name of a key that has to be named by key id or key ARN.
fn by_id<'a>(region: &Region, key: &'a KeyId) -> Result<Name<'a>, KeyServiceError> {
    match Name::within(region, key)? {
        Name::Alias(_) => Err(refusals::invalid_key_id(&key.to_string())),
        name => Ok(name),
    }
}

impl Encrypting {
    pub(crate) fn encrypt(&self, context: &EncryptionContext, plaintext: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        ciphertext::encrypt(&self.key, &self.material, context, plaintext)
    }
}

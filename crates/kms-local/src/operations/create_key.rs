//! CreateKey (<https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>).

use waxseal_key_service::{ErrorCode, KeyServiceError};

use super::metadata;
use crate::error::StoreError;
use crate::key::{KeyMetadata, KeySpec, KeyState, KeyUsage, KeyUuid, Origin};
use crate::local_kms::LocalKms;
use crate::names::Name;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::store::rows::{MAX_DESCRIPTION, NewKey, Rows};
use crate::timestamp::Timestamp;

/// The version of a new key's material.
pub(crate) const FIRST_VERSION: u32 = 1;

/// A request for a new symmetric key.
#[derive(Clone, Copy, Debug)]
pub struct CreateKeyRequest<'a> {
    /// The region that the key is to be in.
    pub region: &'a Region,
    /// What it is for, in up to 8192 characters.
    pub description: &'a str,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let description = arguments.text("Description").unwrap_or_default();
    let made = kms.create_key(&CreateKeyRequest { region, description })?;
    Ok(Answer::of(|answer| answer.object("KeyMetadata", |object| metadata::write(object, &made))))
}

impl LocalKms {
    /// Makes a symmetric key.
    ///
    /// # Errors
    /// `ValidationException` for a description that is too long, and whatever the store answers.
    pub fn create_key(&self, request: &CreateKeyRequest<'_>) -> Result<KeyMetadata, KeyServiceError> {
        let len = request.description.chars().count();
        if let Some(error) = refusals::bad_length("description", len, 0, MAX_DESCRIPTION) {
            return Err(error);
        }
        let key = KeyUuid::random().map_err(StoreError::random)?;
        self.store.write(|rows| {
            insert(rows, request.region, key, request.description, Timestamp::now())?;
            self.store.insert_new_material(rows, request.region, key, FIRST_VERSION)?;
            let made = rows.key(request.region, Name::Id(&key.text()))?;
            made.map(|key| key.metadata)
                .ok_or_else(|| KeyServiceError::new(ErrorCode::Internal, "The new key cannot be read back."))
        })
    }
}

/// Writes the row of a new, enabled key; its material is written separately.
pub(crate) fn insert(
    rows: &Rows<'_>,
    region: &Region,
    key: KeyUuid,
    description: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let metadata = KeyMetadata {
        arn: key.arn(region),
        creation_date: now,
        // Not a column of this row: it is read from that of the material.
        current_key_material_id: "".into(),
        deletion_date: None,
        description: description.to_owned(),
        key_spec: KeySpec::SymmetricDefault,
        key_state: KeyState::Enabled,
        key_usage: KeyUsage::EncryptDecrypt,
        origin: Origin::AwsKms,
    };
    rows.insert_key(key, region, &NewKey { metadata: &metadata, current_version: FIRST_VERSION })
}

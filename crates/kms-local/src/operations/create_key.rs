//! CreateKey (<https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>).

use waxseal_key_service::KeyServiceError;

use super::{metadata, policy, tags};
use crate::error::StoreError;
use crate::key::{FIRST_VERSION, KeyMetadata, KeySpec, KeyState, KeyUsage, KeyUuid, Origin};
use crate::key_pair::KeyPair;
use crate::local_kms::LocalKms;
use crate::names::Name;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::store::rows::{MAX_DESCRIPTION, NewKey, Rows, Tag};
use crate::timestamp::Timestamp;

/// A request for a new symmetric key.
#[derive(Clone, Copy, Debug)]
pub struct CreateKeyRequest<'a> {
    /// The region that the key is to be in.
    pub region: &'a Region,
    /// What it is for, in up to 8192 characters.
    pub description: &'a str,
}

/// What a new key is to be.
pub(crate) struct Plan<'a> {
    pub(crate) description: &'a str,
    pub(crate) key_spec: KeySpec,
    pub(crate) key_usage: KeyUsage,
    pub(crate) tags: Vec<Tag>,
}

impl<'a> Plan<'a> {
    /// A symmetric key.
    pub(crate) fn symmetric(description: &'a str) -> Self {
        let (key_spec, key_usage) = (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt);
        Self { description, key_spec, key_usage, tags: Vec::new() }
    }
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    for member in ["CustomKeyStoreId", "XksKeyId"] {
        if arguments.has(member) {
            return Err(refusals::unsupported(member));
        }
    }
    if let Some(origin) = arguments.text("Origin").filter(|origin| *origin != Origin::AwsKms.as_str()) {
        return Err(refusals::unsupported(&format!("Origin {origin}")));
    }
    if arguments.flag("MultiRegion") {
        return Err(refusals::unsupported("MultiRegion"));
    }
    let (key_spec, key_usage) = kind(arguments)?;
    let tags = tags::of(arguments)?;
    arguments.text("Policy").map(policy::check).transpose()?;
    let description = arguments.text("Description").unwrap_or_default();
    let made = kms.make_key(region, &Plan { description, key_spec, key_usage, tags })?;
    Ok(Answer::of(|answer| answer.object("KeyMetadata", |object| metadata::write(object, &made))))
}

/// Reads what kind of key is asked for.
fn kind(arguments: &Arguments<'_>) -> Result<(KeySpec, KeyUsage), KeyServiceError> {
    let spec = match (arguments.text("KeySpec"), arguments.text("CustomerMasterKeySpec")) {
        (Some(_), Some(_)) => return Err(refusals::two_specs()),
        (spec, older) => spec.or(older).unwrap_or(KeySpec::SymmetricDefault.as_str()),
    };
    let key_spec = KeySpec::from_name(spec).ok_or_else(|| refusals::unsupported(&format!("KeySpec {spec}")))?;
    let usage = match arguments.text("KeyUsage") {
        Some(usage) => usage,
        None if key_spec == KeySpec::SymmetricDefault => KeyUsage::EncryptDecrypt.as_str(),
        None => return Err(refusals::no_usage()),
    };
    // Usages that are not here are those of other specs.
    let key_usage = KeyUsage::from_name(usage).filter(|usage| !metadata::algorithms(key_spec, *usage).is_empty());
    Ok((key_spec, key_usage.ok_or_else(|| refusals::usage_of_another_spec(usage, spec))?))
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
        self.make_key(request.region, &Plan::symmetric(request.description))
    }

    fn make_key(&self, region: &Region, plan: &Plan<'_>) -> Result<KeyMetadata, KeyServiceError> {
        let id = KeyUuid::random().map_err(StoreError::random)?;
        // Making a pair takes its time: nobody has to wait for it.
        let pair = KeyPair::generate(plan.key_spec)?;
        self.store.write(|rows| {
            insert(rows, region, id, plan, Timestamp::now())?;
            match &pair {
                Some(pair) => self.store.insert_pair(rows, region, id, plan.key_spec, pair)?,
                None => self.store.insert_new_material(rows, region, id, FIRST_VERSION)?,
            }
            let made = rows.key(region, Name::Id(&id.text()))?;
            let made = made.ok_or_else(|| self.store.damaged("a new key cannot be read back"))?;
            tags::set(rows, &made, &plan.tags)?;
            Ok(made.metadata)
        })
    }
}

/// Writes the row of a new, enabled key; its material is written separately.
pub(crate) fn insert(
    rows: &Rows<'_>,
    region: &Region,
    key: KeyUuid,
    plan: &Plan<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let metadata = KeyMetadata {
        arn: key.arn(region),
        creation_date: now,
        // Not a column of this row: it is read from that of the material.
        current_key_material_id: "".into(),
        deletion_date: None,
        description: plan.description.to_owned(),
        key_spec: plan.key_spec,
        key_state: KeyState::Enabled,
        key_usage: plan.key_usage,
        origin: Origin::AwsKms,
    };
    rows.insert_key(key, region, &NewKey { metadata: &metadata, current_version: FIRST_VERSION })
}

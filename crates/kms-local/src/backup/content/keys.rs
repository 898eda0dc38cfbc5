//! A key in a backup, with all versions of its material.

use std::sync::Arc;

use waxseal_key_service::SecretBytes;

use super::{MAX_TEXT, Version, push_count, region, time};
use crate::encoding::{Reader, SecretWriter};
use crate::error::StoreError;
use crate::key::{Key, KeyMetadata, KeySpec, KeyState, KeyUsage, KeyUuid, Origin, RotationType};
use crate::key_pair::KeyPair;
use crate::region::Region;
use crate::rotation::RotationSchedule;
use crate::store::Store;
use crate::store::rows::{MAX_DESCRIPTION, Rows, Tag, is_material_id};
use crate::timestamp::Timestamp;

/// Longest encoding of a key pair in bytes.
const MAX_PAIR: usize = 16 * 1024;

/// A key, its tags and all versions of its material.
pub(in crate::backup) struct KeyEntry {
    pub(in crate::backup) key: Key,
    pub(in crate::backup) tags: Vec<Tag>,
    pub(in crate::backup) materials: Vec<MaterialEntry>,
}

/// One version of a key's material.
pub(in crate::backup) struct MaterialEntry {
    pub(in crate::backup) version: u32,
    pub(in crate::backup) id: Arc<str>,
    pub(in crate::backup) created_at: Timestamp,
    /// What made it, if not the making of the key.
    pub(in crate::backup) rotation: Option<RotationType>,
    pub(in crate::backup) secret: Secret,
}

/// The material itself.
pub(in crate::backup) enum Secret {
    Symmetric(SecretBytes),
    Pair(KeyPair),
}

impl KeyEntry {
    pub(super) fn read(store: &Store, rows: &Rows<'_>, key: Key) -> Result<Self, StoreError> {
        let materials = rows.versions(&key, 0, usize::MAX)?.into_iter().map(|row| {
            let material = row.material;
            let secret = match key.metadata.key_spec {
                KeySpec::SymmetricDefault => Secret::Symmetric(store.unwrap_material(&key, &material)?.secret),
                _ => Secret::Pair(store.unwrap_pair(&key, &material)?),
            };
            let (version, id, created_at) = (material.version, material.material_id, material.created_at);
            Ok(MaterialEntry { version, id, created_at, rotation: row.rotation, secret })
        });
        let materials = materials.collect::<Result<_, StoreError>>()?;
        let tags = rows.tags(&key, "", usize::MAX)?;
        Ok(Self { key, tags, materials })
    }

    /// What keys are in order of.
    pub(super) fn place(&self) -> (&Region, &str) {
        (&self.key.region, self.key.metadata.arn.key_id())
    }

    pub(super) fn encode(&self, writer: &mut SecretWriter) {
        let metadata = &self.key.metadata;
        writer.push_text(self.key.region.as_str());
        writer.push(self.key.id().as_bytes());
        writer.push_text(&metadata.description);
        for name in [
            metadata.key_spec.as_str(),
            metadata.key_usage.as_str(),
            metadata.origin.as_str(),
            metadata.key_state.as_str(),
        ] {
            writer.push_text(name);
        }
        // Zero is no date: only a key that is pending deletion has one, which its state says.
        writer.push_u64(metadata.deletion_date.map_or(0, Timestamp::as_millis));
        writer.push_u64(metadata.creation_date.as_millis());
        writer.push_u32(self.key.current_version);
        writer.push_u32(self.key.schedule.map_or(0, |schedule| schedule.period_in_days));
        writer.push_u64(self.key.schedule.map_or(0, |schedule| schedule.next_at.as_millis()));
        push_count(writer, self.tags.len());
        for tag in &self.tags {
            writer.push_text(&tag.key);
            writer.push_text(&tag.value);
        }
        push_count(writer, self.materials.len());
        self.materials.iter().for_each(|material| material.encode(writer));
    }

    pub(super) fn decode(version: Version, reader: &mut Reader<'_>) -> Option<Self> {
        let region = region(reader)?;
        let id = KeyUuid::from_bytes(reader.array()?);
        let description = reader.text(MAX_TEXT)?;
        let key_spec = KeySpec::from_name(reader.text(MAX_TEXT)?)?;
        let key_usage = KeyUsage::from_name(reader.text(MAX_TEXT)?)?;
        let origin = Origin::from_name(reader.text(MAX_TEXT)?)?;
        let key_state = KeyState::from_name(reader.text(MAX_TEXT)?)?;
        let deletion_date = Some(time(reader)?).filter(|date| date.as_millis() != 0);
        let creation_date = time(reader)?;
        let current_version = reader.u32()?;
        let (schedule, tags) = match version {
            Version::First => (None, Vec::new()),
            Version::Second => (schedule(reader)?, tags(reader)?),
        };
        let materials =
            (0..reader.u32()?).map(|_| MaterialEntry::decode(version, key_spec, reader)).collect::<Option<Vec<_>>>()?;
        let current = materials.iter().find(|material| material.version == current_version)?;
        let current_key_material_id = Arc::clone(&current.id);
        let valid = description.chars().count() <= MAX_DESCRIPTION
            && deletion_date.is_some() == (key_state == KeyState::PendingDeletion)
            && tags.is_sorted_by(|one, next| one.key < next.key)
            && materials.is_sorted_by(|one, next| one.version < next.version);
        let metadata = KeyMetadata {
            arn: id.arn(&region),
            creation_date,
            current_key_material_id,
            deletion_date,
            description: description.to_owned(),
            key_spec,
            key_state,
            key_usage,
            origin,
        };
        let key = Key { metadata, region, current_version, schedule };
        valid.then_some(Self { key, tags, materials })
    }
}

impl MaterialEntry {
    fn encode(&self, writer: &mut SecretWriter) {
        writer.push_u32(self.version);
        writer.push_text(&self.id);
        writer.push_u64(self.created_at.as_millis());
        // An empty name is none.
        writer.push_text(self.rotation.map_or("", RotationType::as_str));
        match &self.secret {
            Secret::Symmetric(secret) => writer.push(secret.expose()),
            Secret::Pair(pair) => writer.push_bytes(&pair.to_bytes()),
        }
    }

    fn decode(encoding: Version, spec: KeySpec, reader: &mut Reader<'_>) -> Option<Self> {
        let version = reader.u32().filter(|version| *version > 0)?;
        let id = Some(reader.text(64)?).filter(|id| is_material_id(id)).map(Arc::from)?;
        let created_at = time(reader)?;
        let rotation = match encoding {
            Version::First => None,
            Version::Second => match reader.text(MAX_TEXT)? {
                "" => None,
                name => Some(RotationType::from_name(name)?),
            },
        };
        let secret = match (spec, encoding) {
            (KeySpec::SymmetricDefault, _) => Secret::Symmetric(symmetric(reader)?),
            // The first version knows no other keys.
            (_, Version::First) => return None,
            (_, Version::Second) => Secret::Pair(KeyPair::from_bytes(reader.bytes(MAX_PAIR)?)?),
        };
        Some(Self { version, id, created_at, rotation, secret })
    }
}

fn symmetric(reader: &mut Reader<'_>) -> Option<SecretBytes> {
    let bytes = reader.take(32)?;
    let secret = SecretBytes::try_fill(|out| {
        out.copy_from_slice(bytes);
        Ok::<(), ()>(())
    });
    secret.ok()
}

/// Reads a schedule: period and date, which are both zero if there is none.
fn schedule(reader: &mut Reader<'_>) -> Option<Option<RotationSchedule>> {
    match (reader.u32()?, time(reader)?) {
        (0, next_at) => (next_at.as_millis() == 0).then_some(None),
        (period_in_days, next_at) => RotationSchedule::new(period_in_days, next_at).map(Some),
    }
}

fn tags(reader: &mut Reader<'_>) -> Option<Vec<Tag>> {
    let count = reader.u32()?;
    (0..count).map(|_| Tag::new(reader.text(MAX_TEXT)?.to_owned(), reader.text(MAX_TEXT)?.to_owned())).collect()
}

//! What a backup says: every key with all versions of its material, and every alias.

use std::sync::Arc;

use waxseal_key_service::SecretBytes;
use zeroize::Zeroizing;

use crate::encoding::{Reader, SecretWriter};
use crate::error::StoreError;
use crate::key::{Key, KeyMetadata, KeySpec, KeyState, KeyUsage, KeyUuid, Material, Origin};
use crate::region::Region;
use crate::store::Store;
use crate::store::rows::{AliasRow, MAX_DESCRIPTION, Rows, is_material_id};
use crate::timestamp::Timestamp;

/// Longest text that is read, in bytes: a description of the largest characters.
const MAX_TEXT: usize = 4 * MAX_DESCRIPTION;

/// The content of a store, with its key material in clear.
pub(super) struct Content {
    pub(super) at: Timestamp,
    pub(super) home_region: Region,
    pub(super) keys: Vec<KeyEntry>,
    pub(super) aliases: Vec<AliasRow>,
}

/// A key and all versions of its material, each with its date.
pub(super) struct KeyEntry {
    pub(super) key: Key,
    pub(super) materials: Vec<(Material, Timestamp)>,
}

impl Content {
    /// Reads it from one snapshot of a store. Keys whose deletion date has come are left out.
    pub(super) fn read(store: &Store, rows: &Rows<'_>, at: Timestamp) -> Result<Self, StoreError> {
        let keys = rows.keys()?.into_iter().filter(|key| !key.is_gone(at));
        let keys: Vec<KeyEntry> = keys.map(|key| KeyEntry::read(store, rows, key)).collect::<Result<_, _>>()?;
        let mut aliases = rows.aliases()?;
        aliases.retain(|alias| has_key(&keys, alias));
        Ok(Self { at, home_region: store.home_region().clone(), keys, aliases })
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = SecretWriter::new();
        writer.push_u64(self.at.as_millis());
        writer.push_text(self.home_region.as_str());
        push_count(&mut writer, self.keys.len());
        for entry in &self.keys {
            entry.encode(&mut writer);
        }
        push_count(&mut writer, self.aliases.len());
        for alias in &self.aliases {
            writer.push_text(alias.name.as_str());
            writer.push_text(alias.region.as_str());
            writer.push(alias.key.as_bytes());
            writer.push_u64(alias.created_at.as_millis());
            writer.push_u64(alias.updated_at.as_millis());
        }
        writer.into_bytes()
    }

    /// Decodes it; `None` means that it is not what [`Content::encode`] writes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let at = time(&mut reader)?;
        let home_region = region(&mut reader)?;
        // Not collected with a capacity: a count is a claim until its entries have been read.
        let keys: Vec<KeyEntry> = (0..reader.u32()?).map(|_| KeyEntry::decode(&mut reader)).collect::<Option<_>>()?;
        let aliases: Vec<AliasRow> = (0..reader.u32()?).map(|_| alias(&mut reader)).collect::<Option<_>>()?;
        reader.finish()?;
        let in_order = keys.is_sorted_by(|one, next| one.place() < next.place())
            && aliases.is_sorted_by(|one, next| (&one.name, &one.region) < (&next.name, &next.region));
        let whole = in_order && aliases.iter().all(|alias| has_key(&keys, alias));
        whole.then_some(Self { at, home_region, keys, aliases })
    }
}

impl KeyEntry {
    fn read(store: &Store, rows: &Rows<'_>, key: Key) -> Result<Self, StoreError> {
        let materials = rows.materials(&key)?.into_iter();
        let materials = materials
            .map(|row| Ok((store.unwrap_material(&key, &row)?, row.created_at)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Self { key, materials })
    }

    fn place(&self) -> (&Region, &str) {
        (&self.key.region, self.key.metadata.arn.key_id())
    }

    fn encode(&self, writer: &mut SecretWriter) {
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
        push_count(writer, self.materials.len());
        for (material, created_at) in &self.materials {
            writer.push_u32(material.version);
            writer.push_text(&material.id);
            writer.push_u64(created_at.as_millis());
            writer.push(material.secret.expose());
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
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
        let materials: Vec<_> = (0..reader.u32()?).map(|_| material(reader)).collect::<Option<_>>()?;
        let current = materials.iter().find(|(material, _)| material.version == current_version)?;
        let current_key_material_id = Arc::clone(&current.0.id);
        let valid = description.chars().count() <= MAX_DESCRIPTION
            && deletion_date.is_some() == (key_state == KeyState::PendingDeletion)
            && materials.is_sorted_by(|one, next| one.0.version < next.0.version);
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
        valid.then_some(Self { key: Key { metadata, region, current_version }, materials })
    }
}

fn material(reader: &mut Reader<'_>) -> Option<(Material, Timestamp)> {
    let version = reader.u32().filter(|version| *version > 0)?;
    let id = Some(reader.text(64)?).filter(|id| is_material_id(id))?;
    let created_at = time(reader)?;
    let bytes = reader.take(32)?;
    let secret = SecretBytes::try_fill(|out| {
        out.copy_from_slice(bytes);
        Ok::<(), ()>(())
    });
    Some((Material { version, id: Arc::from(id), secret: secret.ok()? }, created_at))
}

fn alias(reader: &mut Reader<'_>) -> Option<AliasRow> {
    let name = reader.text(MAX_TEXT)?.parse().ok()?;
    let region = region(reader)?;
    let key = KeyUuid::from_bytes(reader.array()?);
    Some(AliasRow { name, region, key, created_at: time(reader)?, updated_at: time(reader)? })
}

fn has_key(keys: &[KeyEntry], alias: &AliasRow) -> bool {
    // The keys are in order of region and id, whose text has the order of its bytes.
    let wanted = (&alias.region, alias.key.text());
    keys.binary_search_by(|entry| entry.place().cmp(&(wanted.0, wanted.1.as_str()))).is_ok()
}

fn region(reader: &mut Reader<'_>) -> Option<Region> {
    reader.text(MAX_TEXT)?.parse().ok()
}

fn time(reader: &mut Reader<'_>) -> Option<Timestamp> {
    Timestamp::from_millis(reader.u64()?)
}

fn push_count(writer: &mut SecretWriter, count: usize) {
    writer.push_u32(u32::try_from(count).expect("a backup of 4 billion entries exceeds its largest size long before"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seal::root_key::random_secret;

    fn entry(region: &Region, versions: u32) -> KeyEntry {
        let id = KeyUuid::random().unwrap();
        let now = Timestamp::now();
        let material = |version| Material { version, id: "0a".repeat(32).into(), secret: random_secret().unwrap() };
        let metadata = KeyMetadata {
            arn: id.arn(region),
            creation_date: now,
            current_key_material_id: "0a".repeat(32).into(),
            deletion_date: Some(now),
            description: "ü".into(),
            key_spec: KeySpec::SymmetricDefault,
            key_state: KeyState::PendingDeletion,
            key_usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
        };
        let key = Key { metadata, region: region.clone(), current_version: versions };
        KeyEntry { key, materials: (1..=versions).map(|version| (material(version), now)).collect() }
    }

    fn content() -> Content {
        let (home_region, at) = (Region::default(), Timestamp::now());
        let mut keys = vec![entry(&home_region, 1), entry(&home_region, 3)];
        keys.sort_by(|one, other| one.place().cmp(&other.place()));
        let (name, key) = ("alias/x".parse().unwrap(), keys[0].key.id());
        let alias = AliasRow { name, region: home_region.clone(), key, created_at: at, updated_at: at };
        Content { at, home_region, keys, aliases: vec![alias] }
    }

    #[test]
    fn a_content_is_read_as_it_was_written() {
        let bytes = content().encode();
        assert_eq!(Content::decode(&bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn every_cut_is_refused_and_a_flip_is_refused_or_another_content() {
        let bytes = content().encode();
        for index in 0..bytes.len() {
            assert!(Content::decode(&bytes[..index]).is_none(), "{index}");
            let mut flipped = bytes.clone();
            flipped[index] ^= 1;
            // Whatever is accepted is exactly what is written: there are no two encodings of one content.
            assert!(Content::decode(&flipped).is_none_or(|content| content.encode() == flipped), "{index}");
        }
    }

    #[test]
    fn keys_out_of_order_twice_or_missing_are_refused() {
        let altered = |alter: fn(&mut Content)| {
            let mut content = content();
            alter(&mut content);
            Content::decode(&content.encode())
        };
        assert!(altered(|content| content.keys.reverse()).is_none());
        assert!(altered(|content| content.aliases[0].key = KeyUuid::random().unwrap()).is_none());
        assert!(altered(|content| content.keys[0].key.current_version = 9).is_none());
        assert!(altered(|content| content.keys[0].key.metadata.deletion_date = None).is_none());
        assert!(altered(|content| content.keys[0].key.metadata.description = "x".repeat(8193)).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Content::decode(&bytes).is_none_or(|content| *content.encode() == bytes));
        }
    }
}

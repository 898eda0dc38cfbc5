//! What a backup says: every key with all versions of its material, and every alias.

mod keys;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use zeroize::Zeroizing;

use crate::credentials::{Credential, CredentialInfo, is_access_key_id, is_name, is_secret};
use crate::encoding::{Reader, SecretWriter};
use crate::error::StoreError;
use crate::key::KeyUuid;
use crate::region::Region;
use crate::store::Store;
use crate::store::rows::{AliasRow, MAX_DESCRIPTION, Rows};
use crate::timestamp::Timestamp;
pub(super) use keys::{KeyEntry, MaterialEntry, Secret};

/// Longest text that is read, in bytes: a description of the largest characters.
const MAX_TEXT: usize = 4 * MAX_DESCRIPTION;

/// A version of the content's encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Keys, one symmetric material or more each, and aliases.
    First,
    /// Rotation, tags and key pairs too.
    Second,
}

/// The content of a store, with its key material in clear.
pub(super) struct Content {
    pub(super) at: Timestamp,
    pub(super) home_region: Region,
    pub(super) keys: Vec<KeyEntry>,
    pub(super) aliases: Vec<AliasRow>,
    pub(super) credentials: Vec<Credential>,
}

impl Content {
    /// Reads it from one snapshot of a store. Keys whose deletion date has come are left out.
    pub(super) fn read(store: &Store, rows: &Rows<'_>, at: Timestamp) -> Result<Self, StoreError> {
        let keys = rows.keys()?.into_iter().filter(|key| !key.is_gone(at));
        let keys: Vec<KeyEntry> = keys.map(|key| KeyEntry::read(store, rows, key)).collect::<Result<_, _>>()?;
        let mut aliases = rows.aliases()?;
        aliases.retain(|alias| has_key(&keys, alias));
        let credentials = rows.credentials()?.into_iter().map(|row| store.unseal_credential(row));
        let credentials = credentials.collect::<Result<_, _>>()?;
        Ok(Self { at, home_region: store.home_region().clone(), keys, aliases, credentials })
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
        push_count(&mut writer, self.credentials.len());
        for credential in &self.credentials {
            let about = credential.about();
            writer.push_text(&about.access_key_id);
            writer.push_text(&about.name);
            writer.push_u64(about.created_at.as_millis());
            writer.push_text(credential.expose_secret());
        }
        writer.into_bytes()
    }

    /// Decodes it; `None` means that it is not what [`Content::encode`] writes, or wrote in an older version.
    pub(super) fn decode(version: Version, bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let at = time(&mut reader)?;
        let home_region = region(&mut reader)?;
        // Not collected with a capacity: a count is a claim until its entries have been read.
        let keys: Vec<KeyEntry> =
            (0..reader.u32()?).map(|_| KeyEntry::decode(version, &mut reader)).collect::<Option<_>>()?;
        let aliases: Vec<AliasRow> = (0..reader.u32()?).map(|_| alias(&mut reader)).collect::<Option<_>>()?;
        let credentials: Vec<Credential> = match version {
            Version::First => Vec::new(),
            Version::Second => (0..reader.u32()?).map(|_| credential(&mut reader)).collect::<Option<_>>()?,
        };
        reader.finish()?;
        let ids: HashSet<&str> =
            credentials.iter().map(|credential| credential.about().access_key_id.as_str()).collect();
        let in_order = keys.is_sorted_by(|one, next| one.place() < next.place())
            && aliases.is_sorted_by(|one, next| (&one.name, &one.region) < (&next.name, &next.region))
            && credentials.is_sorted_by(|one, next| one.about().name < next.about().name)
            && ids.len() == credentials.len();
        let whole = in_order && aliases.iter().all(|alias| has_key(&keys, alias));
        whole.then_some(Self { at, home_region, keys, aliases, credentials })
    }
}

fn alias(reader: &mut Reader<'_>) -> Option<AliasRow> {
    let name = reader.text(MAX_TEXT)?.parse().ok()?;
    let region = region(reader)?;
    let key = KeyUuid::from_bytes(reader.array()?);
    Some(AliasRow { name, region, key, created_at: time(reader)?, updated_at: time(reader)? })
}

fn credential(reader: &mut Reader<'_>) -> Option<Credential> {
    let access_key_id = Some(reader.text(MAX_TEXT)?).filter(|text| is_access_key_id(text))?.to_owned();
    let name = Some(reader.text(MAX_TEXT)?).filter(|text| is_name(text))?.to_owned();
    let created_at = time(reader)?;
    let secret = Some(reader.text(MAX_TEXT)?).filter(|text| is_secret(text.as_bytes()))?;
    let about = CredentialInfo { access_key_id, name, created_at };
    Some(Credential::new(about, Zeroizing::new(secret.to_owned())))
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

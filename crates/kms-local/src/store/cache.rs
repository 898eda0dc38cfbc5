//! Keys and their unwrapped material in memory, as long as no process changes the store.

use std::collections::HashMap;
use std::sync::Arc;

use waxseal_key_service::KeyServiceError;

use crate::credentials::Credential;
use crate::key::{Key, Material};
use crate::names::Name;
use crate::region::Region;
use crate::store::{Usable, Wanted};
use crate::timestamp::Timestamp;

/// Most keys that stay in memory. A store has a handful; whoever uses thousands in turn pays for reading them.
const MAX_KEYS: usize = 1024;
/// Most credentials that stay in memory.
const MAX_CREDENTIALS: usize = 1024;

#[derive(Default)]
pub(super) struct Cache {
    regions: HashMap<Region, OneRegion>,
    keys: usize,
    credentials: HashMap<String, Arc<Credential>>,
}

#[derive(Default)]
struct OneRegion {
    keys: HashMap<String, Cached>,
    /// From an alias to the id of its key.
    aliases: HashMap<String, String>,
}

struct Cached {
    key: Arc<Key>,
    materials: HashMap<u32, Arc<Material>>,
}

impl Cache {
    pub(super) fn clear(&mut self) {
        self.regions.clear();
        self.keys = 0;
        self.credentials.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.regions.values().map(|region| region.keys.len()).sum()
    }

    pub(super) fn key(&self, region: &Region, name: Name<'_>) -> Option<Arc<Key>> {
        let region = self.regions.get(region)?;
        let id = match name {
            Name::Id(id) => id,
            Name::Alias(alias) => region.aliases.get(alias.as_str())?,
        };
        let key = &region.keys.get(id)?.key;
        // The clock is read for the few keys only that have a date to pass.
        let gone = key.metadata.deletion_date.is_some() && key.is_gone(Timestamp::now());
        (!gone).then(|| Arc::clone(key))
    }

    /// A key that may be used with its wanted material, or why it may not; none if one of both is not in memory.
    pub(super) fn usable(
        &self,
        region: &Region,
        name: Name<'_>,
        wanted: Wanted,
        operation: &str,
    ) -> Option<Result<Usable, KeyServiceError>> {
        let key = self.key(region, name)?;
        if let Err(refused) = key.check_encrypts(operation).and_then(|()| key.check_usable()) {
            return Some(Err(refused));
        }
        let material = self.material(&key, wanted.of(&key))?;
        Some(Ok(Usable { key, material: Some(material) }))
    }

    fn material(&self, key: &Key, version: u32) -> Option<Arc<Material>> {
        let cached = self.regions.get(&key.region)?.keys.get(key.metadata.arn.key_id())?;
        cached.materials.get(&version).map(Arc::clone)
    }

    pub(super) fn insert(&mut self, region: &Region, name: Name<'_>, key: Key) -> Arc<Key> {
        if self.keys >= MAX_KEYS {
            self.clear();
        }
        let key = Arc::new(key);
        let id = key.metadata.arn.key_id();
        let region = self.regions.entry(region.clone()).or_default();
        if let Name::Alias(alias) = name {
            region.aliases.insert(alias.as_str().to_owned(), id.to_owned());
        }
        // The key was read anew, so what was unwrapped for its older row goes.
        region.keys.insert(id.to_owned(), Cached { key: Arc::clone(&key), materials: HashMap::new() });
        // Counts every insertion, the repeated ones and the aliases too: the bound holds all the same.
        self.keys += 1;
        key
    }

    pub(super) fn credential(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.credentials.get(access_key_id).map(Arc::clone)
    }

    pub(super) fn insert_credential(&mut self, credential: &Arc<Credential>) {
        if self.credentials.len() >= MAX_CREDENTIALS {
            self.credentials.clear();
        }
        self.credentials.insert(credential.access_key_id().to_owned(), Arc::clone(credential));
    }

    pub(super) fn insert_material(&mut self, key: &Key, material: Material) -> Arc<Material> {
        let material = Arc::new(material);
        let cached =
            self.regions.get_mut(&key.region).and_then(|region| region.keys.get_mut(key.metadata.arn.key_id()));
        if let Some(cached) = cached {
            cached.materials.insert(material.version, Arc::clone(&material));
        }
        material
    }
}

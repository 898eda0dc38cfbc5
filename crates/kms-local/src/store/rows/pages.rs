//! Keys and aliases of a region, page by page.

use rusqlite::params;

use super::{AliasRow, Rows};
use crate::error::StoreError;
use crate::key::{Key, KeyUuid};
use crate::region::Region;
use crate::timestamp::Timestamp;

impl Rows<'_> {
    /// At most `limit` key ids of a region after `after`, in order. Keys whose deletion date has come are left out.
    pub(crate) fn key_ids(
        &self,
        region: &Region,
        after: &str,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<KeyUuid>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.list(
            "SELECT key_id FROM keys WHERE region = ? AND key_id > ? AND (deletion_date IS NULL OR deletion_date > ?) \
             ORDER BY key_id LIMIT ?",
            params![region.as_str(), after, now.to_column(), limit],
            |cells| cells.uuid(0),
        )
    }

    /// At most `limit` aliases of a region after `after`, in order of their names: those of one key, or of all. Aliases of keys
    /// whose deletion date has come are left out.
    pub(crate) fn aliases_of(
        &self,
        region: &Region,
        key: Option<&Key>,
        after: &str,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<AliasRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.list(
            "SELECT a.name, a.region, a.key_id, a.created_at, a.updated_at FROM aliases a \
             JOIN keys k ON k.region = a.region AND k.key_id = a.key_id \
             WHERE a.region = ?1 AND a.name > ?2 AND (?3 IS NULL OR a.key_id = ?3) \
             AND (k.deletion_date IS NULL OR k.deletion_date > ?4) ORDER BY a.name LIMIT ?5",
            params![region.as_str(), after, key.map(|key| key.metadata.arn.key_id()), now.to_column(), limit],
            |cells| cells.alias(),
        )
    }
}

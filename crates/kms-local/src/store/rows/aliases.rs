//! Aliases.

use rusqlite::params;
use waxseal_key_service::AliasName;

use super::{Cells, Rows};
use crate::error::StoreError;
use crate::key::{Key, KeyUuid};
use crate::region::Region;
use crate::timestamp::Timestamp;

/// An alias.
pub(crate) struct AliasRow {
    pub(crate) name: AliasName,
    pub(crate) region: Region,
    pub(crate) key: KeyUuid,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Rows<'_> {
    pub(crate) fn aliases(&self) -> Result<Vec<AliasRow>, StoreError> {
        let query = "SELECT name, region, key_id, created_at, updated_at FROM aliases ORDER BY name, region";
        self.list(query, params![], |cells| cells.alias())
    }

    pub(crate) fn has_alias(&self, region: &Region, name: &AliasName) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM aliases WHERE name = ? AND region = ?)";
        self.query(query, |statement| statement.query_row([name.as_str(), region.as_str()], |row| row.get(0)))
    }

    pub(crate) fn regions_with_alias(&self, name: &AliasName) -> Result<Vec<Region>, StoreError> {
        let query = "SELECT region FROM aliases WHERE name = ? ORDER BY region";
        self.list(query, params![name.as_str()], |cells| cells.region(0))
    }

    pub(crate) fn insert_alias(&self, alias: &AliasRow) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO aliases (name, region, key_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
            params![
                alias.name.as_str(),
                alias.region.as_str(),
                alias.key.text(),
                alias.created_at.to_column(),
                alias.updated_at.to_column(),
            ],
        )
    }

    /// Lets an alias point to another key.
    pub(crate) fn set_alias_target(&self, name: &AliasName, target: &Key, now: Timestamp) -> Result<(), StoreError> {
        self.execute(
            "UPDATE aliases SET key_id = ?, updated_at = ? WHERE name = ? AND region = ?",
            params![target.metadata.arn.key_id(), now.to_column(), name.as_str(), target.region.as_str()],
        )
    }

    pub(crate) fn delete_alias(&self, region: &Region, name: &AliasName) -> Result<(), StoreError> {
        self.execute("DELETE FROM aliases WHERE name = ? AND region = ?", params![name.as_str(), region.as_str()])
    }
}

impl Cells<'_> {
    pub(super) fn alias(&self) -> Result<AliasRow, StoreError> {
        Ok(AliasRow {
            name: self.require(self.text(0)?.parse().ok(), "alias")?,
            region: self.region(1)?,
            key: self.uuid(2)?,
            created_at: self.time(3)?,
            updated_at: self.time(4)?,
        })
    }
}

//! Rows as typed values: strictly read, because whoever can write the file can write anything into them.

mod aliases;
mod cells;
mod credentials;
mod pages;
mod rotations;
mod tags;

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::error::StoreError;
use crate::key::{Key, KeyMetadata, KeyState, KeyUuid};
use crate::names::Name;
use crate::region::Region;
use crate::seal::Sealed;
use crate::seal::root_key::StoreId;
use crate::timestamp::Timestamp;
pub(crate) use aliases::AliasRow;
use cells::Cells;
pub(crate) use cells::is_material_id;
pub(crate) use tags::Tag;

/// Longest description of a key, in characters (`DescriptionType` in the service model).
pub(crate) const MAX_DESCRIPTION: usize = 8192;

/// What a store is, apart from its keys.
pub(crate) struct Meta {
    pub(crate) id: StoreId,
    pub(crate) home_region: Region,
    pub(crate) sealed: Sealed,
    pub(crate) created_at: Timestamp,
    pub(crate) last_backup_at: Option<Timestamp>,
}

/// One version of a key's material as the store keeps it.
pub(crate) struct MaterialRow {
    pub(crate) version: u32,
    pub(crate) material_id: Arc<str>,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) created_at: Timestamp,
}

const KEY_COLUMNS: &str = "k.region, k.key_id, k.description, k.key_spec, k.key_usage, k.origin, k.key_state, \
                           k.deletion_date, k.created_at, k.current_version, m.material_id, s.period_in_days, \
                           s.next_at";
const KEY_TABLES: &str = "keys k LEFT JOIN key_materials m \
                          ON m.region = k.region AND m.key_id = k.key_id AND m.version = k.current_version \
                          LEFT JOIN rotation_schedules s ON s.region = k.region AND s.key_id = k.key_id";

/// The database seen as rows. Whether in a transaction is its user's business.
pub(crate) struct Rows<'a> {
    connection: &'a Connection,
    database: &'a Path,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(connection: &'a Connection, database: &'a Path) -> Self {
        Self { connection, database }
    }

    pub(crate) fn meta(&self) -> Result<Meta, StoreError> {
        let read = |row: &Row<'_>| {
            let cells = Cells { row, database: self.database };
            Ok(cells.meta())
        };
        let columns = "SELECT store_id, home_region, seal, created_at, last_backup_at FROM meta";
        self.connection.query_row(columns, [], read).map_err(|error| self.error(error))?
    }

    pub(crate) fn insert_meta(&self, meta: &Meta) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO meta (id, store_id, home_region, seal, created_at, last_backup_at) VALUES (1, ?, ?, ?, ?, ?)",
            params![
                meta.id.as_bytes(),
                meta.home_region.as_str(),
                meta.sealed.encode(),
                meta.created_at.to_column(),
                meta.last_backup_at.map(Timestamp::to_column),
            ],
        )
    }

    pub(crate) fn set_seal(&self, sealed: &Sealed) -> Result<(), StoreError> {
        self.execute("UPDATE meta SET seal = ?", params![sealed.encode()])
    }

    pub(crate) fn set_last_backup(&self, at: Timestamp) -> Result<(), StoreError> {
        self.execute("UPDATE meta SET last_backup_at = ?", params![at.to_column()])
    }

    /// Finds a key by id or alias. A key whose deletion date has come is not found.
    pub(crate) fn key(&self, region: &Region, name: Name<'_>) -> Result<Option<Key>, StoreError> {
        let key = match name {
            Name::Id(id) => self.one_key("k.region = ?1 AND k.key_id = ?2", region, id),
            Name::Alias(alias) => self.one_key(
                "k.region = ?1 AND k.key_id = (SELECT a.key_id FROM aliases a WHERE a.name = ?2 AND a.region = ?1)",
                region,
                alias.as_str(),
            ),
        }?;
        let now = Timestamp::now();
        Ok(key.filter(|key| !key.is_gone(now)))
    }

    fn one_key(&self, condition: &str, region: &Region, name: &str) -> Result<Option<Key>, StoreError> {
        let query = format!("SELECT {KEY_COLUMNS} FROM {KEY_TABLES} WHERE {condition}");
        let read = |row: &Row<'_>| Ok(Cells { row, database: self.database }.key());
        self.query(&query, |statement| statement.query_row([region.as_str(), name], read).optional())?.transpose()
    }

    /// All keys, the gone ones too.
    pub(crate) fn keys(&self) -> Result<Vec<Key>, StoreError> {
        let query = format!("SELECT {KEY_COLUMNS} FROM {KEY_TABLES} ORDER BY k.region, k.key_id");
        self.list(&query, params![], |cells| cells.key())
    }

    pub(crate) fn count_keys(&self) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM keys", params![])
    }

    /// Keys that have material which was made at that time or later.
    pub(crate) fn count_keys_since(&self, at: Timestamp) -> Result<u64, StoreError> {
        let query = "SELECT count(*) FROM (SELECT DISTINCT region, key_id FROM key_materials WHERE created_at >= ?)";
        self.count(query, params![at.to_column()])
    }

    fn count(&self, query: &str, parameters: &[&dyn ToSql]) -> Result<u64, StoreError> {
        let count: i64 = self.query(query, |statement| statement.query_row(parameters, |row| row.get(0)))?;
        u64::try_from(count).map_err(|_| StoreError::damaged(self.database, "a negative count"))
    }

    pub(crate) fn insert_key(&self, key: KeyUuid, region: &Region, row: &NewKey<'_>) -> Result<(), StoreError> {
        let metadata = row.metadata;
        self.execute(
            "INSERT INTO keys (region, key_id, description, key_spec, key_usage, origin, key_state, deletion_date, \
             created_at, current_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                region.as_str(),
                key.text(),
                metadata.description,
                metadata.key_spec.as_str(),
                metadata.key_usage.as_str(),
                metadata.origin.as_str(),
                metadata.key_state.as_str(),
                metadata.deletion_date.map(Timestamp::to_column),
                metadata.creation_date.to_column(),
                row.current_version,
            ],
        )
    }

    pub(crate) fn set_state(
        &self,
        key: &Key,
        state: KeyState,
        deletion_date: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE keys SET key_state = ?, deletion_date = ? WHERE region = ? AND key_id = ?",
            params![
                state.as_str(),
                deletion_date.map(Timestamp::to_column),
                key.region.as_str(),
                key.metadata.arn.key_id()
            ],
        )
    }

    pub(crate) fn set_description(&self, key: &Key, description: &str) -> Result<(), StoreError> {
        self.execute(
            "UPDATE keys SET description = ? WHERE region = ? AND key_id = ?",
            params![description, key.region.as_str(), key.metadata.arn.key_id()],
        )
    }

    pub(crate) fn has_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM keys WHERE deletion_date <= ?)";
        self.query(query, |statement| statement.query_row([now.to_column()], |row| row.get(0)))
    }

    /// Deletes the keys whose deletion date has come, with their material and aliases.
    pub(crate) fn delete_due(&self, now: Timestamp) -> Result<(), StoreError> {
        self.execute("DELETE FROM keys WHERE deletion_date <= ?", params![now.to_column()])
    }

    pub(crate) fn material(
        &self,
        region: &Region,
        key: KeyUuid,
        version: u32,
    ) -> Result<Option<MaterialRow>, StoreError> {
        let rows = self.list(
            "SELECT version, material_id, wrapped, created_at FROM key_materials \
             WHERE region = ? AND key_id = ? AND version = ?",
            params![region.as_str(), key.text(), version],
            |cells| cells.material(),
        )?;
        Ok(rows.into_iter().next())
    }

    pub(crate) fn insert_material(&self, region: &Region, key: KeyUuid, row: &MaterialRow) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO key_materials (region, key_id, version, material_id, wrapped, created_at) \
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                region.as_str(),
                key.text(),
                row.version,
                &*row.material_id,
                &*row.wrapped,
                row.created_at.to_column()
            ],
        )
    }

    fn list<T>(
        &self,
        query: &str,
        arguments: impl rusqlite::Params,
        read: impl Fn(&Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let listed: Vec<Result<T, StoreError>> = self.query(query, |statement| {
            statement.query_map(arguments, |row| Ok(read(&Cells { row, database: self.database })))?.collect()
        })?;
        listed.into_iter().collect()
    }

    fn query<T>(
        &self,
        query: &str,
        run: impl FnOnce(&mut rusqlite::CachedStatement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.connection
            .prepare_cached(query)
            .and_then(|mut statement| run(&mut statement))
            .map_err(|error| self.error(error))
    }

    fn execute(&self, statement: &str, arguments: impl rusqlite::Params) -> Result<(), StoreError> {
        self.query(statement, |statement| statement.execute(arguments)).map(|_changed| ())
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        StoreError::database(self.database, error)
    }
}

/// A key to insert.
pub(crate) struct NewKey<'a> {
    pub(crate) metadata: &'a KeyMetadata,
    pub(crate) current_version: u32,
}

//! Rows as typed values: strictly read, because whoever can write the file can write anything into them.

mod credentials;
mod pages;
mod rotations;
mod tags;

use std::path::Path;
use std::sync::Arc;

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Row, params};
use waxseal_key_service::AliasName;

use crate::error::StoreError;
use crate::key::{Key, KeyMetadata, KeySpec, KeyState, KeyUsage, KeyUuid, Origin};
use crate::names::Name;
use crate::region::Region;
use crate::seal::Sealed;
use crate::seal::root_key::StoreId;
use crate::timestamp::Timestamp;
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

/// An alias.
pub(crate) struct AliasRow {
    pub(crate) name: AliasName,
    pub(crate) region: Region,
    pub(crate) key: KeyUuid,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
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
        let count: i64 =
            self.query("SELECT count(*) FROM keys", |statement| statement.query_row([], |row| row.get(0)))?;
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

/// The cells of one row.
struct Cells<'a> {
    row: &'a Row<'a>,
    database: &'a Path,
}

impl Cells<'_> {
    fn meta(&self) -> Result<Meta, StoreError> {
        let sealed: Vec<u8> = self.get(2)?;
        Ok(Meta {
            id: StoreId::from_bytes(self.get(0)?),
            home_region: self.region(1)?,
            sealed: self.require(Sealed::decode(&sealed), "seal")?,
            created_at: self.time(3)?,
            last_backup_at: self.optional_time(4)?,
        })
    }

    fn key(&self) -> Result<Key, StoreError> {
        let (region, id) = (self.region(0)?, self.uuid(1)?);
        let description: String = self.get(2)?;
        let description = Some(description).filter(|text| text.chars().count() <= MAX_DESCRIPTION);
        let key_state = self.require(KeyState::from_name(&self.text(6)?), "key state")?;
        let deletion_date = self.optional_time(7)?;
        let consistent = (key_state == KeyState::PendingDeletion) == deletion_date.is_some();
        Ok(Key {
            metadata: KeyMetadata {
                arn: id.arn(&region),
                creation_date: self.time(8)?,
                current_key_material_id: self.material_id(10)?,
                deletion_date: self.require(Some(deletion_date).filter(|_| consistent), "deletion date")?,
                description: self.require(description, "description")?,
                key_spec: self.require(KeySpec::from_name(&self.text(3)?), "key spec")?,
                key_state,
                key_usage: self.require(KeyUsage::from_name(&self.text(4)?), "key usage")?,
                origin: self.require(Origin::from_name(&self.text(5)?), "origin")?,
            },
            region,
            current_version: self.get(9)?,
            schedule: self.schedule(11)?,
        })
    }

    fn material(&self) -> Result<MaterialRow, StoreError> {
        Ok(MaterialRow {
            version: self.get(0)?,
            material_id: self.material_id(1)?,
            wrapped: self.get(2)?,
            created_at: self.time(3)?,
        })
    }

    fn alias(&self) -> Result<AliasRow, StoreError> {
        Ok(AliasRow {
            name: self.require(self.text(0)?.parse().ok(), "alias")?,
            region: self.region(1)?,
            key: self.uuid(2)?,
            created_at: self.time(3)?,
            updated_at: self.time(4)?,
        })
    }

    fn region(&self, column: usize) -> Result<Region, StoreError> {
        self.require(self.text(column)?.parse().ok(), "region")
    }

    fn uuid(&self, column: usize) -> Result<KeyUuid, StoreError> {
        self.require(KeyUuid::parse(&self.text(column)?), "key id")
    }

    fn material_id(&self, column: usize) -> Result<Arc<str>, StoreError> {
        let id: Option<String> = self.get(column)?;
        let id = self.require(id, "current version")?;
        let id = Some(id).filter(|id| is_material_id(id));
        self.require(id, "key material id").map(Arc::from)
    }

    fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.require(Timestamp::from_column(self.get(column)?), "date")
    }

    fn optional_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        let value: Option<i64> = self.get(column)?;
        value.map(|value| self.require(Timestamp::from_column(value), "date")).transpose()
    }

    fn text(&self, column: usize) -> Result<String, StoreError> {
        self.get(column)
    }

    fn get<T: FromSql>(&self, column: usize) -> Result<T, StoreError> {
        self.row.get(column).map_err(|error| StoreError::database(self.database, error))
    }

    fn require<T>(&self, value: Option<T>, what: &str) -> Result<T, StoreError> {
        value.ok_or_else(|| StoreError::damaged(self.database, format!("a row has no valid {what}")))
    }
}

/// Whether `text` is of the form of a key material id: 64 lower-case hexadecimal digits.
pub(crate) fn is_material_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

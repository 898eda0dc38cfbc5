//! Cells as typed values.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::FromSql;

use super::{MAX_DESCRIPTION, MaterialRow, Meta};
use crate::error::StoreError;
use crate::key::{Key, KeyMetadata, KeySpec, KeyState, KeyUsage, KeyUuid, Origin};
use crate::region::Region;
use crate::seal::Sealed;
use crate::seal::root_key::StoreId;
use crate::timestamp::Timestamp;

/// The cells of one row.
pub(super) struct Cells<'a> {
    pub(super) row: &'a Row<'a>,
    pub(super) database: &'a Path,
}

impl Cells<'_> {
    pub(super) fn meta(&self) -> Result<Meta, StoreError> {
        let sealed: Vec<u8> = self.get(2)?;
        Ok(Meta {
            id: StoreId::from_bytes(self.get(0)?),
            home_region: self.region(1)?,
            sealed: self.require(Sealed::decode(&sealed), "seal")?,
            created_at: self.time(3)?,
            last_backup_at: self.optional_time(4)?,
        })
    }

    pub(super) fn key(&self) -> Result<Key, StoreError> {
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

    pub(super) fn material(&self) -> Result<MaterialRow, StoreError> {
        Ok(MaterialRow {
            version: self.get(0)?,
            material_id: self.material_id(1)?,
            wrapped: self.get(2)?,
            created_at: self.time(3)?,
        })
    }

    pub(super) fn region(&self, column: usize) -> Result<Region, StoreError> {
        self.require(self.text(column)?.parse().ok(), "region")
    }

    pub(super) fn uuid(&self, column: usize) -> Result<KeyUuid, StoreError> {
        self.require(KeyUuid::parse(&self.text(column)?), "key id")
    }

    pub(super) fn material_id(&self, column: usize) -> Result<Arc<str>, StoreError> {
        let id: Option<String> = self.get(column)?;
        let id = self.require(id, "current version")?;
        let id = Some(id).filter(|id| is_material_id(id));
        self.require(id, "key material id").map(Arc::from)
    }

    pub(super) fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.require(Timestamp::from_column(self.get(column)?), "date")
    }

    pub(super) fn optional_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        let value: Option<i64> = self.get(column)?;
        value.map(|value| self.require(Timestamp::from_column(value), "date")).transpose()
    }

    pub(super) fn text(&self, column: usize) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(super) fn get<T: FromSql>(&self, column: usize) -> Result<T, StoreError> {
        self.row.get(column).map_err(|error| StoreError::database(self.database, error))
    }

    pub(super) fn require<T>(&self, value: Option<T>, what: &str) -> Result<T, StoreError> {
        value.ok_or_else(|| StoreError::damaged(self.database, format!("a row has no valid {what}")))
    }
}

/// Whether `text` is of the form of a key material id: 64 lower-case hexadecimal digits.
pub(crate) fn is_material_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

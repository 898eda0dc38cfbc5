//! Rotation schedules, and how each version of a key's material came to be.

use rusqlite::params;

use super::{Cells, MaterialRow, Rows};
use crate::error::StoreError;
use crate::key::{Key, KeyUuid, RotationType};
use crate::region::Region;
use crate::rotation::RotationSchedule;

/// A version of a key's material, and what made it; the first one was made with its key.
pub(crate) struct VersionRow {
    pub(crate) material: MaterialRow,
    pub(crate) rotation: Option<RotationType>,
}

impl Rows<'_> {
    /// Sets when a key rotates by itself, or that it does not.
    pub(crate) fn set_schedule(&self, key: &Key, schedule: Option<RotationSchedule>) -> Result<(), StoreError> {
        let (region, id) = (key.region.as_str(), key.metadata.arn.key_id());
        match schedule {
            None => {
                self.execute("DELETE FROM rotation_schedules WHERE region = ? AND key_id = ?", params![region, id])
            }
            Some(RotationSchedule { period_in_days, next_at }) => self.execute(
                "INSERT OR REPLACE INTO rotation_schedules (region, key_id, period_in_days, next_at) VALUES (?, ?, ?, ?)",
                params![region, id, period_in_days, next_at.to_column()],
            ),
        }
    }

    /// Makes a version of the material the one that encrypts.
    pub(crate) fn set_current_version(&self, key: &Key, version: u32) -> Result<(), StoreError> {
        self.execute(
            "UPDATE keys SET current_version = ? WHERE region = ? AND key_id = ?",
            params![version, key.region.as_str(), key.metadata.arn.key_id()],
        )
    }

    pub(crate) fn insert_rotation(
        &self,
        region: &Region,
        key: KeyUuid,
        version: u32,
        by: RotationType,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO rotations (region, key_id, version, rotation_type) VALUES (?, ?, ?, ?)",
            params![region.as_str(), key.text(), version, by.as_str()],
        )
    }

    /// How often the key was rotated in this way.
    pub(crate) fn count_rotations(&self, key: &Key, by: RotationType) -> Result<u32, StoreError> {
        let query = "SELECT count(*) FROM rotations WHERE region = ? AND key_id = ? AND rotation_type = ?";
        let arguments = params![key.region.as_str(), key.metadata.arn.key_id(), by.as_str()];
        self.query(query, |statement| statement.query_row(arguments, |row| row.get(0)))
    }

    /// At most `limit` versions of a key's material above `after`, in order.
    pub(crate) fn versions(&self, key: &Key, after: u32, limit: usize) -> Result<Vec<VersionRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.list(
            "SELECT m.version, m.material_id, m.wrapped, m.created_at, r.rotation_type FROM key_materials m \
             LEFT JOIN rotations r ON r.region = m.region AND r.key_id = m.key_id AND r.version = m.version \
             WHERE m.region = ? AND m.key_id = ? AND m.version > ? ORDER BY m.version LIMIT ?",
            params![key.region.as_str(), key.metadata.arn.key_id(), after, limit],
            |cells| Ok(VersionRow { material: cells.material()?, rotation: cells.rotation_type(4)? }),
        )
    }
}

impl Cells<'_> {
    fn rotation_type(&self, column: usize) -> Result<Option<RotationType>, StoreError> {
        let name: Option<String> = self.get(column)?;
        name.map(|name| self.require(RotationType::from_name(&name), "rotation type")).transpose()
    }

    /// A schedule in two columns, both of which are there or neither.
    pub(super) fn schedule(&self, column: usize) -> Result<Option<RotationSchedule>, StoreError> {
        let Some(period_in_days) = self.get(column)? else { return Ok(None) };
        let schedule = RotationSchedule::new(period_in_days, self.time(column + 1)?);
        self.require(schedule, "rotation schedule").map(Some)
    }
}

//! Rotation of a key's material: every version decrypts for ever, the newest encrypts (SEMANTICS.md, "Rotation").

use std::ops::RangeInclusive;

use thiserror::Error;
use waxseal_key_service::{ErrorCode, KeyServiceError};

use crate::error::StoreError;
use crate::key::{Key, KeyState, RotationType};
use crate::local_kms::{Haste, LocalKms};
use crate::names::Name;
use crate::refusals;
use crate::region::Region;
use crate::store::rows::Rows;
use crate::store::{Store, Usable, Wanted};
use crate::timestamp::Timestamp;

/// Most rotations on demand of one key.
const MAX_ON_DEMAND: u32 = 25;
/// Days between two rotations where nothing else is asked for.
pub(crate) const DEFAULT_PERIOD: u32 = 365;

/// When the material of a key rotates by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RotationSchedule {
    /// Days between two rotations.
    pub(crate) period_in_days: u32,
    /// The next one.
    pub(crate) next_at: Timestamp,
}

/// Days that may lie between two rotations (`RotationPeriodInDaysType` in the service model).
const PERIODS: RangeInclusive<u32> = 90..=2560;

impl RotationSchedule {
    /// Puts one together; `None` means that the period is out of bounds.
    pub(crate) fn new(period_in_days: u32, next_at: Timestamp) -> Option<Self> {
        PERIODS.contains(&period_in_days).then_some(Self { period_in_days, next_at })
    }

    /// A schedule whose first rotation is one period after `now`.
    pub(crate) fn starting(now: Timestamp, period_in_days: u32) -> Self {
        Self { period_in_days, next_at: now.after_days(period_in_days) }
    }
}

impl Key {
    /// Whether its material is to be rotated before it encrypts again. A key that is not enabled waits until it is.
    fn is_rotation_due(&self) -> bool {
        // The clock is read for the few keys only that have a schedule.
        self.schedule.is_some_and(|schedule| schedule.next_at <= Timestamp::now())
            && self.metadata.key_state == KeyState::Enabled
    }
}

/// A rotation that is due has to wait for who has the time to make it.
#[derive(Debug, Error)]
#[error("the rotation of the key is due")]
pub(crate) struct RotationDue;

impl LocalKms {
    /// Finds a key that may be used for an operation, and the material that encrypts now.
    pub(crate) fn find_current(
        &self,
        region: &Region,
        name: Name<'_>,
        operation: &str,
    ) -> Result<Usable, KeyServiceError> {
        let usable = self.store.find_usable(region, name, Wanted::Current, operation)?;
        match self.rotate_if_due(&usable.key)? {
            true => self.store.find_usable(region, name, Wanted::Current, operation),
            false => Ok(usable),
        }
    }

    /// Rotates a key if that is due; says whether it is another one now.
    pub(crate) fn rotate_if_due(&self, key: &Key) -> Result<bool, KeyServiceError> {
        match self.haste {
            _ if !key.is_rotation_due() => Ok(false),
            Haste::None => Ok(self.store.rotate(key)?),
            Haste::Great => {
                let text = "The key is about to be rotated.";
                Err(KeyServiceError::new(ErrorCode::Internal, text).with_source(RotationDue))
            }
        }
    }
}

impl Store {
    /// Rotates a key whose rotation is due; says whether it did. Another process may have been faster, and a store that cannot
    /// be written goes on with the material that it has.
    fn rotate(&self, key: &Key) -> Result<bool, StoreError> {
        let rotated = self.write(|rows| {
            let Some(key) = rows.key(&key.region, Name::Id(key.metadata.arn.key_id()))? else { return Ok(false) };
            let due = key.schedule.filter(|_| key.is_rotation_due());
            let Some(schedule) = due else { return Ok(true) };
            rotate(self, rows, &key, RotationType::Automatic)?;
            let next = RotationSchedule::starting(Timestamp::now(), schedule.period_in_days);
            rows.set_schedule(&key, Some(next))?;
            Ok(true)
        });
        match rotated {
            Err(StoreError::ReadOnly { .. } | StoreError::Full { .. } | StoreError::Busy { .. }) => Ok(false),
            rotated => rotated,
        }
    }
}

/// Rotates a key on demand, which leaves its schedule as it is.
pub(crate) fn rotate_on_demand(store: &Store, rows: &Rows<'_>, key: &Key) -> Result<(), KeyServiceError> {
    if rows.count_rotations(key, RotationType::OnDemand)? >= MAX_ON_DEMAND {
        return Err(refusals::too_many_rotations(&key.metadata.arn, MAX_ON_DEMAND));
    }
    Ok(rotate(store, rows, key, RotationType::OnDemand)?)
}

/// Makes a new version of the key's material, which encrypts from now on.
fn rotate(store: &Store, rows: &Rows<'_>, key: &Key, by: RotationType) -> Result<(), StoreError> {
    let version =
        key.current_version.checked_add(1).ok_or_else(|| store.damaged("a key has more versions than can be"))?;
    store.insert_new_material(rows, &key.region, key.id(), version)?;
    rows.insert_rotation(&key.region, key.id(), version, by)?;
    rows.set_current_version(key, version)
}

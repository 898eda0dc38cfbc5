//! EnableKeyRotation (<https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html>).

use waxseal_key_service::KeyServiceError;

use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;
use crate::rotation::{DEFAULT_PERIOD, RotationSchedule};
use crate::timestamp::Timestamp;

/// Answers the protocol's request: the key's material rotates by itself from now on, or in another period.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let period = arguments.integer("RotationPeriodInDays").map_or(DEFAULT_PERIOD, i32::unsigned_abs);
    kms.change(region, &arguments.key("KeyId")?, |rows, key| {
        key.check_rotates()?;
        key.check_usable()?;
        Ok(rows.set_schedule(key, Some(RotationSchedule::starting(Timestamp::now(), period)))?)
    })?;
    Ok(Answer::none())
}

//! GetKeyRotationStatus (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html>).

use waxseal_key_service::KeyServiceError;

use crate::key::KeyState;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: whether and when the key's material rotates by itself. A key that is pending deletion does
/// not, until its deletion is cancelled.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let key = kms.key_by_id(region, &arguments.key("KeyId")?)?;
    key.check_rotates()?;
    let schedule = key.schedule.filter(|_| key.metadata.key_state != KeyState::PendingDeletion);
    Ok(Answer::of(|answer| {
        answer.flag("KeyRotationEnabled", schedule.is_some());
        answer.text("KeyId", key.metadata.arn.as_str());
        if let Some(schedule) = schedule {
            answer.number("RotationPeriodInDays", schedule.period_in_days);
            answer.time("NextRotationDate", schedule.next_at);
        }
    }))
}

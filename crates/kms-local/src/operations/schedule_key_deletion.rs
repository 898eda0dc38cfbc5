//! ScheduleKeyDeletion (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>).

use waxseal_key_service::{KeyArn, KeyId, KeyServiceError};

use crate::key::KeyState;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::timestamp::Timestamp;

const MIN_WINDOW: i32 = 7;
const MAX_WINDOW: i32 = 30;

/// A request to delete a key after a waiting period.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleKeyDeletionRequest<'a> {
    /// The region that the request acts in.
    pub region: &'a Region,
    /// The key, by key id or key ARN.
    pub key_id: &'a KeyId,
    /// The waiting period: 7 to 30 days, 30 if not given.
    pub pending_window_in_days: Option<i32>,
}

/// When a key will be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleKeyDeletionResponse {
    /// The key.
    pub key_id: KeyArn,
    /// When its material is destroyed.
    pub deletion_date: Timestamp,
    /// Its state now.
    pub key_state: KeyState,
    /// The waiting period.
    pub pending_window_in_days: u32,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let scheduled = kms.schedule_key_deletion(&ScheduleKeyDeletionRequest {
        region,
        key_id: &arguments.key("KeyId")?,
        pending_window_in_days: arguments.integer("PendingWindowInDays"),
    })?;
    Ok(Answer::of(|answer| {
        answer.text("KeyId", scheduled.key_id.as_str());
        answer.time("DeletionDate", scheduled.deletion_date);
        answer.text("KeyState", scheduled.key_state.as_str());
        answer.number("PendingWindowInDays", scheduled.pending_window_in_days);
    }))
}

impl LocalKms {
    /// Makes a key useless now, and has its material destroyed after the waiting period.
    ///
    /// # Errors
    /// `ValidationException`, `NotFoundException`, `KMSInvalidStateException` for a key that is pending deletion already,
    /// and whatever the store answers.
    pub fn schedule_key_deletion(
        &self,
        request: &ScheduleKeyDeletionRequest<'_>,
    ) -> Result<ScheduleKeyDeletionResponse, KeyServiceError> {
        let window = request.pending_window_in_days.unwrap_or(MAX_WINDOW);
        let bounds = (i64::from(MIN_WINDOW), i64::from(MAX_WINDOW));
        if let Some(error) = refusals::out_of_range("pendingWindowInDays", window.into(), bounds.0, bounds.1) {
            return Err(error);
        }
        let days = window.unsigned_abs();
        let deletion_date = Timestamp::now().after_days(days);
        let key = self.change_state(request.region, request.key_id, |key| {
            key.check_not_pending_deletion()?;
            Ok((KeyState::PendingDeletion, Some(deletion_date)))
        })?;
        Ok(ScheduleKeyDeletionResponse {
            key_id: key.metadata.arn,
            deletion_date,
            key_state: KeyState::PendingDeletion,
            pending_window_in_days: days,
        })
    }
}

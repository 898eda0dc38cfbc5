//! CancelKeyDeletion (<https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html>).

use waxseal_key_service::{KeyArn, KeyId, KeyServiceError};

use crate::key::KeyState;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

/// A request to keep a key that was to be deleted.
#[derive(Clone, Copy, Debug)]
pub struct CancelKeyDeletionRequest<'a> {
    /// The region that the request acts in.
    pub region: &'a Region,
    /// The key, by key id or key ARN.
    pub key_id: &'a KeyId,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let key_id = &arguments.key("KeyId")?;
    let arn = kms.cancel_key_deletion(&CancelKeyDeletionRequest { region, key_id })?;
    Ok(Answer::of(|answer| answer.text("KeyId", arn.as_str())))
}

impl LocalKms {
    /// Keeps a key that was to be deleted, and gives its ARN. It is disabled until it is enabled again.
    ///
    /// # Errors
    /// `NotFoundException`, `KMSInvalidStateException` for a key that is not pending deletion, and whatever the store
    /// answers.
    pub fn cancel_key_deletion(&self, request: &CancelKeyDeletionRequest<'_>) -> Result<KeyArn, KeyServiceError> {
        let key = self.change_state(request.region, request.key_id, |key| match key.metadata.key_state {
            KeyState::PendingDeletion => Ok((KeyState::Disabled, None)),
            KeyState::Enabled | KeyState::Disabled => Err(refusals::not_pending_deletion(&key.metadata.arn)),
        })?;
        Ok(key.metadata.arn)
    }
}

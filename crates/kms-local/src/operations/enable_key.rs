//! EnableKey (<https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKey.html>).

use waxseal_key_service::{KeyId, KeyServiceError};

use crate::key::KeyState;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// A request to enable a key.
#[derive(Clone, Copy, Debug)]
pub struct EnableKeyRequest<'a> {
    /// The region that the request acts in.
    pub region: &'a Region,
    /// The key, by key id or key ARN.
    pub key_id: &'a KeyId,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    kms.enable_key(&EnableKeyRequest { region, key_id: &arguments.key("KeyId")? })?;
    Ok(Answer::none())
}

impl LocalKms {
    /// Enables a key that was disabled.
    ///
    /// # Errors
    /// `NotFoundException`, `KMSInvalidStateException` for a key that is pending deletion, and whatever the store answers.
    pub fn enable_key(&self, request: &EnableKeyRequest<'_>) -> Result<(), KeyServiceError> {
        self.change_state(request.region, request.key_id, |key| {
            key.check_not_pending_deletion()?;
            Ok((KeyState::Enabled, None))
        })
        .map(|_| ())
    }
}

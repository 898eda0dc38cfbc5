//! DisableKeyRotation (<https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKeyRotation.html>).

use waxseal_key_service::KeyServiceError;

use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: the key's material does not rotate by itself any more.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    kms.change(region, &arguments.key("KeyId")?, |rows, key| {
        key.check_rotates()?;
        key.check_usable()?;
        Ok(rows.set_schedule(key, None)?)
    })?;
    Ok(Answer::none())
}

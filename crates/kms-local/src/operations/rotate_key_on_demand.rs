//! RotateKeyOnDemand (<https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html>).

use waxseal_key_service::KeyServiceError;

use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;
use crate::rotation::rotate_on_demand;

/// Answers the protocol's request: the key gets a new version of its material at once.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let key = kms.change(region, &arguments.key("KeyId")?, |rows, key| {
        key.check_rotates()?;
        key.check_usable()?;
        rotate_on_demand(&kms.store, rows, key)
    })?;
    Ok(Answer::of(|answer| answer.text("KeyId", key.metadata.arn.as_str())))
}

//! UpdateKeyDescription (<https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateKeyDescription.html>).

use waxseal_key_service::KeyServiceError;

use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: a key gets another description.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let description = arguments.required_text("Description");
    kms.change(region, &arguments.key("KeyId")?, |rows, key| {
        key.check_not_pending_deletion()?;
        Ok(rows.set_description(key, description)?)
    })?;
    Ok(Answer::none())
}

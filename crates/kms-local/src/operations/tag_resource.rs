//! TagResource (<https://docs.aws.amazon.com/kms/latest/APIReference/API_TagResource.html>).

use waxseal_key_service::KeyServiceError;

use super::tags;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: a key gets tags, in place of older ones of the same names.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let tags = tags::of(arguments)?;
    kms.change(region, &arguments.key("KeyId")?, |rows, key| {
        key.check_not_pending_deletion()?;
        tags::set(rows, key, &tags)
    })?;
    Ok(Answer::none())
}

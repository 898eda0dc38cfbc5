//! UntagResource (<https://docs.aws.amazon.com/kms/latest/APIReference/API_UntagResource.html>).

use waxseal_key_service::KeyServiceError;

use super::tags;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: a key loses tags; those that it does not have do not matter.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    arguments.texts("TagKeys").try_for_each(tags::check_not_reserved)?;
    kms.change(region, &arguments.key("KeyId")?, |rows, key| {
        key.check_not_pending_deletion()?;
        Ok(arguments.texts("TagKeys").try_for_each(|tag_key| rows.remove_tag(key, tag_key))?)
    })?;
    Ok(Answer::none())
}

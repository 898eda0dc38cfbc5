//! GetKeyPolicy (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html>).

use waxseal_key_service::KeyServiceError;

use super::policy;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: the default policy, which every key has.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    kms.key_by_id(region, &arguments.key("KeyId")?)?;
    policy::check_name(arguments.text("PolicyName"))?;
    Ok(Answer::of(|answer| {
        answer.text("Policy", policy::DEFAULT);
        answer.text("PolicyName", policy::NAME);
    }))
}

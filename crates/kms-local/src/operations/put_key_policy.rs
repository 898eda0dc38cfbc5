//! PutKeyPolicy (<https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>).

use waxseal_key_service::KeyServiceError;

use super::policy;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: a policy other than the default one is refused.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    kms.key_by_id(region, &arguments.key("KeyId")?)?;
    policy::check_name(arguments.text("PolicyName"))?;
    policy::check(arguments.required_text("Policy"))?;
    Ok(Answer::none())
}

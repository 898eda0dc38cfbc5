//! ListKeyPolicies (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyPolicies.html>).

use waxseal_key_service::KeyServiceError;

use super::page::Page;
use super::policy;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

/// Answers the protocol's request: the one policy that a key has.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let page = Page::of(arguments, 100, 1000)?;
    // The first page is the last, so no marker was ever given out.
    if !page.after.is_empty() {
        return Err(refusals::invalid_marker());
    }
    kms.key_by_id(region, &arguments.key("KeyId")?)?;
    Ok(Answer::of(|answer| {
        answer.texts("PolicyNames", [policy::NAME]);
        answer.flag("Truncated", false);
    }))
}

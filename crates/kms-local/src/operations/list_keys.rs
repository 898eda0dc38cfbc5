//! ListKeys (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html>).

use waxseal_key_service::KeyServiceError;

use super::page::Page;
use crate::key::KeyUuid;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::timestamp::Timestamp;

/// Answers the protocol's request: the keys of the region, in every state, in the order of their ids.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let page = Page::of(arguments, 100, 1000)?;
    if !page.after.is_empty() && KeyUuid::parse(&page.after).is_none() {
        return Err(refusals::invalid_marker());
    }
    // No key of another account is shared with this one.
    let own = !arguments.has("ResourceOwners") || arguments.texts("ResourceOwners").any(|owner| owner == "SELF");
    let now = Timestamp::now();
    let wanted = if own { page.wanted() } else { 0 };
    let mut keys = kms.store.read(|_, rows| rows.key_ids(region, &page.after, wanted, now))?;
    let next = page.cut(&mut keys, |key| key.text());
    Ok(Answer::of(|answer| {
        answer.objects("Keys", keys, |entry, key| {
            entry.text("KeyId", &key.text());
            entry.text("KeyArn", key.arn(region).as_str());
        });
        next.write(answer);
    }))
}

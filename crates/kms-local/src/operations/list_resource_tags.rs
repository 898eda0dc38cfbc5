//! ListResourceTags (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ListResourceTags.html>).

use waxseal_key_service::KeyServiceError;

use super::page::Page;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: the tags of a key, in the order of their names.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let page = Page::of(arguments, 50, 50)?;
    let key = kms.key_by_id(region, &arguments.key("KeyId")?)?;
    let mut tags = kms.store.read(|_, rows| rows.tags(&key, &page.after, page.wanted()))?;
    let next = page.cut(&mut tags, |tag| tag.key.clone());
    Ok(Answer::of(|answer| {
        answer.objects("Tags", tags, |entry, tag| {
            entry.text("TagKey", &tag.key);
            entry.text("TagValue", &tag.value);
        });
        next.write(answer);
    }))
}

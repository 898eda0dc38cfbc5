//! ListAliases (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html>).

use waxseal_key_service::{AliasName, KeyServiceError};

use super::by_id;
use super::page::Page;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::timestamp::Timestamp;

/// Answers the protocol's request: the aliases of the region or of one key, in the order of their names.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let page = Page::of(arguments, 50, 100)?;
    if !page.after.is_empty() && page.after.parse::<AliasName>().is_err() {
        return Err(refusals::invalid_marker());
    }
    let key_id = arguments.optional_key("KeyId")?;
    let name = key_id.as_ref().map(|key_id| by_id(region, key_id)).transpose()?;
    let now = Timestamp::now();
    let mut aliases = kms.store.read::<_, KeyServiceError>(|_, rows| {
        let key = name.map(|name| rows.key(region, name)?.ok_or_else(|| name.not_found(region))).transpose()?;
        Ok(rows.aliases_of(region, key.as_ref(), &page.after, page.wanted(), now)?)
    })?;
    let next = page.cut(&mut aliases, |alias| alias.name.as_str().to_owned());
    Ok(Answer::of(|answer| {
        answer.objects("Aliases", aliases, |entry, alias| {
            entry.text("AliasName", alias.name.as_str());
            entry.text("AliasArn", &refusals::alias_arn(region, alias.name.as_str()));
            entry.text("TargetKeyId", &alias.key.text());
            entry.time("CreationDate", alias.created_at);
            entry.time("LastUpdatedDate", alias.updated_at);
        });
        next.write(answer);
    }))
}

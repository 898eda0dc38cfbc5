//! UpdateAlias (<https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateAlias.html>).

use waxseal_key_service::KeyServiceError;

use super::by_id;
use crate::key::KeySpec;
use crate::local_kms::LocalKms;
use crate::names::{Name, parse_alias_name};
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::timestamp::Timestamp;

/// Answers the protocol's request: an alias points to another key of the same type and usage.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let alias = parse_alias_name(arguments.required_text("AliasName"))?;
    let target = arguments.key("TargetKeyId")?;
    refusals::check_not_reserved(&alias)?;
    if matches!(Name::within(region, &target)?, Name::Alias(_)) {
        return Err(refusals::alias_of_an_alias());
    }
    let target = by_id(region, &target)?;
    let name = Name::Alias(&alias);
    kms.store.write(|rows| {
        let current = rows.key(region, name)?.ok_or_else(|| name.not_found(region))?.metadata;
        let new = rows.key(region, target)?.ok_or_else(|| target.not_found(region))?;
        let is_symmetric = |spec| spec == KeySpec::SymmetricDefault;
        if is_symmetric(current.key_spec) != is_symmetric(new.metadata.key_spec)
            || current.key_usage != new.metadata.key_usage
        {
            return Err(refusals::alias_of_another_kind());
        }
        new.check_not_pending_deletion()?;
        Ok(rows.set_alias_target(&alias, &new, Timestamp::now())?)
    })?;
    Ok(Answer::none())
}

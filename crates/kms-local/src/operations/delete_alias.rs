//! DeleteAlias (<https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteAlias.html>).

use waxseal_key_service::KeyServiceError;

use crate::local_kms::LocalKms;
use crate::names::{Name, parse_alias_name};
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

/// Answers the protocol's request: a key loses a name, whatever its state.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let alias = parse_alias_name(arguments.required_text("AliasName"))?;
    refusals::check_not_reserved(&alias)?;
    let name = Name::Alias(&alias);
    kms.store.write(|rows| {
        if rows.key(region, name)?.is_none() {
            return Err(name.not_found(region));
        }
        Ok(rows.delete_alias(region, &alias)?)
    })?;
    Ok(Answer::none())
}

//! CreateAlias (<https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html>).

use waxseal_key_service::{AliasName, KeyId, KeyServiceError};

use crate::local_kms::LocalKms;
use crate::names::{Name, parse_alias_name};
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;
use crate::store::rows::AliasRow;
use crate::timestamp::Timestamp;

/// A request for a new alias.
#[derive(Clone, Copy, Debug)]
pub struct CreateAliasRequest<'a> {
    /// The region of the alias and its key.
    pub region: &'a Region,
    /// The alias. Those that begin with `alias/aws/` are reserved.
    pub alias_name: &'a AliasName,
    /// The key, by key id or key ARN.
    pub target_key_id: &'a KeyId,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let alias_name = &parse_alias_name(arguments.required_text("AliasName"))?;
    let target_key_id = &arguments.key("TargetKeyId")?;
    kms.create_alias(&CreateAliasRequest { region, alias_name, target_key_id })?;
    Ok(Answer::none())
}

impl LocalKms {
    /// Gives a key a further name.
    ///
    /// # Errors
    /// `AlreadyExistsException`, `NotAuthorizedException` for a reserved alias, `NotFoundException`,
    /// `KMSInvalidStateException` for a key that is pending deletion, and whatever the store answers.
    pub fn create_alias(&self, request: &CreateAliasRequest<'_>) -> Result<(), KeyServiceError> {
        let CreateAliasRequest { region, alias_name, target_key_id } = *request;
        refusals::check_not_reserved(alias_name)?;
        let target = Name::within(region, target_key_id)?;
        if matches!(target, Name::Alias(_)) {
            return Err(refusals::alias_of_an_alias());
        }
        self.store.write(|rows| {
            let key = rows.key(region, target)?.ok_or_else(|| target.not_found(region))?;
            key.check_not_pending_deletion()?;
            if rows.has_alias(region, alias_name)? {
                return Err(refusals::alias_exists(&refusals::alias_arn(region, alias_name.as_str())));
            }
            let now = Timestamp::now();
            rows.insert_alias(&AliasRow {
                name: alias_name.clone(),
                region: region.clone(),
                key: key.id(),
                created_at: now,
                updated_at: now,
            })?;
            Ok(())
        })
    }
}

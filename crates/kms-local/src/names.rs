//! From the name in a request to what to look up: the four forms of a key's name, and where each is valid.

use waxseal_key_service::{AliasName, KeyArn, KeyId, KeyIdError, KeyServiceError, LOCAL_ACCOUNT};

use crate::key::KeyUuid;
use crate::refusals;
use crate::region::Region;

/// Longest key name, in bytes (`KeyIdType` in the service model).
const MAX_KEY_ID_LEN: usize = 2048;
/// `AliasNameType` in the service model.
const ALIAS_PATTERN: &str = "^[a-zA-Z0-9:/_-]+$";

/// Reads the `KeyId` of a request, with AWS KMS's errors.
///
/// # Errors
/// `NotFoundException` for a text that names nothing, `ValidationException` for one that is too long.
pub fn parse_key_id(text: &str) -> Result<KeyId, KeyServiceError> {
    text.parse().map_err(|error| match error {
        KeyIdError::TooLong => refusals::too_long("keyId", MAX_KEY_ID_LEN),
        KeyIdError::Arn(_) => refusals::invalid_arn(text),
        _ => refusals::invalid_key_id(text),
    })
}

/// Reads the `AliasName` of a request, with AWS KMS's errors.
///
/// # Errors
/// `ValidationException` for a text without `alias/` in front or with characters that the service model does not allow,
/// `InvalidAliasNameException` for what else is no alias.
pub fn parse_alias_name(text: &str) -> Result<AliasName, KeyServiceError> {
    if !text.starts_with("alias/") {
        return Err(refusals::alias_without_prefix());
    }
    text.parse().map_err(|_| {
        match text.bytes().all(|byte| byte == b':' || byte.is_ascii_alphanumeric() || b"/_-".contains(&byte)) {
            true => refusals::invalid_alias_name(text),
            false => refusals::breaks_pattern("aliasName", text, ALIAS_PATTERN),
        }
    })
}

/// A key within one region.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name<'a> {
    /// By its key id.
    Id(&'a str),
    /// By an alias.
    Alias(&'a AliasName),
}

impl<'a> Name<'a> {
    /// Reads a request's name of a key as a name within the request's region.
    pub(crate) fn within(region: &Region, key: &'a KeyId) -> Result<Self, KeyServiceError> {
        match key {
            KeyId::Id(id) => Ok(Self::Id(id)),
            KeyId::Alias(name) => Ok(Self::Alias(name)),
            KeyId::Arn(arn) => {
                check_region(region, arn.region())?;
                // Another account or partition: no key of this service has such an ARN.
                if !could_be_here(arn) {
                    return Err(refusals::key_not_found(arn));
                }
                Ok(Self::Id(arn.key_id()))
            }
            KeyId::AliasArn { region: named, account, name } => {
                check_region(region, named)?;
                if account != LOCAL_ACCOUNT {
                    return Err(refusals::alias_not_found(&key.to_string()));
                }
                Ok(Self::Alias(name))
            }
        }
    }

    /// The refusal of a name that names nothing.
    pub(crate) fn not_found(self, region: &Region) -> KeyServiceError {
        match self {
            Self::Id(id) => match KeyArn::new(region.as_str(), LOCAL_ACCOUNT, id) {
                Ok(arn) => refusals::key_not_found(&arn),
                Err(_) => refusals::invalid_key_id(id),
            },
            Self::Alias(name) => refusals::alias_not_found(&refusals::alias_arn(region, name.as_str())),
        }
    }
}

/// Whether an ARN differs from those of this service's keys in its region and key id only.
fn could_be_here(arn: &KeyArn) -> bool {
    arn.as_str().starts_with("arn:aws:") && arn.account() == LOCAL_ACCOUNT && KeyUuid::parse(arn.key_id()).is_some()
}

fn check_region(region: &Region, named: &str) -> Result<(), KeyServiceError> {
    if named == region.as_str() { Ok(()) } else { Err(refusals::invalid_arn(named)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-44cd-96ef-1234567890ab";

    fn refusal(key: &str) -> String {
        let key = parse_key_id(key).unwrap();
        let error = Name::within(&Region::default(), &key).unwrap_err();
        error.message().unwrap_or_default().to_owned()
    }

    #[test]
    fn arns_of_other_regions_and_accounts_name_nothing_here() {
        assert_eq!(refusal(&format!("arn:aws:kms:us-west-2:{LOCAL_ACCOUNT}:key/{ID}")), "Invalid arn us-west-2");
        assert_eq!(refusal(&format!("arn:aws:kms:us-west-2:{LOCAL_ACCOUNT}:alias/x")), "Invalid arn us-west-2");
        let other = format!("arn:aws:kms:us-east-1:111122223333:key/{ID}");
        assert_eq!(refusal(&other), format!("Key '{other}' does not exist"));
        let china = format!("arn:aws-cn:kms:us-east-1:{LOCAL_ACCOUNT}:key/{ID}");
        assert_eq!(refusal(&china), format!("Key '{china}' does not exist"));
        let alias = "arn:aws:kms:us-east-1:111122223333:alias/x";
        assert_eq!(refusal(alias), format!("Alias {alias} is not found."));
    }

    #[test]
    fn texts_that_name_nothing_are_refused_in_the_words_of_aws() {
        let text = |key: &str| parse_key_id(key).unwrap_err().to_string();
        assert_eq!(text("fake-key-id"), "NotFoundException: Invalid keyId 'fake-key-id'");
        assert_eq!(text("arn:aws:kms:x"), "NotFoundException: Invalid arn arn:aws:kms:x");
        assert!(text(&"x".repeat(2049)).contains("less than or equal to 2048"));
        assert!(parse_alias_name("x").unwrap_err().to_string().contains("must start with the prefix \"alias/\""));
        assert!(parse_alias_name("alias/a b").unwrap_err().to_string().contains("regular expression pattern"));
    }
}

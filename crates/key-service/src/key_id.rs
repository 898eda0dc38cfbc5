//! How KMS keys are named: key ids, key ARNs, alias names and alias ARNs.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Provider;

/// The account of every key of the embedded KMS. No AWS account has this number.
pub const LOCAL_ACCOUNT: &str = "000000000000";

/// Longest name of a key that AWS KMS takes, in bytes (`KeyIdType` in the service model).
const MAX_KEY_ID_LEN: usize = 2048;
/// Longest alias name that AWS KMS takes, in bytes, its `alias/` included (`AliasNameType` in the service model).
const MAX_ALIAS_LEN: usize = 256;

/// A text that names no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyIdError {
    /// None of the four forms.
    #[error("{0:?} is not a key id, key ARN, alias name or alias ARN")]
    Unknown(String),
    /// It begins like an ARN of KMS but is not one.
    #[error("{0:?} is not a KMS key ARN of the form arn:aws:kms:REGION:ACCOUNT:key/ID")]
    Arn(String),
    /// It begins with `alias/` but breaks the rules for alias names.
    #[error("{0:?} is not an alias name: alias/ and 1 to 250 of the characters a-z A-Z 0-9 / _ -")]
    Alias(String),
    /// The prefix says one service, the account in the ARN another.
    #[error("{0:?} says {1} but its ARN belongs to the other key service")]
    ProviderMismatch(String, Provider),
    /// Longer than AWS KMS takes.
    #[error("longer than 2048 bytes")]
    TooLong,
}

/// The Amazon resource name of a KMS key: `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyArn {
    text: String,
    region: (usize, usize),
    account: (usize, usize),
}

impl KeyArn {
    /// Puts an ARN of partition `aws` together.
    ///
    /// # Errors
    /// A part is not of the form that ARNs allow.
    pub fn new(region: &str, account: &str, key_id: &str) -> Result<Self, KeyIdError> {
        format!("arn:aws:kms:{region}:{account}:key/{key_id}").parse()
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition of AWS: `aws`, or for instance `aws-cn`.
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.text["arn:".len()..self.region.0 - ":kms:".len()]
    }

    /// The region, for instance `us-east-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.text[self.region.0..self.region.1]
    }

    /// The account number, twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.text[self.account.0..self.account.1]
    }

    /// The key id: a UUID, or `mrk-` and 32 hexadecimal digits.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.text[self.account.1 + ":key/".len()..]
    }

    /// Whether it is a multi-Region key, which may have replicas of the same key id and material in other regions
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>).
    #[must_use]
    pub fn is_multi_region(&self) -> bool {
        self.key_id().starts_with("mrk-")
    }

    /// Whether both name the same key, a multi-Region key in whichever region.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        let same = |part: fn(&Self) -> &str| part(self) == part(other);
        let same_key = same(Self::partition) && same(Self::account) && same(Self::key_id);
        same_key && (same(Self::region) || self.is_multi_region())
    }

    /// The ARN that the same key id has in another region.
    ///
    /// # Errors
    /// The region is not of the form that ARNs allow.
    pub fn in_region(&self, region: &str) -> Result<Self, KeyIdError> {
        format!("arn:{}:kms:{region}:{}:key/{}", self.partition(), self.account(), self.key_id()).parse()
    }

    /// The service that owns the account in the ARN.
    #[must_use]
    pub fn provider(&self) -> Provider {
        provider_of_account(self.account())
    }
}

impl FromStr for KeyArn {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let parts = split_arn(text).ok_or_else(|| KeyIdError::Arn(text.to_owned()))?;
        let key_id = parts.resource.strip_prefix("key/").ok_or_else(|| KeyIdError::Arn(text.to_owned()))?;
        if !is_key_id(key_id) {
            return Err(KeyIdError::Arn(text.to_owned()));
        }
        Ok(Self { text: text.to_owned(), region: parts.region, account: parts.account })
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyArn({})", self.text)
    }
}

/// The name of an alias, its `alias/` included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasName(String);

impl AliasName {
    /// The name, its `alias/` included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AliasName {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let name = text.strip_prefix("alias/").unwrap_or_default();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
        if name.is_empty() || text.len() > MAX_ALIAS_LEN || !name.bytes().all(allowed) {
            return Err(KeyIdError::Alias(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whatever AWS KMS takes as a `KeyId`: key id, key ARN, alias name or alias ARN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyId {
    /// A bare key id: a UUID, or `mrk-` and 32 hexadecimal digits.
    Id(String),
    /// A key ARN.
    Arn(KeyArn),
    /// An alias name.
    Alias(AliasName),
    /// An alias ARN: the region and account it belongs to, and the name.
    AliasArn {
        /// The region, for instance `us-east-1`.
        region: String,
        /// The account number, twelve digits.
        account: String,
        /// The alias.
        name: AliasName,
    },
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        if text.len() > MAX_KEY_ID_LEN {
            return Err(KeyIdError::TooLong);
        }
        if text.starts_with("alias/") {
            return text.parse().map(Self::Alias);
        }
        if text.starts_with("arn:") {
            let parts = split_arn(text).ok_or_else(|| KeyIdError::Arn(text.to_owned()))?;
            if parts.resource.starts_with("alias/") {
                return Ok(Self::AliasArn {
                    region: text[parts.region.0..parts.region.1].to_owned(),
                    account: text[parts.account.0..parts.account.1].to_owned(),
                    name: parts.resource.parse()?,
                });
            }
            return text.parse().map(Self::Arn);
        }
        if is_key_id(text) {
            return Ok(Self::Id(text.to_owned()));
        }
        Err(KeyIdError::Unknown(text.to_owned()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Arn(arn) => arn.fmt(f),
            Self::Alias(name) => name.fmt(f),
            Self::AliasArn { region, account, name } => write!(f, "arn:aws:kms:{region}:{account}:{name}"),
        }
    }
}

/// A key as a person names it on the command line: which service, and which key of it.
///
/// An ARN says the service by its account ([`LOCAL_ACCOUNT`] is the embedded KMS); a bare key id or an alias is the
/// embedded KMS; `local:` or `aws:` in front says it outright.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyReference {
    /// The service that has the key.
    pub provider: Provider,
    /// The key.
    pub key: KeyId,
}

impl FromStr for KeyReference {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let (said, rest) = match text.split_once(':') {
            Some(("local", rest)) => (Some(Provider::Local), rest),
            Some(("aws", rest)) => (Some(Provider::Aws), rest),
            _ => (None, text),
        };
        let key: KeyId = rest.parse()?;
        let by_account = match &key {
            KeyId::Arn(arn) => Some(arn.provider()),
            KeyId::AliasArn { account, .. } => Some(provider_of_account(account)),
            KeyId::Id(_) | KeyId::Alias(_) => None,
        };
        match (said, by_account) {
            // A KMS of one's own may serve any account under the AWS protocol, the embedded one's included.
            (Some(Provider::Local), Some(Provider::Aws)) => {
                Err(KeyIdError::ProviderMismatch(text.to_owned(), Provider::Local))
            }
            (said, by_account) => Ok(Self { provider: said.or(by_account).unwrap_or(Provider::Local), key }),
        }
    }
}

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_account = match &self.key {
            KeyId::Arn(arn) => Some(arn.provider()),
            KeyId::AliasArn { account, .. } => Some(provider_of_account(account)),
            KeyId::Id(_) | KeyId::Alias(_) => None,
        };
        if by_account == Some(self.provider) { self.key.fmt(f) } else { write!(f, "{}:{}", self.provider, self.key) }
    }
}

fn provider_of_account(account: &str) -> Provider {
    if account == LOCAL_ACCOUNT { Provider::Local } else { Provider::Aws }
}

/// Whether `text` is of the form of a key id: a lower-case UUID, or a multi-Region key's `mrk-` and 32 hex digits.
fn is_key_id(text: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if let Some(digits) = text.strip_prefix("mrk-") {
        return digits.len() == 32 && digits.bytes().all(hex);
    }
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => hex(byte),
        })
}

struct ArnParts<'a> {
    region: (usize, usize),
    account: (usize, usize),
    resource: &'a str,
}

/// Splits `arn:PARTITION:kms:REGION:ACCOUNT:RESOURCE`, with the regions' and accounts' character sets checked.
fn split_arn(text: &str) -> Option<ArnParts<'_>> {
    if text.len() > MAX_KEY_ID_LEN {
        return None;
    }
    let mut parts = text.splitn(6, ':');
    let (scheme, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let name =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let in_form = scheme == "arn"
        && (partition == "aws" || partition.starts_with("aws-"))
        && name(partition)
        && service == "kms"
        && name(region)
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit());
    if !in_form {
        return None;
    }
    let region_start = scheme.len() + partition.len() + service.len() + 3;
    let region_end = region_start + region.len();
    Some(ArnParts {
        region: (region_start, region_end),
        account: (region_end + 1, region_end + 1 + account.len()),
        resource,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    fn reference(text: &str) -> Result<KeyReference, KeyIdError> {
        text.parse()
    }

    #[test]
    fn an_arn_gives_its_parts() {
        let arn: KeyArn = format!("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/{ID}").parse().unwrap();
        assert_eq!((arn.region(), arn.account(), arn.key_id()), ("us-gov-west-1", "111122223333", ID));
        assert_eq!(arn.provider(), Provider::Aws);
        assert_eq!(KeyArn::new("us-east-1", LOCAL_ACCOUNT, ID).unwrap().provider(), Provider::Local);
    }

    #[test]
    fn a_multi_region_key_is_the_same_in_every_region_of_its_partition_and_account() {
        let arn: KeyArn =
            "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab".parse().unwrap();
        let elsewhere = arn.in_region("us-east-2").unwrap();
        assert!(arn.is_multi_region() && elsewhere.region() == "us-east-2" && arn.is_same_key(&elsewhere));
        let chinese: KeyArn = arn.as_str().replace("arn:aws:", "arn:aws-cn:").parse().unwrap();
        assert_eq!((arn.partition(), chinese.partition()), ("aws", "aws-cn"));
        let single = KeyArn::new("eu-west-1", "111122223333", ID).unwrap();
        for other in [chinese, single.clone(), arn.as_str().replace("3333:", "3334:").parse().unwrap()] {
            assert!(!arn.is_same_key(&other), "{other}");
        }
        assert!(single.is_same_key(&single) && !single.is_same_key(&single.in_region("us-east-2").unwrap()));
        assert!(arn.in_region("us east").is_err());
    }

    #[test]
    fn a_typed_key_says_its_service_by_account_or_prefix() {
        let aws = format!("arn:aws:kms:eu-west-1:111122223333:key/{ID}");
        let local = format!("arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:key/{ID}");
        assert_eq!(reference(&aws).unwrap().provider, Provider::Aws);
        assert_eq!(reference(&local).unwrap().provider, Provider::Local);
        assert_eq!(reference(ID).unwrap().provider, Provider::Local);
        assert_eq!(reference("alias/x").unwrap().provider, Provider::Local);
        assert_eq!(reference("aws:alias/x").unwrap().provider, Provider::Aws);
        assert_eq!(reference(&format!("aws:{local}")).unwrap().provider, Provider::Aws);
        assert!(matches!(reference(&format!("local:{aws}")), Err(KeyIdError::ProviderMismatch(..))));
        for text in [&aws, &local, "aws:alias/x", &format!("local:{ID}"), &format!("aws:{local}")] {
            assert_eq!(reference(text).unwrap().to_string(), *text);
        }
    }

    #[test]
    fn what_names_no_key_is_refused() {
        let long = format!("alias/{}", "x".repeat(251));
        let upper = ID.to_uppercase();
        for text in ["", "x", "alias/", "alias/a b", &long, &upper, "arn:aws:kms:r:1:key/x", "arn:aws:s3:::b", "mrk-12"]
        {
            assert!(text.parse::<KeyId>().is_err(), "{text}");
        }
        for text in [
            format!("arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:key/{ID}/x"),
            format!("arn:aws:kms:us east:{LOCAL_ACCOUNT}:key/{ID}"),
            format!("arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:alias/x"),
        ] {
            assert!(text.parse::<KeyArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_form_is_shown_as_it_was_typed() {
        for text in [
            ID.to_owned(),
            "mrk-1234abcd12ab34cd56ef1234567890ab".to_owned(),
            "alias/a/b_c-D9".to_owned(),
            format!("arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:key/{ID}"),
            format!("arn:aws:kms:us-east-1:{LOCAL_ACCOUNT}:alias/x"),
        ] {
            assert_eq!(text.parse::<KeyId>().unwrap().to_string(), text);
        }
    }
}

//! Which keys may open a container. The keys in a container are claims of whoever wrote it: none of them is a reason to call
//! anybody.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use waxseal_key_service::{EncryptedDataKey, KeyArn, KeyId, KeyReference, Provider};

/// The keys that may open a container. By default these are all keys of the embedded KMS, and no others.
#[derive(Clone, Debug, Default)]
pub struct AllowedKeys {
    /// Those of the embedded KMS.
    pub local: LocalKeys,
    /// Those of AWS KMS, by name. A multi-Region key is the same in every region.
    pub aws: Vec<KeyId>,
    /// Accounts of AWS any key of which may be used.
    pub discovery: Vec<AwsAccount>,
}

/// Which keys of the embedded KMS may open a container.
#[derive(Clone, Debug, Default)]
pub enum LocalKeys {
    /// Each that it has: asking it costs nothing and tells nobody.
    #[default]
    Every,
    /// These.
    Only(Vec<KeyId>),
}

/// An account of AWS, in its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsAccount {
    partition: String,
    number: String,
}

/// A text that names no account of AWS.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not an AWS account: 12 digits, with the partition in front if it is not aws, as in aws-cn:111122223333"
)]
pub struct AwsAccountError(String);

impl AllowedKeys {
    /// These keys and no others.
    #[must_use]
    pub fn only(keys: Vec<KeyReference>) -> Self {
        let (local, aws): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.provider == Provider::Local);
        let ids = |keys: Vec<KeyReference>| keys.into_iter().map(|reference| reference.key).collect();
        Self { local: LocalKeys::Only(ids(local)), aws: ids(aws), discovery: Vec::new() }
    }

    /// The keys of a service that are allowed by name.
    pub(crate) fn named(&self, provider: Provider) -> &[KeyId] {
        match (provider, &self.local) {
            (Provider::Aws, _) => &self.aws,
            (Provider::Local, LocalKeys::Only(keys)) => keys,
            (Provider::Local, LocalKeys::Every) => &[],
        }
    }

    /// Whether a key is allowed without being named.
    pub(crate) fn allows_unnamed(&self, key: &EncryptedDataKey) -> bool {
        match key.provider {
            Provider::Local => matches!(self.local, LocalKeys::Every),
            Provider::Aws => self.discovery.iter().any(|account| account.owns(&key.key_arn)),
        }
    }
}

impl AwsAccount {
    fn owns(&self, key: &KeyArn) -> bool {
        self.partition == key.partition() && self.number == key.account()
    }
}

impl FromStr for AwsAccount {
    type Err = AwsAccountError;

    fn from_str(text: &str) -> Result<Self, AwsAccountError> {
        let (partition, number) = text.split_once(':').unwrap_or(("aws", text));
        let is_partition = partition == "aws"
            || partition.strip_prefix("aws-").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            });
        if !is_partition || number.len() != 12 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AwsAccountError(text.to_owned()));
        }
        Ok(Self { partition: partition.to_owned(), number: number.to_owned() })
    }
}

impl fmt::Display for AwsAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partition.as_str() {
            "aws" => f.write_str(&self.number),
            partition => write!(f, "{partition}:{}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn key(provider: Provider, arn: &str) -> EncryptedDataKey {
        EncryptedDataKey { provider, key_arn: arn.parse().unwrap(), ciphertext_blob: vec![1] }
    }

    #[test]
    fn by_default_only_the_embedded_kms_is_asked() {
        let allowed = AllowedKeys::default();
        assert!(allowed.allows_unnamed(&key(Provider::Local, ARN)));
        assert!(!allowed.allows_unnamed(&key(Provider::Aws, ARN)));
        assert!(allowed.named(Provider::Local).is_empty() && allowed.named(Provider::Aws).is_empty());
    }

    #[test]
    fn named_keys_exclude_all_others() {
        let allowed = AllowedKeys::only(vec![ARN.parse().unwrap(), "alias/x".parse().unwrap()]);
        assert!(
            !allowed.allows_unnamed(&key(Provider::Local, ARN)) && !allowed.allows_unnamed(&key(Provider::Aws, ARN))
        );
        assert_eq!((allowed.named(Provider::Local).len(), allowed.named(Provider::Aws).len()), (1, 1));
    }

    #[test]
    fn discovery_allows_one_account_of_one_partition() {
        let allowed = AllowedKeys { discovery: vec!["111122223333".parse().unwrap()], ..AllowedKeys::default() };
        assert!(allowed.allows_unnamed(&key(Provider::Aws, ARN)));
        assert!(!allowed.allows_unnamed(&key(Provider::Aws, &ARN.replace("1111", "4444"))));
        assert!(!allowed.allows_unnamed(&key(Provider::Aws, &ARN.replace("aws:", "aws-cn:"))));
        for (text, shown) in
            [("aws:111122223333", "111122223333"), ("aws-us-gov:111122223333", "aws-us-gov:111122223333")]
        {
            assert_eq!(text.parse::<AwsAccount>().unwrap().to_string(), shown);
        }
        for text in
            ["", "11112222333", "1111222233334", "11112222333x", ":111122223333", "aws-:111122223333", "x:111122223333"]
        {
            assert!(text.parse::<AwsAccount>().is_err(), "{text}");
        }
    }
}

//! What protects a key store, by its name on the command line.

use std::fmt;
use std::str::FromStr;

use waxseal_key_service::{KeyReference, Provider};

/// The seals by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SealName {
    /// A key file beside the store, readable by its owner only.
    Keyfile,
    /// A passphrase.
    Passphrase,
    /// A key of AWS KMS.
    Key(KeyReference),
}

impl SealName {
    /// What the help says.
    pub(crate) const HELP: &str = "What protects the keys

Possible values:
- keyfile:    A key file beside the store, readable by its owner only
- passphrase: A passphrase
- aws:KEY:    A key of AWS KMS, also by its ARN alone: the store opens
              for whoever may call Decrypt with it";
}

impl FromStr for SealName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keyfile" => Ok(Self::Keyfile),
            "passphrase" => Ok(Self::Passphrase),
            _ => match text.parse() {
                Ok(key @ KeyReference { provider: Provider::Aws, .. }) => Ok(Self::Key(key)),
                _ => Err("it is keyfile, passphrase, or a key of AWS KMS: its ARN, or aws: and its id or alias".into()),
            },
        }
    }
}

impl fmt::Display for SealName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyfile => f.write_str("keyfile"),
            Self::Passphrase => f.write_str("passphrase"),
            Self::Key(key) => key.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_one_of_two_words_or_a_key_of_aws() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        for text in ["keyfile", "passphrase", "aws:alias/x", arn] {
            assert_eq!(text.parse::<SealName>().unwrap().to_string(), text);
        }
        let own = arn.replace("111122223333", "000000000000");
        assert!(format!("aws:{own}").parse::<SealName>().is_ok());
        for text in ["", "alias/x", "local:alias/x", &own, "Keyfile"] {
            assert!(text.parse::<SealName>().is_err(), "{text}");
        }
    }
}

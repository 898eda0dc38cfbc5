//! What a KMS key is, its material apart.

use std::sync::Arc;

use uuid::Uuid;
use waxseal_key_service::{KeyArn, KeyServiceError, LOCAL_ACCOUNT, SecretBytes};

use crate::refusals;
use crate::region::Region;
use crate::rotation::RotationSchedule;
use crate::timestamp::Timestamp;

/// The version of a new key's material.
pub(crate) const FIRST_VERSION: u32 = 1;

/// A KMS key as DescribeKey shows it
/// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMetadata {
    /// The key's ARN.
    pub arn: KeyArn,
    /// When the key was made.
    pub creation_date: Timestamp,
    /// The id of the material that encrypts now: 64 hexadecimal digits.
    pub current_key_material_id: Arc<str>,
    /// When the material is destroyed, for a key that is pending deletion.
    pub deletion_date: Option<Timestamp>,
    /// What its maker wrote about it.
    pub description: String,
    /// The kind of its material.
    pub key_spec: KeySpec,
    /// Whether it may be used.
    pub key_state: KeyState,
    /// What it may be used for.
    pub key_usage: KeyUsage,
    /// Where its material comes from.
    pub origin: Origin,
}

impl KeyMetadata {
    /// Whether the key is in the state `Enabled`.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.key_state == KeyState::Enabled
    }
}

/// Declares an enum whose members have the names that AWS and the store use.
macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$member_about:meta])* $member:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$member_about])* $member,)+
        }

        impl $name {
            /// The name in AWS KMS.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$member => $text,)+ }
            }

            /// Reads the name as the store writes it.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$member),)+ _ => None }
            }
        }
    };
}

named! {
    /// The state of a KMS key (<https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>).
    KeyState {
        /// It does everything.
        Enabled = "Enabled",
        /// It does nothing until it is enabled again.
        Disabled = "Disabled",
        /// It does nothing, and its material is destroyed at the deletion date.
        PendingDeletion = "PendingDeletion",
    }
}

named! {
    /// The kind of a KMS key's material.
    KeySpec {
        /// A 256-bit key for AES-GCM-SIV that never leaves the store.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// An RSA key pair of 2048 bits.
        Rsa2048 = "RSA_2048",
        /// An RSA key pair of 3072 bits.
        Rsa3072 = "RSA_3072",
        /// An RSA key pair of 4096 bits.
        Rsa4096 = "RSA_4096",
        /// A key pair on NIST's curve P-256.
        EccNistP256 = "ECC_NIST_P256",
        /// A key pair on NIST's curve P-384.
        EccNistP384 = "ECC_NIST_P384",
        /// A key pair on NIST's curve P-521.
        EccNistP521 = "ECC_NIST_P521",
        /// A key pair on the curve secp256k1.
        EccSecgP256k1 = "ECC_SECG_P256K1",
        /// An Ed25519 key pair.
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
    }
}

named! {
    /// What a KMS key may be used for.
    KeyUsage {
        /// Encryption and decryption, of data keys above all.
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        /// Signing and verification, which the embedded KMS does not do.
        SignVerify = "SIGN_VERIFY",
        /// Deriving shared secrets, which the embedded KMS does not do.
        KeyAgreement = "KEY_AGREEMENT",
    }
}

named! {
    /// Where a KMS key's material comes from.
    Origin {
        /// The key service made it.
        AwsKms = "AWS_KMS",
    }
}

named! {
    /// What made a new version of a key's material.
    RotationType {
        /// Its schedule.
        Automatic = "AUTOMATIC",
        /// RotateKeyOnDemand.
        OnDemand = "ON_DEMAND",
    }
}

/// A key as the store keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) metadata: KeyMetadata,
    pub(crate) region: Region,
    /// The version of the material that encrypts now.
    pub(crate) current_version: u32,
    /// When its material rotates by itself, if it does.
    pub(crate) schedule: Option<RotationSchedule>,
}

impl Key {
    /// The key id as 16 bytes, the form that ciphertexts carry.
    pub(crate) fn id(&self) -> KeyUuid {
        KeyUuid::parse(self.metadata.arn.key_id()).expect("the store takes and gives UUIDs only")
    }

    /// Refuses a key that may not be used: what every cryptographic operation asks first (SEMANTICS.md, "States").
    pub(crate) fn check_usable(&self) -> Result<(), KeyServiceError> {
        match self.metadata.key_state {
            KeyState::Enabled => Ok(()),
            KeyState::Disabled => Err(refusals::disabled(&self.metadata.arn)),
            KeyState::PendingDeletion => Err(refusals::pending_deletion(&self.metadata.arn)),
        }
    }

    /// Refuses a key that neither encrypts nor makes data keys: what cryptographic operations ask before its state.
    pub(crate) fn check_encrypts(&self, operation: &str) -> Result<(), KeyServiceError> {
        let KeyMetadata { arn, key_spec, key_usage, .. } = &self.metadata;
        match (key_usage, key_spec) {
            (KeyUsage::EncryptDecrypt, KeySpec::SymmetricDefault) => Ok(()),
            (KeyUsage::EncryptDecrypt, _) => Err(refusals::invalid_key_spec(arn, key_spec.as_str(), operation)),
            _ => Err(refusals::invalid_key_usage(arn, key_usage.as_str(), operation)),
        }
    }

    /// Refuses a key whose material cannot rotate.
    pub(crate) fn check_rotates(&self) -> Result<(), KeyServiceError> {
        if self.metadata.key_spec == KeySpec::SymmetricDefault {
            return Ok(());
        }
        Err(refusals::does_not_rotate(&self.metadata.arn))
    }

    /// Refuses a key that is pending deletion: what every change of a key asks first.
    pub(crate) fn check_not_pending_deletion(&self) -> Result<(), KeyServiceError> {
        match self.metadata.key_state {
            KeyState::PendingDeletion => Err(refusals::pending_deletion(&self.metadata.arn)),
            KeyState::Enabled | KeyState::Disabled => Ok(()),
        }
    }

    /// Whether its deletion date has come: to everyone it does not exist any more.
    pub(crate) fn is_gone(&self, now: Timestamp) -> bool {
        self.metadata.deletion_date.is_some_and(|date| date <= now)
    }
}

/// One version of a key's material, in clear.
#[derive(Debug)]
pub(crate) struct Material {
    pub(crate) version: u32,
    /// 64 hexadecimal digits that name it.
    pub(crate) id: Arc<str>,
    pub(crate) secret: SecretBytes,
}

/// A key id as the number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUuid([u8; 16]);

impl KeyUuid {
    /// Makes a random one (version 4).
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes()))
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads the one form of a key id: lower case, with hyphens.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok()?;
        let one_form = *id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *text;
        one_form.then(|| Self(id.into_bytes()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(crate) fn text(self) -> String {
        Uuid::from_bytes(self.0).hyphenated().to_string()
    }

    /// The ARN of the key with this id in `region`.
    pub(crate) fn arn(self, region: &Region) -> KeyArn {
        KeyArn::new(region.as_str(), LOCAL_ACCOUNT, &self.text())
            .expect("a region and a UUID are of the form that ARNs allow")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_has_one_form() {
        let id = KeyUuid::random().unwrap();
        assert_eq!(KeyUuid::parse(&id.text()), Some(id));
        assert_eq!(id.text().as_bytes()[14], b'4');
        for other in [id.text().to_uppercase(), id.text().replace('-', ""), format!("{{{}}}", id.text())] {
            assert_eq!(KeyUuid::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn every_state_is_read_as_it_is_written() {
        for state in [KeyState::Enabled, KeyState::Disabled, KeyState::PendingDeletion] {
            assert_eq!(KeyState::from_name(state.as_str()), Some(state));
        }
        assert_eq!(KeyState::from_name("enabled"), None);
    }
}

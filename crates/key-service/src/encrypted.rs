//! The encrypted data key: what travels in a file's header.

use crate::KeyArn;

/// The kind of key service that made an encrypted data key, which routes it back there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// The embedded KMS.
    Local,
    /// AWS KMS, or anything that speaks its protocol under another account than the embedded one's.
    Aws,
}

impl Provider {
    /// The provider's name in commands and output: `local` or `aws`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Aws => "aws",
        }
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A data key encrypted under a KMS key, as the KMS returned it.
///
/// Read from a file it is a claim: the file's author wrote the provider and the ARN, and nothing vouches for them until
/// the key service has decrypted the blob under that very key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EncryptedDataKey {
    /// The kind of key service that can decrypt it.
    pub provider: Provider,
    /// The KMS key it is encrypted under.
    pub key_arn: KeyArn,
    /// The ciphertext blob, 1 to 6144 bytes, opaque to everyone but the key service.
    pub ciphertext_blob: Vec<u8>,
}

//! The embedded KMS: AWS KMS's keys, aliases, states and data-path operations over a store in a directory.
//!
//! [`LocalKms`] opens or makes a store and answers requests from it. What it promises is written down in `SEMANTICS.md`,
//! which the comments here point to by section.
//!
//! Many processes and threads use one store at once. Calls block for microseconds when a key is warm, and for the length
//! of a disk access when it is not. A `LocalKms` must be opened after the last fork: SQLite's locks do not survive one.

mod aead;
mod backup;
mod ciphertext;
mod context;
mod credentials;
mod encoding;
mod error;
mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
mod key;
mod key_pair;
mod key_service;
mod local_kms;
pub mod model;
mod names;
mod operations;
mod protocol;
mod refusals;
mod region;
mod rotation;
mod seal;
mod store;
mod timestamp;

pub use backup::{BackupReport, Overwrite, restore};
pub use credentials::{
    Credential, CredentialError, CredentialInfo, SigningKey, SigningScope, credentials, delete_credential,
};
pub use error::StoreError;
pub use key::{KeyMetadata, KeySpec, KeyState, KeyUsage, Origin, RotationType};
pub use local_kms::{CreateOptions, LocalKms, Opened};
pub use names::{parse_alias_name, parse_key_id};
pub use operations::{
    CancelKeyDeletionRequest, CreateAliasRequest, CreateKeyRequest, DataKeySpec, DecryptRequest, DecryptResponse,
    DescribeKeyRequest, DisableKeyRequest, EnableKeyRequest, EncryptRequest, EncryptResponse, GenerateDataKeyRequest,
    GenerateDataKeyResponse, GenerateDataKeyWithoutPlaintextResponse, Plaintext, ReEncryptRequest, ReEncryptResponse,
    ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse,
};
pub use region::{Region, RegionError};
pub use seal::{DataKeySource, NewSeal, Passphrase, PassphraseCost, PassphraseSource, SealKind, SealingKey, Secrets};
pub use store::status::{StoreStatus, status};
pub use timestamp::Timestamp;

//! The vocabulary of envelope encryption.
//!
//! A [`KeyService`] is whatever keeps the key-encryption keys: the embedded KMS, or AWS KMS. It hands out fresh
//! [`DataKey`]s together with their [`EncryptedDataKey`]s, and opens the latter again for who may. The words are those
//! of AWS KMS (<https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html>), and so are the error codes.
//!
//! This crate holds names and rules only: it makes no call, opens no file and knows no format.

mod context;
mod data_key;
mod encrypted;
mod error;
mod front;
mod key_id;
mod locked;
mod service;
mod shown;

pub use context::{ContextError, EncryptionContext};
pub use data_key::{DATA_KEY_LEN, DataKey};
pub use encrypted::{EncryptedDataKey, Provider};
pub use error::{ErrorCode, KeyServiceError};
pub use front::{Front, Request};
pub use key_id::{AliasName, KeyArn, KeyId, KeyIdError, KeyReference, LOCAL_ACCOUNT};
pub use locked::{SecretBytes, memory_is_locked};
pub use service::{GeneratedDataKey, KeyService};
pub use shown::shown;

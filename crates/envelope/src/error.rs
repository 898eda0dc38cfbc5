//! Why an envelope could not be made or opened.

use thiserror::Error;
use waxseal_container::ContainerError;
use waxseal_key_service::{KeyArn, KeyServiceError, Provider};

/// Why a container could not be given a data key, or its data key not be had; why it could not be checked or repaired.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The container itself is at fault.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The context in the container is not the one that the caller asserts. No key service was asked.
    #[error("its encryption context has {name}={found}, not {name}={expected}")]
    ContextValue {
        /// The name in question.
        name: String,
        /// The asserted value.
        expected: String,
        /// The container's value.
        found: String,
    },
    /// The context in the container lacks a name that the caller asserts. No key service was asked.
    #[error("its encryption context has no {name}")]
    ContextName {
        /// The missing name.
        name: String,
    },
    /// A container was to be made without a key that opens it.
    #[error("no key is named that is to open it")]
    NoKey,
    /// A prepared container was to be made for several keys.
    #[error("a prepared container is made for one key: nobody here sees the data key that another one would encrypt")]
    PreparedForOne,
    /// The last keys of a container were to be taken away.
    #[error("no key would be left that opens it")]
    LastKey,
    /// None of the container's keys may be used: each belongs to another service or is not among those allowed.
    #[error("none of its keys may be used: {}", list(.keys))]
    NoUsableKey {
        /// The keys that the container names.
        keys: Vec<(Provider, KeyArn)>,
    },
    /// The key service refused a request, or could not be reached.
    #[error("{key}: {source}")]
    KeyService {
        /// The key that was asked for, as it was named.
        key: String,
        /// The service's answer.
        source: KeyServiceError,
    },
    /// The key service says that an encrypted data key and this header do not belong together.
    #[error("the key service could not decrypt its data key under {key}: the header was changed, or is another file's")]
    DataKeyRefused {
        /// The key that the encrypted data key names.
        key: KeyArn,
        /// The service's answer.
        source: KeyServiceError,
    },
    /// What a key service gave as an encrypted data key does not open what it was made for. Nothing was written.
    #[error("what {key} gave as the encrypted data key does not open the file: a wrong answer")]
    WrongDataKey {
        /// The key that gave it.
        key: KeyArn,
    },
    /// Another process holds the container's lock.
    #[error("another process is using it, perhaps writing it")]
    InUse,
    /// The container could not be locked, so that nobody says that it is not being written.
    #[error("it cannot be locked")]
    Lock(#[source] std::io::Error),
    /// A repaired container turned out not to be clean.
    #[error("it is not clean after its repair: {source}")]
    NotClean {
        /// What a full read found.
        source: ContainerError,
    },
    /// A repaired container turned out to have another length than before.
    #[error("it has {found} bytes after its repair, not {expected}")]
    LengthChanged {
        /// Length of the plaintext before, in bytes.
        expected: u64,
        /// Length of the plaintext after, in bytes.
        found: u64,
    },
}

fn list(keys: &[(Provider, KeyArn)]) -> String {
    let names: Vec<_> = keys.iter().map(|(_, arn)| arn.as_str()).collect();
    names.join(", ")
}

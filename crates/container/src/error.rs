//! What can be wrong with a container, as facts with file offsets.

use std::io;

use thiserror::Error;

/// Why a container could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// The bytes are not those of a container at all.
    #[error("not a Waxseal container: {0}")]
    NotAContainer(&'static str),
    /// A container of a later version of the format.
    #[error("a Waxseal container of version {0}, and this program reads version 1")]
    NewerVersion(u8),
    /// A container that holds a data key, but no content yet.
    #[error("a prepared container: it has a data key, and nothing has been written into it yet")]
    Prepared,
    /// A container that has content already, and so cannot be filled.
    #[error("it has content already: a prepared container is filled once")]
    Filled,
    /// The container was changed by something else than a Waxseal writer, or belongs to another key.
    #[error("{damage} (at byte {offset})")]
    Damaged {
        /// File offset, in bytes, of the first thing that is wrong.
        offset: u64,
        /// What is wrong there.
        damage: Damage,
    },
    /// A writer was interrupted, or is still at work: lengths and versions are to be settled first.
    #[error("its last writer was interrupted, or is still writing")]
    Interrupted,
    /// The encryption context is longer than a header has room for.
    #[error("the encryption context takes {length} bytes, and {limit} is the limit")]
    ContextTooLong {
        /// Bytes of the encoded context.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A name in the encryption context that is kept for the program.
    #[error("encryption context name {0:?}: names that begin with \"waxseal:\" are reserved")]
    ReservedContextName(String),
    /// The encrypted data keys take more room than the key slots have.
    #[error("{keys} encrypted data keys take {needed} bytes, and a header with this context has room for {available}")]
    TooManyKeys {
        /// How many encrypted data keys were given.
        keys: usize,
        /// Bytes that they take.
        needed: usize,
        /// Bytes of both slots together.
        available: usize,
    },
    /// A container was to be left without an encrypted data key: nothing would open it.
    #[error("no encrypted data key would be left")]
    NoKeys,
    /// The input ended before the length that it had when it was opened.
    #[error("the input shrank from {expected} to {found} bytes while it was being read")]
    InputShrank {
        /// Length at the beginning, in bytes.
        expected: u64,
        /// Where it ended, in bytes.
        found: u64,
    },
    /// More plaintext than a container can hold (2^62 bytes).
    #[error("the input is longer than a container can hold (2^62 bytes)")]
    TooLong,
    /// Reading the input failed.
    #[error("reading failed")]
    Read(#[source] io::Error),
    /// Writing the output failed.
    #[error("writing failed")]
    Write(#[source] io::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

/// What is wrong at an offset.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file ends too early.
    #[error("ends at byte {size}, at least {expected} expected: truncated")]
    Truncated {
        /// Where it ends.
        size: u64,
        /// The smallest size that it must have.
        expected: u64,
    },
    /// The file goes on after its end.
    #[error("goes on after byte {expected}, where it should end: something was appended")]
    Appended {
        /// Where it should end.
        expected: u64,
    },
    /// A field of the header has a value that it cannot have.
    #[error("the header is malformed: {0}")]
    Header(String),
    /// Neither key slot can be used.
    #[error("the key slots are malformed: {0}")]
    KeySlots(String),
    /// The header tag does not fit the header under this data key.
    #[error("the header does not verify under its data key: it was changed, or is another file's")]
    HeaderTag,
    /// A table does not verify.
    #[error("the table of group {group} does not verify: it was changed, or is another file's")]
    Table {
        /// The group.
        group: u64,
    },
    /// A table verifies but holds what no writer writes.
    #[error("the table of group {group} is malformed: {reason}")]
    TableContent {
        /// The group.
        group: u64,
        /// What it holds.
        reason: &'static str,
    },
    /// A table that others refer to is gone.
    #[error("the table of group {group} is missing: zeroed, or never written")]
    TableMissing {
        /// The group.
        group: u64,
    },
    /// A table that no other refers to.
    #[error("the table of group {group} should not be there: an older version was put back")]
    TableUnexpected {
        /// The group.
        group: u64,
    },
    /// A table is newer than the root allows.
    #[error("the table of group {group} is newer than the root: page 0 was put back to an older version")]
    RootOlder {
        /// The group.
        group: u64,
    },
    /// The tables together are not those that the root commits to.
    #[error("the tables are not those that the root commits to: some were put back to an older version")]
    RootHash,
    /// A chunk does not verify.
    #[error("chunk {chunk} does not verify: it was changed, moved or put back to an older version")]
    Chunk {
        /// The chunk's number in the file; it holds the plaintext bytes from 4096 times it.
        chunk: u64,
    },
    /// Bytes that must be zero are not.
    #[error("bytes that belong to no chunk are not zero")]
    NotZero,
}

impl ContainerError {
    /// Makes an error of damage at a file offset.
    pub(crate) fn damaged(offset: u64, damage: Damage) -> Self {
        Self::Damaged { offset, damage }
    }

    /// The file offset of the damage, in bytes, where the error is one of damage.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Damaged { offset, .. } => Some(*offset),
            _ => None,
        }
    }
}

//! The Waxseal container: an encrypted file format that detects every change, can be read and written at any offset, and
//! keeps its encrypted data keys in its own header.
//!
//! `SPEC.md` beside this crate is the specification; the code points back to its sections. Data goes one way: a
//! [`Header`] is parsed, a key service (which this crate does not know) decrypts one of its
//! [encrypted data keys](Header::encrypted_data_keys), [`Header::unlock`] verifies the header under the data key, and only
//! then can content be [read whole](Unlocked::open) or [at any offset](Container). A [`Sealer`] writes a new container.

mod attribute;
mod cbor;
mod chain;
mod edit;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod geometry;
mod group;
mod header;
mod io;
mod keys;
mod pipeline;
mod random;
mod read;
mod suite;
mod survey;
mod table;
#[cfg(test)]
mod tests;
mod write;

pub use attribute::{MAX_ATTRIBUTE_LEN, UnauthenticAttribute, plain_attribute_name, stored_attribute_name};
pub use edit::{Editor, ReadyWrite, flush_together, settle_together};
pub use error::{ContainerError, Damage};
pub use geometry::{CHUNK_LEN, HEADER_LEN, MAX_PLAINTEXT_LEN, SizeClaim, file_size, size_claim};
pub use header::{Core, FileId, Header, KeyReplacement, MAGIC, MAX_CONTEXT_LEN, State, Unlocked};
pub use io::{Backing, ReadAt, Sink, Source, WriteAt, WritingOut};
pub use random::Container;
pub use read::{Interrupted, Opened};
pub use suite::{Suite, UnknownSuite};
pub use survey::{Holds, InFlight, Interruption, Loss, Survey};
pub use write::{Filling, Sealed, Sealer};

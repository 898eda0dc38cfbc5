//! Keys of AWS KMS: against moto's server, and against a server of our own that answers as badly as it is told to.

mod commands;
pub(crate) mod moto;
mod reaching;

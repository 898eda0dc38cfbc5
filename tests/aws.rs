//! Keys of AWS KMS: against moto's server, and against a server of our own that answers as badly as it is told to.

mod batches;
mod commands;
mod credentials;
mod doctor;
mod faults;
pub(crate) mod moto;
mod policies;
mod reaching;
pub(crate) mod server;
mod several;
mod trust;

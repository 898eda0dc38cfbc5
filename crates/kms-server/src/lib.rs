//! The embedded KMS as a server: AWS KMS's protocol over HTTP, for the AWS CLI and the AWS SDKs as they are.
//!
//! [`Server`] answers every request that is signed with a credential of the store (AWS Signature Version 4), in the region of
//! the credential's scope. The operations are those of [`waxseal_kms_local::LocalKms::call`]. [`Keeper`] holds the keys, and
//! locks them away while the server runs. [`ServedKms`] is the other end of a Unix socket, for programs of the same user.

mod answer;
mod body;
mod client;
mod control;
mod error;
mod keeper;
mod limits;
mod listen;
mod log;
mod metrics;
mod peer;
mod peers;
mod refusal;
mod server;
mod service;
mod signature;
mod tls;
mod unix_socket;

pub use client::ServedKms;
pub use control::{Command, ControlError, Report, send};
pub use error::ServerError;
pub use keeper::{Keeper, Locked};
pub use limits::Limits;
pub use listen::{Listen, ListenError};
pub use log::{Event, Log, RequestRecord};
pub use server::{Config, Exposure, Server};
pub use tls::Tls;

//! AWS KMS as a key service, through the AWS SDK.
//!
//! [`AwsKms`] is a [`KeyService`](waxseal_key_service::KeyService): region, profile, login and credentials come from where
//! every AWS tool takes them, each request goes to the region that the key's ARN names, and what comes back is checked
//! before it is believed. How many requests are under way, and how many begin in a second, is bounded here.
//!
//! Errors keep the service's code and text. What was asked, of which key and where, and the service's request id stand
//! beside them as a [`Call`].

mod answer;
mod call;
mod connection;
mod key_service;
mod limits;
mod options;
mod pass_through;
mod permission;
mod re_encrypt;
mod refusal;
mod transport;

pub use call::Call;
pub use connection::AwsKms;
pub use options::{AwsKmsOptions, Timeouts};
pub use permission::{Action, Permission};

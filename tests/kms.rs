//! `waxseal kms OPERATION`: the operations of AWS KMS as commands.

mod called_as_aws;
mod data_key;
#[cfg(feature = "aws")]
mod elsewhere;
mod help;
mod lists;
#[cfg(feature = "aws")]
mod peer;
mod store;
mod support;
mod without_plaintext;

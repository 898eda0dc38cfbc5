//! `waxseal kms OPERATION`: the operations of AWS KMS as commands.

mod called_as_aws;
mod data_key;
mod help;
mod lists;
mod peer;
mod store;
mod support;
mod without_plaintext;

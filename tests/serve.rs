//! `waxseal kms serve` as its clients see it: the AWS CLI, boto3 and the AWS Encryption SDK as they are.

mod clients;
mod commands;
mod files;
mod killed;
mod locking;
mod places;
#[cfg(feature = "aws")]
mod rust_sdk;
#[cfg(feature = "aws")]
mod sealed_by_kms;
mod sealing;
pub(crate) mod support;
mod two;

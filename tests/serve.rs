//! `waxseal kms serve` as its clients see it: the AWS CLI, boto3 and the AWS Encryption SDK as they are.

mod clients;
mod commands;
mod killed;
mod locking;
mod sealing;
mod support;

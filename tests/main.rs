//! The integration tests of the command line: the real program, in an environment of its own for each test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed, and says where")]

mod attributes;
#[cfg(feature = "aws")]
mod aws;
mod batch;
mod commit;
mod compat;
mod concurrency;
mod config;
mod damage;
mod disk;
mod documents;
mod envelope;
mod fsck;
mod help;
mod inputs;
mod inspect;
mod interrupts;
mod json;
mod keys;
mod kms;
#[cfg(feature = "fuse")]
mod mount;
mod pipelines;
mod prepared;
mod process;
mod ranges;
mod recovery;
mod refusals;
mod rewrap;
mod round_trip;
mod serve;
mod streams;
mod support;
mod tree;

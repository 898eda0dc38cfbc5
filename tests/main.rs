//! The integration tests of the command line: the real program, in an environment of its own for each test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed, and says where")]

mod attributes;
mod batch;
mod compat;
mod concurrency;
mod damage;
mod disk;
mod fsck;
mod help;
mod inspect;
mod interrupts;
mod json;
mod keys;
mod mount;
mod process;
mod ranges;
mod recovery;
mod refusals;
mod round_trip;
mod serve;
mod streams;
mod support;

//! The mount: its commands, and what programs, random operations, kills and tampering make of it.
//!
//! These tests need `/dev/fuse`. `WAXSEAL_TEST_SCALE=50` makes the random ones fifty times as long: see `full/README.md`.

#[cfg(feature = "aws")]
mod aws;
mod calls;
mod commands;
mod conformance;
mod ending;
mod failing;
mod faults;
mod fstab;
mod fsx;
mod keys;
mod killed;
mod looking;
mod odd;
mod outside;
mod power;
mod programs;
mod random;
mod served;
mod signals;
pub(crate) mod support;
mod systemd;
mod tampering;
mod user;

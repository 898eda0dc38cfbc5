//! The embedded KMS from outside: what `SEMANTICS.md` promises, tried on real stores.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]
#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

mod backups;
mod creation;
mod damage;
mod data_path;
mod encryption;
mod failures;
mod key_pairs;
mod key_service;
mod lookups;
mod management;
mod model;
mod processes;
mod protocol;
mod read_only;
mod rotation;
mod sealing;
mod sealing_by_key;
mod states;
mod support;
mod table;
mod upgrades;

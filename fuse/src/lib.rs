//! A directory of containers, mounted as ordinary files.
//!
//! `SEMANTICS.md` beside this crate says what the mount promises. [`mount()`] attaches a directory; the file system itself
//! is plain code that returns results, and a thin adapter speaks FUSE for it. It gets every data key from the
//! [`Envelope`](waxseal_envelope::Envelope) it is given, and knows no key service.

mod adapter;
mod attributes;
mod backing;
mod directory;
mod filesystem;
mod in_hand;
mod keeper;
mod keys;
mod mount;
mod names;
mod nodes;
mod open_file;
mod open_files;
mod options;
mod report;
mod seen;
#[cfg(test)]
mod tests;
mod unflushed;

pub use mount::{Mount, MountError, Unmounter, mount};
pub use options::{Level, Log, Options};

//! Trees: `encrypt -r`, `decrypt -r`, `verify -r`.

mod copies;
mod keys;
#[cfg(feature = "fuse")]
mod mounted;
mod refusals;
mod selection;
mod support;
mod update;

//! Trees: `encrypt -r`, `decrypt -r`, `verify -r`.

mod copies;
mod delete;
mod full;
mod keys;
mod killed;
mod leftovers;
#[cfg(feature = "fuse")]
mod mounted;
mod nothing;
mod random;
mod refusals;
mod selection;
mod support;
mod update;

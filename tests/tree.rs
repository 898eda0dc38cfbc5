//! Trees: `encrypt -r`, `decrypt -r`, `verify -r`.

mod copies;
mod delete;
mod descriptors;
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
pub(crate) mod support;
mod troubled;
mod update;

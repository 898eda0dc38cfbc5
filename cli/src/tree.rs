//! Trees: directories with everything in them (docs/trees.md).
//!
//! A [walk] finds what there is, relative to open directories, and feeds it to a [batch](crate::batch). What is found
//! is a name in an open directory: whatever is done to the names above it meanwhile leads nowhere else.

mod copy;
mod folder;
mod hard_links;
mod leftovers;
mod only_files;
mod output;
mod sample;
mod selection;
mod sparse;
mod walk;
mod xattrs;

pub(crate) use self::copy::{Convert, Converted, CopyPlan, Existing, Removed, copy};
pub(crate) use self::only_files::{NoContainer, each_container, has_directory};
pub(crate) use self::sample::Share;
pub(crate) use self::selection::Selection;
pub(crate) use self::sparse::{SparseSink, seal_sparse};
pub(crate) use self::xattrs::{Xattrs, open_xattrs};

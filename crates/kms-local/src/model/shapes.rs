//! The shapes of the service model.

mod enums;
mod scalars;
mod structures;

pub(crate) use enums::*;
pub(crate) use scalars::*;
pub(crate) use structures::*;

//! The container against a reference: plain bytes.

mod support;

mod round_trips;

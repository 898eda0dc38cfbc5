//! The container against a reference (plain bytes) and against whoever can write the storage.

mod crafted;
mod support;

mod round_trips;
mod tampering;

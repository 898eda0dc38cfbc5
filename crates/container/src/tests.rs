//! The container against a reference (plain bytes) and against whoever can write the storage.

mod simulator;
mod support;

mod crafted;
mod crashes;
mod editing;
mod hostile;
mod round_trips;
mod surveys;
mod tampering;
mod versions;
mod wide;

//! The container against a reference (plain bytes) and against whoever can write the storage.

mod simulator;
mod support;

mod accesses;
mod attributes;
mod crafted;
mod crashes;
mod editing;
mod full;
mod hostile;
mod in_place;
mod prepared;
mod rewrap;
mod round_trips;
mod surveys;
mod tampering;
mod versions;
mod wide;

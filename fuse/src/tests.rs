//! The file system without a mount: every request is a call.

mod found;
mod keys;
mod kills;
mod names;
mod outside;
mod prepared;
mod support;
mod taken;
mod tampering;
mod times;

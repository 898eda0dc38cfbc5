//! The server as its clients see it: real connections, real signatures, a real store.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed, and says where")]

mod limits;
mod locking;
mod malformed;
mod many;
mod protocol;
mod stopping;
mod support;
mod tls;

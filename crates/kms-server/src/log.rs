//! What a server tells about itself while it runs.

use std::fmt;
use std::time::Duration;

/// Where a server's log goes. It is called by many threads, and must not wait for long.
pub trait Log: Send + Sync {
    /// A request was answered.
    fn request(&self, record: &RequestRecord<'_>);

    /// Something happened that concerns no single request.
    fn event(&self, event: &Event);
}

/// A request that was answered. Nothing in it is secret: what a request held and what it was answered is not there.
#[derive(Clone, Copy, Debug)]
pub struct RequestRecord<'a> {
    /// The id that the client was told in `x-amzn-RequestId`.
    pub request_id: &'a str,
    /// From where it came: an address and port, or `unix`.
    pub peer: &'a str,
    /// The operation, if it is one of AWS KMS.
    pub operation: Option<&'a str>,
    /// The region of its credential scope, once the signature was verified.
    pub region: Option<&'a str>,
    /// The name of the credential that signed it, once the signature was verified; `(owner)` for the server's owner at its
    /// Unix socket.
    pub credential: Option<&'a str>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The error's code, if it was refused or failed.
    pub code: Option<&'a str>,
    /// What is behind an error of the server's own; the client was not told.
    pub cause: Option<&'a str>,
    /// From the end of its headers to the answer.
    pub duration: Duration,
}

/// Something that happened to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Keys are out of memory until somebody unlocks.
    Locked,
    /// Keys can be used again.
    Unlocked,
    /// A connection could not be accepted.
    NotAccepted(String),
    /// The server has been told to stop, and answers what it has begun.
    Stopping,
    /// So many connections were cut off, because their requests took too long to answer when the server was to stop.
    CutOff(usize),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("locked: keys are out of memory until 'waxseal kms unlock'"),
            Self::Unlocked => f.write_str("unlocked"),
            Self::NotAccepted(why) => write!(f, "a connection could not be accepted: {why}"),
            Self::Stopping => f.write_str("stopping"),
            Self::CutOff(count) => write!(f, "cut off {count} connections that took too long to end"),
        }
    }
}

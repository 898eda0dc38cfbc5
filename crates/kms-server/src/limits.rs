//! What one server puts up with: how much, how long, how many.

use std::time::Duration;

/// The bounds within which requests are read and answered. Whatever goes beyond them is refused or cut off.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait until one ends. Default: 1024.
    pub connections: usize,
    /// Connections at once from one address (of IPv6, from one network of 64 bits); more are closed at once. Default: 256, so
    /// that nobody takes the places of all others.
    pub connections_per_peer: usize,
    /// Bytes of a request's line and headers, and of what is buffered of a connection. At least 8192. Default: 32 KiB, of
    /// which a signed request uses about one. Headers are 100 at most.
    pub head: usize,
    /// Bytes of a request's body. Default: 256 KiB: the largest request of AWS KMS is a key policy of 128 Ki characters.
    pub body: usize,
    /// How long a connection may take to a request's last header, its being idle included. Default: 60 s.
    pub head_time: Duration,
    /// How long a request's body may take. Default: 20 s.
    pub body_time: Duration,
    /// How long a TLS handshake may take. Default: 10 s.
    pub handshake_time: Duration,
    /// How long a client may leave an answer unread. Default: 30 s.
    pub unread_time: Duration,
    /// Calls at once that write or compute for long; more wait. Those that use a key in memory are not counted. Default: 8.
    pub slow_calls: usize,
    /// How long requests that are being answered may take when the server is to stop. Default: 15 s, longer than the store
    /// waits for another process.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_peer: 256,
            head: 32 << 10,
            body: 256 << 10,
            head_time: Duration::from_secs(60),
            body_time: Duration::from_secs(20),
            handshake_time: Duration::from_secs(10),
            unread_time: Duration::from_secs(30),
            slow_calls: 8,
            stop_time: Duration::from_secs(15),
        }
    }
}

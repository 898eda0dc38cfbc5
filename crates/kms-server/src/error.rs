//! What can keep a server from starting, or a running one from being locked and unlocked.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// An error of a server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address could be reached from other machines, and the connection is not encrypted.
    #[error(
        "{address}: other machines can reach this address, and without TLS keys would cross the network in the clear"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The address is taken or not this machine's, or the socket cannot be made.
    #[error("{place}: cannot listen: {source}")]
    Listen {
        /// The address or the socket's path.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// Something else than a socket has the socket's name.
    #[error("{}: cannot listen: it is there already, and is no socket", path.display())]
    NoSocket {
        /// The socket's path.
        path: PathBuf,
    },
    /// Another server listens there.
    #[error("{}: cannot listen: another server does", path.display())]
    InUse {
        /// The socket's path.
        path: PathBuf,
    },
    /// The certificate or its key cannot be used.
    #[error("{}: cannot be used for TLS: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A Unix socket needs no TLS, and no client would speak it there.
    #[error("{}: TLS is for network addresses, not for a Unix socket", path.display())]
    TlsOnUnix {
        /// The socket's path.
        path: PathBuf,
    },
}

//! Where a server listens: an address, or a Unix socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::error::ServerError;
use crate::unix_socket::UnixSocket;

/// What stands before the path of a Unix socket.
const UNIX: &str = "unix:";

/// Where a server is to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// At an address; port 0 is any free port.
    Address(SocketAddr),
    /// At a Unix socket, for its owner alone.
    Unix(PathBuf),
}

/// A text that names no place to listen at.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no address to listen at: ADDRESS:PORT or unix:PATH")]
pub struct ListenError(String);

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        match text.strip_prefix(UNIX) {
            Some("") => Err(ListenError(text.to_owned())),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Address).map_err(|_| ListenError(text.to_owned())),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// A socket that listens.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

/// A connection that was accepted.
pub(crate) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Listener {
    /// Listens there.
    pub(crate) async fn bind(place: &Listen) -> Result<Self, ServerError> {
        match place {
            Listen::Address(address) => {
                let failed = |source| ServerError::Listen { place: address.to_string(), source };
                TcpListener::bind(address).await.map(Self::Tcp).map_err(failed)
            }
            Listen::Unix(path) => UnixSocket::bind(path).map(Self::Unix),
        }
    }

    /// Where it listens: with the port that it has got, if it was to be any.
    pub(crate) fn place(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Address),
            Self::Unix(socket) => Ok(Listen::Unix(socket.path().to_owned())),
        }
    }

    /// Waits for the next connection.
    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer)),
            Self::Unix(socket) => socket.listener().accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_shown() {
        for text in ["127.0.0.1:8181", "[::1]:0", "unix:/run/kms.sock"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["", "8181", "localhost:8181", "127.0.0.1", "unix:", "127.0.0.1:99999"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}

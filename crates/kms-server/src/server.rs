//! The server: it listens, gives each connection to a task of its own, and ends what it has begun before it stops.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::control::Control;
use crate::error::ServerError;
use crate::keeper::Keeper;
use crate::limits::Limits;
use crate::listen::{Accepted, Listen, Listener};
use crate::log::{Event, Log};
use crate::peer::Peer;
use crate::peers::{Counted, Peers};
use crate::service::{Shared, Visit, router};
use crate::tls::Tls;

/// How long no connection is accepted after one could not be: most likely there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether a server may be reached from other machines without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Only this machine's own addresses go without.
    Refuse,
    /// Somebody has said that the network is safe.
    Accept,
}

/// What a server is to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens. Default: `127.0.0.1:8181`.
    pub listen: Listen,
    /// Its certificate; without one it speaks HTTP in the clear. Default: none.
    pub tls: Option<Tls>,
    /// Whether it may be reached from other machines in the clear. Default: no.
    pub exposure: Exposure,
    /// What it puts up with.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::Address(SocketAddr::from(([127, 0, 0, 1], 8181))),
            tls: None,
            exposure: Exposure::Refuse,
            limits: Limits::default(),
        }
    }
}

/// A server that listens.
pub struct Server {
    listener: Listener,
    tls: Option<TlsAcceptor>,
    control: Option<Control>,
    peers: Arc<Peers>,
    shared: Arc<Shared>,
}

impl Server {
    /// Listens. Clients that connect from now on are answered once it serves.
    ///
    /// # Errors
    /// The place is taken or cannot be had, it could be reached from other machines in the clear, or the certificate cannot
    /// be used.
    pub async fn bind(config: &Config, keeper: Arc<Keeper>, log: Arc<dyn Log>) -> Result<Self, ServerError> {
        match (&config.listen, &config.tls, config.exposure) {
            (Listen::Unix(path), Some(_), _) => return Err(ServerError::TlsOnUnix { path: path.clone() }),
            (Listen::Address(address), None, Exposure::Refuse) if !address.ip().is_loopback() => {
                return Err(ServerError::Exposed { address: *address });
            }
            _ => {}
        }
        let tls = config.tls.as_ref().map(Tls::acceptor).transpose()?;
        let listener = Listener::bind(&config.listen).await?;
        let shared = Arc::new(Shared::new(keeper, config.limits, log));
        Ok(Self { listener, tls, control: None, peers: Arc::default(), shared })
    }

    /// Lets others of this machine's processes, of the same user, lock and unlock it: see [`send`](crate::send).
    ///
    /// # Errors
    /// No socket can be made in the store's directory; then it goes on without.
    pub fn take_commands(&mut self) -> io::Result<()> {
        self.control = Some(Control::bind(self.shared.keeper.directory())?);
        Ok(())
    }

    /// Where it listens: a URL, or `unix:` and a path.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn endpoint(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.listener.place().map(|place| match place {
            Listen::Address(address) => format!("{scheme}://{address}"),
            unix @ Listen::Unix(_) => unix.to_string(),
        })
    }

    /// Serves until `stop` comes to its end, and then until every request that was begun is answered.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.shared.limits.connections));
        tokio::select! {
            () = self.accept_all(&graceful, &places) => {}
            () = self.obey() => {}
            () = stop => {}
        }
        self.shared.log.event(&Event::Stopping);
        // No new connections: whoever comes now is told so at once.
        drop(self.listener);
        let left = graceful.count();
        if tokio::time::timeout(self.shared.limits.stop_time, graceful.shutdown()).await.is_err() {
            self.shared.log.event(&Event::CutOff(left));
        }
    }

    /// Takes commands for ever, if it takes any.
    async fn obey(&self) {
        match &self.control {
            Some(control) => control.serve(&self.shared.keeper, &self.shared.log).await,
            None => std::future::pending().await,
        }
    }

    async fn accept_all(&self, graceful: &GracefulShutdown, places: &Arc<Semaphore>) {
        let router = router(Arc::clone(&self.shared));
        loop {
            let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok(accepted) => self.begin(accepted, router.clone(), graceful.watcher(), place),
                Err(error) => {
                    self.shared.log.event(&Event::NotAccepted(error.to_string()));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection on a task of its own.
    fn begin(&self, accepted: Accepted, router: Router, watcher: Watcher, place: OwnedSemaphorePermit) {
        let connection = |counted| Connection {
            shared: Arc::clone(&self.shared),
            router,
            watcher,
            _counted: counted,
            _place: place,
        };
        match (accepted, self.tls.clone()) {
            (Accepted::Unix(stream), _) => {
                let peer = Peer::at_socket(&stream);
                tokio::spawn(connection(None).serve(stream, peer));
            }
            (Accepted::Tcp(stream, address), tls) => {
                let Some(counted) = self.peers.count(address.ip(), self.shared.limits.connections_per_peer) else {
                    self.shared.metrics.refused_connection();
                    return;
                };
                let connection = connection(Some(counted));
                prepare(&stream, &self.shared.limits);
                let peer = Peer::at_address(&address);
                match tls {
                    None => drop(tokio::spawn(connection.serve(stream, peer))),
                    Some(tls) => drop(tokio::spawn(connection.serve_tls(tls, stream, peer))),
                }
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("keeper", &self.shared.keeper).finish_non_exhaustive()
    }
}

/// What a connection takes with it.
struct Connection {
    shared: Arc<Shared>,
    router: Router,
    watcher: Watcher,
    _counted: Option<Counted>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve_tls(self, tls: TlsAcceptor, stream: TcpStream, peer: Peer) {
        let handshake = tokio::time::timeout(self.shared.limits.handshake_time, tls.accept(stream));
        // A client that does not trust the certificate says so itself.
        if let Ok(Ok(stream)) = handshake.await {
            self.serve(stream, peer).await;
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer) {
        let Self { shared, router, watcher, _counted, _place } = self;
        let _connected = shared.metrics.connected();
        let visit = Arc::new(Visit { shared: Arc::clone(&shared), router, peer });
        let service = service_fn(move |request| Arc::clone(&visit).answer(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(shared.limits.head_time)
            .max_buf_size(shared.limits.head)
            // A client that has sent all may say so, and still wants its answer.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        // A connection that breaks is the client's to notice. Requests that were answered are in the log.
        watcher.watch(connection).await.ok();
    }
}

/// Sets up an accepted connection. Where the system refuses, it works all the same.
fn prepare(stream: &TcpStream, limits: &Limits) {
    stream.set_nodelay(true).ok();
    // An answer that is not read: the kernel gives the connection up.
    let unread = u32::try_from(limits.unread_time.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, unread).ok();
}

//! A server in this process, and a client that can send anything.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use waxseal_kms_local::{CreateOptions, Credential, LocalKms};
use waxseal_kms_server::{Config, Event, Keeper, Limits, Listen, Log, RequestRecord, Server};

/// How long anything may take that has to come to an end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A store with a credential.
pub(crate) struct Store {
    pub(crate) scratch: TempDir,
    pub(crate) credential: Credential,
}

impl Store {
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&scratch.path().join("kms"), &CreateOptions::default()).unwrap();
        Self { credential: kms.create_credential("tester").unwrap(), scratch }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.scratch.path().join("kms")
    }

    pub(crate) fn open(&self) -> LocalKms {
        LocalKms::open(&self.directory(), &mut || Err("no passphrase is needed".into())).unwrap()
    }

    /// Serves it at any free port.
    pub(crate) fn served(&self) -> Served {
        self.served_as(Config { listen: any_port(), ..Config::default() })
    }

    /// Serves it within these limits.
    pub(crate) fn served_within(&self, limits: Limits) -> Served {
        self.served_as(Config { listen: any_port(), limits, ..Config::default() })
    }

    pub(crate) fn served_as(&self, config: Config) -> Served {
        Served::new(&config, Keeper::unlocked(self.open()))
    }

    /// A request for an operation, signed now.
    pub(crate) fn signed(&self, operation: &str, body: &str) -> Vec<u8> {
        sign_request(&self.credential, operation, body.as_bytes(), SystemTime::now())
    }
}

pub(crate) fn any_port() -> Listen {
    "127.0.0.1:0".parse().unwrap()
}

/// A server that runs on threads of its own until this is dropped.
pub(crate) struct Served {
    pub(crate) endpoint: String,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) log: Arc<Collected>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn new(config: &Config, keeper: Keeper) -> Self {
        let (keeper, log) = (Arc::new(keeper), Arc::new(Collected::default()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut server = runtime.block_on(Server::bind(config, Arc::clone(&keeper), log.clone())).unwrap();
        runtime.block_on(async { server.take_commands() }).unwrap();
        let endpoint = server.endpoint().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime.block_on(server.serve(async {
                stopped.await.ok();
            }));
        });
        Self { endpoint, keeper, log, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.split_once("://").unwrap().1.parse().unwrap()
    }

    /// Connects to its port, or to its Unix socket.
    pub(crate) fn connect(&self) -> Connection {
        match self.endpoint.strip_prefix("unix:") {
            Some(path) => Connection::to_socket(Path::new(path)),
            None => {
                let stream = TcpStream::connect(self.address()).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                Connection(Box::new(stream))
            }
        }
    }

    /// Connects to its port from this address of the machine.
    pub(crate) fn connect_from(&self, address: IpAddr) -> Connection {
        let socket =
            rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::new(address, 0)).unwrap();
        rustix::net::connect(&socket, &self.address()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection(Box::new(stream))
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn ask(&self, request: &[u8]) -> Answer {
        let mut connection = self.connect();
        connection.send(request);
        connection.answer()
    }

    /// Tells it to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has stopped.
    pub(crate) fn ended(&mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            assert!(thread::panicking(), "the server panicked");
        }
    }
}

/// Keeps what the server logs.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) requests: Mutex<Vec<String>>,
    pub(crate) events: Mutex<Vec<Event>>,
}

impl Log for Collected {
    fn request(&self, record: &RequestRecord<'_>) {
        let mut requests = self.requests.lock().unwrap();
        // Enough to look at, and not so much that it looks like a leak.
        if requests.len() < 1000 {
            requests.push(format!("{record:?}"));
        }
    }

    fn event(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
    }
}

/// What can be read and written.
pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection to a server.
pub(crate) struct Connection(pub(crate) Box<dyn Stream>);

impl Connection {
    pub(crate) fn to_socket(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(Box::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Reads one answer.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            assert_eq!(self.0.read(&mut byte).unwrap(), 1, "the connection ended: {}", String::from_utf8_lossy(&head));
            head.push(byte[0]);
        }
        let mut answer = Answer::parse(&head).unwrap();
        let length = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
        answer.body = vec![0; length];
        self.0.read_exact(&mut answer.body).unwrap();
        answer
    }

    /// Asserts that the server has closed it without another byte.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest)),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
}

/// An answer, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Takes the head of an answer apart; none if it is not one.
    pub(crate) fn parse(head: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(head).ok()?;
        let mut lines = text.strip_suffix("\r\n\r\n")?.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ").or(text.strip_prefix("HTTP/1.0 "))?;
        let headers: Option<Vec<_>> = lines.map(|line| line.split_once(": ")).collect();
        let headers = headers?.into_iter().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Some(Self { status: status.get(..3)?.parse().ok()?, headers, body: Vec::new() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Its body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts its status and its error.
    #[track_caller]
    pub(crate) fn fails_with(&self, status: u16, code: &str) -> Value {
        let json = self.json();
        assert_eq!((self.status, json["__type"].as_str()), (status, Some(code)), "{json}");
        json
    }

    /// Asserts that it succeeded, and gives its JSON.
    #[track_caller]
    pub(crate) fn succeeds(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }
}

/// A whole request, signed for `us-east-1`.
pub(crate) fn sign_request(credential: &Credential, operation: &str, body: &[u8], at: SystemTime) -> Vec<u8> {
    let mut headers = vec![
        ("host".to_owned(), "localhost".to_owned()),
        ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target".to_owned(), format!("TrentService.{operation}")),
    ];
    let identity = Credentials::new(credential.access_key_id(), credential.expose_secret(), None, None, "test").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("kms")
        .time(at)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = SignableRequest::new("POST", "http://localhost/", pairs, SignableBody::Bytes(body)).unwrap();
    let signed = sign(request, &parameters).unwrap().into_parts().0;
    headers.extend(signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
    headers.push(("content-length".to_owned(), body.len().to_string()));
    let mut bytes = b"POST / HTTP/1.1\r\n".to_vec();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Waits until something has become so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

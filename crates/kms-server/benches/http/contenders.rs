//! Who is compared: the served KMS, an axum server that answers a constant, and moto's server.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::Router;
use axum::routing::post;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use waxseal_kms_local::{CreateOptions, LocalKms};
use waxseal_kms_server::{Config, Event, Keeper, Log, RequestRecord, Server};

use crate::client::Connection;

/// A server that is measured.
pub(crate) trait Contender {
    fn name(&self) -> &'static str;
    fn address(&self) -> SocketAddr;
    /// The request that it is sent, signed now.
    fn request(&self) -> Vec<u8>;
    /// What the threads are called that it runs on, if they are of this process.
    fn threads(&self) -> Option<&'static str>;
}

/// The served KMS.
pub(crate) struct Waxseal {
    _runtime: Runtime,
    _scratch: TempDir,
    address: SocketAddr,
    access_key: (String, String),
}

impl Waxseal {
    const THREADS: &str = "served";

    pub(crate) fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&scratch.path().join("kms"), &CreateOptions::default()).unwrap();
        let made = kms.create_credential("bench").unwrap();
        let access_key = (made.access_key_id().to_owned(), made.expose_secret().to_owned());
        let runtime = runtime(Self::THREADS);
        let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
        let keeper = Arc::new(Keeper::unlocked(kms));
        let server = runtime.block_on(Server::bind(&config, keeper, Arc::new(Nowhere))).unwrap();
        let address = server.endpoint().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        runtime.spawn(server.serve(std::future::pending()));
        Self { _runtime: runtime, _scratch: scratch, address, access_key }
    }
}

impl Contender for Waxseal {
    fn name(&self) -> &'static str {
        "waxseal kms serve"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn request(&self) -> Vec<u8> {
        data_key_request(&self.access_key, "alias/default")
    }

    fn threads(&self) -> Option<&'static str> {
        Some(Self::THREADS)
    }
}

/// A log that nobody reads.
struct Nowhere;

impl Log for Nowhere {
    fn request(&self, _: &RequestRecord<'_>) {}
    fn event(&self, _: &Event) {}
}

/// An axum server that answers what the served KMS might, whatever it is asked.
pub(crate) struct Constant {
    _runtime: Runtime,
    address: SocketAddr,
}

impl Constant {
    const THREADS: &str = "constant";

    pub(crate) fn start() -> Self {
        let runtime = runtime(Self::THREADS);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = format!(
            "{{\"CiphertextBlob\":\"{}\",\"KeyId\":\"{}\",\"KeyMaterialId\":\"{}\",\"Plaintext\":\"{}\"}}",
            "A".repeat(108),
            "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000",
            "0".repeat(64),
            "A".repeat(44),
        );
        let answer: &'static str = answer.leak();
        // It reads the body, as every server has to, and does nothing with it.
        let router = Router::new().route("/", post(move |_: axum::body::Bytes| async move { answer }));
        runtime.spawn(async move {
            use axum::serve::ListenerExt as _;
            let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
            axum::serve(listener, router).await.unwrap();
        });
        Self { _runtime: runtime, address }
    }
}

impl Contender for Constant {
    fn name(&self) -> &'static str {
        "axum that answers a constant"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn request(&self) -> Vec<u8> {
        data_key_request(&("WAXKAAAAAAAAAAAAAAAA".to_owned(), "x".repeat(40)), "alias/default")
    }

    fn threads(&self) -> Option<&'static str> {
        Some(Self::THREADS)
    }
}

/// moto's server. It is ended when dropped.
pub(crate) struct Moto {
    process: Child,
    address: SocketAddr,
    key: String,
}

impl Moto {
    pub(crate) fn start() -> Option<Self> {
        let program = find("moto_server")?;
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut moto = Self { process, address, key: String::new() };
        while TcpStream::connect(address).is_err() {
            assert!(moto.process.try_wait().unwrap().is_none(), "moto's server does not run");
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut connection = Connection::new(address);
        let answer = connection.ask(&signed(&access_key(), "CreateKey", "{}"));
        let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let answer: Value = serde_json::from_slice(&answer[body..]).unwrap();
        moto.key = answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
        Some(moto)
    }
}

impl Contender for Moto {
    fn name(&self) -> &'static str {
        "moto_server"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn request(&self) -> Vec<u8> {
        data_key_request(&access_key(), &self.key)
    }

    fn threads(&self) -> Option<&'static str> {
        None
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn access_key() -> (String, String) {
    ("AKIAIOSFODNN7EXAMPLE".to_owned(), "x".repeat(40))
}

fn runtime(threads: &str) -> Runtime {
    tokio::runtime::Builder::new_multi_thread().thread_name(threads).enable_all().build().unwrap()
}

/// Finds a program on the path, or among those that `.ci/run` installs beside the build.
fn find(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/venv/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(beside)
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn data_key_request(access_key: &(String, String), key: &str) -> Vec<u8> {
    signed(access_key, "GenerateDataKey", &format!(r#"{{"KeyId":"{key}","KeySpec":"AES_256"}}"#))
}

/// A whole request, signed now.
fn signed(access_key: &(String, String), operation: &str, body: &str) -> Vec<u8> {
    let target = format!("TrentService.{operation}");
    let headers = [("host", "localhost"), ("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &target)];
    let identity = Credentials::new(&access_key.0, &access_key.1, None, None, "bench").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("kms")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let body_bytes = SignableBody::Bytes(body.as_bytes());
    let request = SignableRequest::new("POST", "http://localhost/", headers.into_iter(), body_bytes).unwrap();
    let signed = sign(request, &parameters).unwrap().into_parts().0;
    let lines: Vec<String> =
        headers.into_iter().chain(signed.headers()).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST / HTTP/1.1\r\n{}content-length: {}\r\n\r\n{body}", lines.concat(), body.len()).into_bytes()
}

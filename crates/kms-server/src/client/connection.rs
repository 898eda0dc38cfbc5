//! HTTP over a Unix socket: connections that are kept, and errors that are taken apart.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;
use waxseal_key_service::{ErrorCode, KeyServiceError};
use waxseal_kms_local::Region;
use zeroize::Zeroizing;

use super::{known, wrong};
use crate::answer::JSON;
use crate::peer::{HOME, REGION};
use crate::signature::TARGET;

/// How long an answer may take: longer than a server waits for another process.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer in bytes: a thousand keys, tags or versions.
const MAX_ANSWER: usize = 4 << 20;
/// Connections that are kept when nobody uses them.
const MAX_IDLE: usize = 64;

type Sender = SendRequest<Full<Bytes>>;

/// The connections to one server.
pub(super) struct Connections {
    path: PathBuf,
    idle: Mutex<Vec<Sender>>,
}

/// What a server says to a request that it refuses.
#[derive(Deserialize)]
struct Refused {
    #[serde(rename = "__type")]
    code: String,
    message: Option<String>,
}

impl Connections {
    pub(super) fn to(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends a request, and gives the answer's body.
    pub(super) async fn ask(
        &self,
        region: Option<&Region>,
        operation: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
        let region =
            HeaderValue::from_str(region.map_or(HOME, Region::as_str)).map_err(|error| unsent(error.into()))?;
        let request = Request::post("/")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, JSON)
            .header(header::CONNECTION, REGION)
            .header(REGION, region)
            .header(TARGET, format!("TrentService.{}", known(operation)?))
            .body(Full::new(Bytes::from_owner(body)))
            .map_err(|error| unsent(error.into()))?;
        let answered = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        let (status, body) = answered.unwrap_or_else(|_| Err(self.unreachable(io::ErrorKind::TimedOut.into())))?;
        if status == StatusCode::OK { Ok(body) } else { Err(refusal(status, &body)) }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), KeyServiceError> {
        let mut sender = self.connection().await?;
        let answer = match sender.send_request(request.clone()).await {
            // The server has closed a connection that was idle, and nothing of the request was sent.
            Err(error) if error.is_canceled() => {
                sender = self.connect().await?;
                sender.send_request(request).await
            }
            answer => answer,
        };
        let answer = answer.map_err(|error| self.broken(error.into()))?;
        let status = answer.status();
        let body = collect(answer.into_body()).await.map_err(|error| self.broken(error))?;
        self.keep(sender);
        Ok((status, body))
    }

    /// A connection that is ready: one that is idle, or a new one.
    async fn connection(&self) -> Result<Sender, KeyServiceError> {
        loop {
            let kept = self.idle().pop();
            let Some(mut kept) = kept else { break };
            // One whose server has ended meanwhile says so here, before anything is sent.
            if kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<Sender, KeyServiceError> {
        let stream = UnixStream::connect(&self.path).await.map_err(|error| self.unreachable(error))?;
        self.check_owner(&stream)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error.into()))?;
        // Whoever waits for an answer is told what goes wrong with it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// Refuses a server that is neither one's own nor root's.
    fn check_owner(&self, stream: &UnixStream) -> Result<(), KeyServiceError> {
        let own = rustix::process::geteuid().as_raw();
        let peer = stream.peer_cred().map_err(|error| self.unreachable(error))?.uid();
        if peer == own || peer == 0 {
            return Ok(());
        }
        let text = format!("The server at {} is of user {peer}, who would know every key.", self.path.display());
        Err(KeyServiceError::new(ErrorCode::AccessDenied, text)
            .with_source(io::Error::from(io::ErrorKind::PermissionDenied)))
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(sender);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Sender>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreachable(&self, error: io::Error) -> KeyServiceError {
        let text = format!("There is no served key store at {}.", self.path.display());
        KeyServiceError::new(ErrorCode::Unreachable, text).with_source(error)
    }

    fn broken(&self, error: Box<dyn Error + Send + Sync>) -> KeyServiceError {
        let text = format!("The server at {} did not answer.", self.path.display());
        KeyServiceError::new(ErrorCode::Unreachable, text).with_source(error)
    }
}

/// Reads an answer's body into memory that is wiped.
async fn collect(body: Incoming) -> Result<Zeroizing<Vec<u8>>, Box<dyn Error + Send + Sync>> {
    let mut body = Limited::new(body, MAX_ANSWER);
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > bytes.capacity() {
            // Growing in place would leave a copy behind that nobody wipes.
            let mut larger = Zeroizing::new(Vec::with_capacity((bytes.len() + data.len()) * 2));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// The error that a server has answered with.
fn refusal(status: StatusCode, body: &[u8]) -> KeyServiceError {
    let Ok(Refused { code, message }) = serde_json::from_slice(body) else {
        return wrong(&format!(", HTTP status {}, is not one of AWS KMS", status.as_u16()));
    };
    match (ErrorCode::from_name(&code), message) {
        (Some(code), Some(text)) => KeyServiceError::new(code, text),
        (Some(code), None) => KeyServiceError::bare(code),
        (None, text) => {
            let code_of = if status.is_server_error() { ErrorCode::Internal } else { ErrorCode::Other };
            KeyServiceError::new(code_of, text.map_or_else(|| code.clone(), |text| format!("{code}: {text}")))
        }
    }
}

fn unsent(error: Box<dyn Error + Send + Sync>) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::Validation, "The request cannot be made.").with_source(error)
}

//! From an HTTP request to its answer: `POST /` is a call of AWS KMS's protocol, and there are two pages for whoever watches
//! the server.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tower_service::Service as _;
use waxseal_key_service::{ErrorCode, KeyServiceError};
use waxseal_kms_local::model::operation;
use waxseal_kms_local::{LocalKms, Region};
use zeroize::Zeroizing;

use crate::answer::{self, RequestId};
use crate::body;
use crate::keeper::Keeper;
use crate::limits::Limits;
use crate::log::{Log, RequestRecord};
use crate::metrics::Metrics;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::signature::{self, Caller, TARGET};

/// What stands before the operation's name in `X-Amz-Target`.
const TARGET_PREFIX: &str = "TrentService.";

/// Operations that only read, and that a symmetric key in memory answers within microseconds. They are answered where
/// they are read: handing them to another thread takes longer than they do.
const QUICK: [&str; 8] = [
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "VerifyMac",
];

/// What all requests of one server share.
pub(crate) struct Shared {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) limits: Limits,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) metrics: Metrics,
    slow_calls: Semaphore,
}

/// What is known of a request so far.
#[derive(Default)]
struct Known {
    operation: Option<&'static str>,
    caller: Option<Caller>,
}

impl Shared {
    pub(crate) fn new(keeper: Arc<Keeper>, limits: Limits, log: Arc<dyn Log>) -> Self {
        let slow_calls = Semaphore::new(limits.slow_calls);
        Self { keeper, limits, log, metrics: Metrics::default(), slow_calls }
    }
}

/// What the requests of one connection share.
pub(crate) struct Visit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) router: Router,
    pub(crate) peer: Peer,
}

impl Visit {
    /// Answers a request. Calls, which are nearly all of them, do not take the way through the router.
    pub(crate) async fn answer(self: Arc<Self>, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
        if request.method() == Method::POST && request.uri().path() == "/" {
            return Ok(call(&self.shared, &self.peer, request).await);
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        self.router.clone().call(request).await
    }
}

/// The routes of one server, but for its calls.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(health).fallback(nothing_here))
        .route("/metrics", get(metrics).fallback(nothing_here))
        .fallback(nothing_here)
        .with_state(shared)
}

/// Answers a call, and takes note of it.
async fn call(shared: &Arc<Shared>, peer: &Peer, request: hyper::Request<Incoming>) -> Response {
    let (began, id) = (Instant::now(), RequestId::random());
    let (parts, body) = request.into_parts();
    let mut known = Known::default();
    let outcome = perform(shared, peer, &parts, body, &mut known).await;
    note(shared, &id, peer.shown(), &known, outcome.as_ref().err(), began);
    match outcome {
        Ok(body) => answer::success(&id, body),
        Err(refusal) => answer::refused(&id, &refusal),
    }
}

/// The order of the checks is AWS's: the signature, the operation, and then whatever is the operation's own.
async fn perform(
    shared: &Arc<Shared>,
    peer: &Peer,
    parts: &Parts,
    body: Incoming,
    known: &mut Known,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let body = body::read(&parts.headers, body, &shared.limits).await?;
    let kms = shared.keeper.kms().ok_or_else(locked)?;
    let caller = known.caller.insert(identify(&kms, peer, parts, &body)?);
    let name = target(parts).ok_or_else(unknown_operation)?;
    known.operation = Some(name);
    if !is_json(parts) {
        return Err(unknown_operation().status(StatusCode::NOT_FOUND));
    }
    let region = &caller.region;
    if QUICK.contains(&name)
        && let Some(answer) = guarded(|| kms.call_in_haste(region, name, &body))?
    {
        return answer.map_err(Refusal::from);
    }
    let region = region.clone();
    drop(kms);
    in_the_background(shared, region, name, body).await
}

/// Who calls, and for which region: the signature says it, or the socket if it is its owner.
fn identify(kms: &LocalKms, peer: &Peer, parts: &Parts, body: &[u8]) -> Result<Caller, Refusal> {
    if let Some(region) = peer.owner_s_region(parts, kms.home_region()) {
        return region.map(Caller::owner);
    }
    let find = |id: &str| kms.credential(id).map_err(|error| Refusal::from(KeyServiceError::from(error)));
    signature::verify(parts, body, SystemTime::now(), find)
}

/// Runs a call that may take long on a thread that nothing else waits for.
async fn in_the_background(
    shared: &Arc<Shared>,
    region: Region,
    name: &'static str,
    body: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let _permit = shared.slow_calls.acquire().await.map_err(|_| internal())?;
    let shared = Arc::clone(shared);
    let call = tokio::task::spawn_blocking(move || {
        // It may have waited until here, and been locked meanwhile.
        let kms = shared.keeper.kms().ok_or_else(locked)?;
        guarded(|| kms.call(&region, name, &body))?.map_err(Refusal::from)
    });
    call.await.unwrap_or_else(|_| Err(internal()))
}

/// Runs a call. One that panics has failed, like any other that fails by the service's own fault.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| internal())
}

/// The operation that the request names, if it is one of AWS KMS.
fn target(parts: &Parts) -> Option<&'static str> {
    let text = parts.headers.get(TARGET)?.to_str().ok()?;
    operation(text.strip_prefix(TARGET_PREFIX)?).map(|operation| operation.name)
}

/// Whether the request's body is in the protocol of AWS KMS, whatever parameters follow.
fn is_json(parts: &Parts) -> bool {
    let value = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(answer::JSON)
}

fn note(shared: &Shared, id: &RequestId, peer: &str, known: &Known, refusal: Option<&Refusal>, began: Instant) {
    let (duration, code) = (began.elapsed(), refusal.map(Refusal::code));
    shared.metrics.count(known.operation, code, duration);
    let cause = refusal.and_then(Refusal::cause).map(ToString::to_string);
    shared.log.request(&RequestRecord {
        request_id: id.as_str(),
        peer,
        operation: known.operation,
        region: known.caller.as_ref().map(|caller| caller.region.as_str()),
        credential: known.caller.as_ref().map(|caller| caller.name.as_str()),
        status: refusal.map_or(StatusCode::OK, Refusal::http_status).as_u16(),
        code,
        cause: cause.as_deref(),
        duration,
    });
}

/// Whether the server can do its work. It asks no store: a locked server answers at once.
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let (status, text) = match shared.keeper.is_locked() {
        false => (StatusCode::OK, "ok\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "locked\n"),
    };
    answer::respond(&RequestId::random(), status, answer::TEXT, text.into())
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let page = shared.metrics.page(shared.keeper.is_locked());
    answer::respond(&RequestId::random(), StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", page.into())
}

/// Any other path or method.
async fn nothing_here(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (began, id, refusal) = (Instant::now(), RequestId::random(), unknown_operation().status(StatusCode::NOT_FOUND));
    let peer = request.extensions().get::<Peer>().map_or("", Peer::shown);
    note(&shared, &id, peer, &Known::default(), Some(&refusal), began);
    answer::refused(&id, &refusal)
}

fn unknown_operation() -> Refusal {
    KeyServiceError::bare(ErrorCode::UnknownOperation).into()
}

fn locked() -> Refusal {
    KeyServiceError::new(ErrorCode::KeyUnavailable, "The key store is locked.").into()
}

fn internal() -> Refusal {
    KeyServiceError::new(ErrorCode::Internal, "The server failed.").into()
}

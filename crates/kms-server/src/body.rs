//! Reads the body of a request: bounded in size and time, into memory that is wiped.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use zeroize::Zeroizing;

use crate::limits::Limits;
use crate::refusal::Refusal;

/// What is set aside for a body that does not say how long it is.
const USUAL_LEN: usize = 4096;

/// Reads the whole body.
pub(crate) async fn read(headers: &HeaderMap, body: Incoming, limits: &Limits) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|len| len > limits.body) {
        return Err(too_large(limits));
    }
    let mut whole = pin!(collect(body, announced.unwrap_or(USUAL_LEN), limits));
    // Nearly every body comes with its headers. A timer would wake another thread for it.
    if let Poll::Ready(whole) = poll_fn(|context| Poll::Ready(whole.as_mut().poll(context))).await {
        return whole;
    }
    tokio::time::timeout(limits.body_time, whole).await.unwrap_or_else(|_| Err(too_slow()))
}

async fn collect(mut body: Incoming, expected: usize, limits: &Limits) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
    while let Some(frame) = body.frame().await {
        // Trailers are left alone: nothing in the protocol uses them.
        let Ok(data) = frame.map_err(|_| broken())?.into_data() else { continue };
        let len = bytes.len() + data.len();
        if len > limits.body {
            return Err(too_large(limits));
        }
        if len > bytes.capacity() {
            // Growing in place would leave a copy behind that nobody wipes.
            let mut larger = Zeroizing::new(Vec::with_capacity((len * 2).min(limits.body)));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn too_large(limits: &Limits) -> Refusal {
    Refusal::new("RequestEntityTooLargeException", format!("A request is at most {} bytes.", limits.body))
        .status(StatusCode::PAYLOAD_TOO_LARGE)
}

fn too_slow() -> Refusal {
    Refusal::new("RequestTimeoutException", "The request did not arrive in time.").status(StatusCode::REQUEST_TIMEOUT)
}

fn broken() -> Refusal {
    Refusal::new("SerializationException", "The request's body ended early or is malformed.")
}

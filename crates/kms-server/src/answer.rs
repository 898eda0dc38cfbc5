//! Answers as AWS gives them: JSON, and a request id in every one.

use std::cell::RefCell;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::refusal::Refusal;

/// The protocol of AWS KMS, which every answer of an operation is in.
pub(crate) const JSON: &str = "application/x-amz-json-1.1";
/// Text for people and for what watches the server.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The id of one request: a random UUID, as AWS's.
pub(crate) struct RequestId(String);

/// Random bytes of a thread for its next request ids, which are no secrets: the system gives many as fast as a few.
struct Random {
    bytes: [u8; 1024],
    used: usize,
}

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random { bytes: [0; 1024], used: 1024 }) };
}

impl Random {
    fn next(&mut self) -> Option<[u8; 16]> {
        if self.used == self.bytes.len() {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let next = self.bytes[self.used..].first_chunk().copied();
        self.used += 16;
        next
    }
}

impl RequestId {
    /// Makes one. Without random numbers it is the nil UUID: it only serves to find a line in a log.
    pub(crate) fn random() -> Self {
        let bytes = RANDOM.with_borrow_mut(Random::next);
        let id = bytes.map_or(Uuid::nil(), |bytes| uuid::Builder::from_random_bytes(bytes).into_uuid());
        Self(id.to_string())
    }

    /// As it is shown.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The answer of an operation. Its bytes may hold a key, and are wiped when they have been sent.
pub(crate) fn success(id: &RequestId, body: Zeroizing<Vec<u8>>) -> Response {
    respond(id, StatusCode::OK, JSON, Bytes::from_owner(body))
}

/// The answer to a request that is not carried out.
pub(crate) fn refused(id: &RequestId, refusal: &Refusal) -> Response {
    let mut object = Map::new();
    object.insert("__type".into(), refusal.code().into());
    // Some errors of AWS KMS have no text on purpose.
    if let Some(message) = refusal.message() {
        object.insert("message".into(), message.into());
    }
    respond(id, refusal.http_status(), JSON, Value::Object(object).to_string().into())
}

/// Any other answer.
pub(crate) fn respond(id: &RequestId, status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // What an operation answers is nobody's to keep.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use waxseal_key_service::{ErrorCode, KeyServiceError};

    use super::*;

    fn body_of(refusal: Refusal) -> String {
        let response = refused(&RequestId::random(), &refusal);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn an_error_is_its_code_and_its_text_if_it_has_one() {
        let bare = KeyServiceError::bare(ErrorCode::InvalidCiphertext);
        assert_eq!(body_of(bare.into()), r#"{"__type":"InvalidCiphertextException"}"#);
        let text = Refusal::new("X", "a \"b\"\n");
        assert_eq!(body_of(text), r#"{"__type":"X","message":"a \"b\"\n"}"#);
    }

    #[test]
    fn request_ids_are_uuids_and_differ() {
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| RequestId::random().0).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 4)));
    }
}

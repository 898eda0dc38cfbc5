//! What is answered to a request that is not carried out.

use axum::http::StatusCode;
use waxseal_key_service::{ErrorCode, KeyServiceError};

/// The error that a request gets: AWS's name for it, the text, and the HTTP status.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: Option<String>,
    cause: Option<KeyServiceError>,
}

impl Refusal {
    /// Makes the refusal of a request that is itself at fault: 400, whatever the fault.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: Some(message.into()), cause: None }
    }

    /// Says with which HTTP status.
    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The HTTP status.
    pub(crate) fn http_status(&self) -> StatusCode {
        self.status
    }

    /// AWS's name for the error.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The text that is answered, if the error has any.
    pub(crate) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What the key service knows about it beyond what it answers.
    pub(crate) fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().and_then(std::error::Error::source)
    }
}

/// A refusal or failure of the embedded KMS, with the status that AWS gives it: a fault of the client's is a 400, whatever
/// the service model says.
impl From<KeyServiceError> for Refusal {
    fn from(error: KeyServiceError) -> Self {
        let status = match error.code() {
            ErrorCode::Internal | ErrorCode::KeyUnavailable => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::DependencyTimeout => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, code: error.code().as_str(), message: error.message().map(str::to_owned), cause: Some(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_s_faults_are_400_and_the_service_s_are_500() {
        let status = |code| Refusal::from(KeyServiceError::bare(code)).http_status().as_u16();
        assert_eq!(status(ErrorCode::NotFound), 400);
        assert_eq!(status(ErrorCode::Throttling), 400);
        assert_eq!(status(ErrorCode::KeyUnavailable), 500);
        assert_eq!(status(ErrorCode::Internal), 500);
        assert_eq!(status(ErrorCode::DependencyTimeout), 503);
    }
}

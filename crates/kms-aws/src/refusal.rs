//! From the SDK's errors to those of a key service, by their codes.

use std::error::Error;

use aws_credential_types::provider::error::{CredentialsError, TokenError};
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId as _;
use waxseal_key_service::{ErrorCode, KeyServiceError};

use crate::call::Call;
use crate::transport::PlainHttpError;

/// Turns a failure of the SDK into the error of a key service, with the request beside it.
pub(crate) fn refused<E>(mut call: Call, error: SdkError<E>) -> KeyServiceError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    call.request_id = error.request_id().map(str::to_owned);
    let refusal = match &error {
        SdkError::ServiceError(answer) => {
            // The service's own words say it all: the SDK's would only repeat them.
            return by_code(answer.err(), answer.raw()).with_source(call);
        }
        SdkError::ResponseError(answer) => by_status(answer.raw()),
        _ => without_answer(&error),
    };
    call.source = Some(Box::new(error));
    refusal.with_source(call)
}

/// An error of the service, by its code. A code that is not known here keeps its name and text.
fn by_code(error: &(impl ProvideErrorMetadata + Error), answer: &HttpResponse) -> KeyServiceError {
    let Some(name) = error.code() else { return by_status(answer) };
    match (ErrorCode::from_name(name), error.message()) {
        (Some(code), Some(text)) => KeyServiceError::new(code, text),
        (Some(code), None) => KeyServiceError::bare(code),
        (None, text) => {
            let code = if answer.status().is_server_error() { ErrorCode::Internal } else { ErrorCode::Other };
            KeyServiceError::new(code, text.map_or_else(|| name.to_owned(), |text| format!("{name}: {text}")))
        }
    }
}

/// An answer that is none of AWS KMS's, by its HTTP status: that of a proxy, or a damaged one.
fn by_status(answer: &HttpResponse) -> KeyServiceError {
    let status = answer.status();
    let code = match status.as_u16() {
        429 => ErrorCode::Throttling,
        500.. => ErrorCode::Internal,
        _ => ErrorCode::InvalidAnswer,
    };
    KeyServiceError::new(code, format!("The answer, HTTP status {}, is not one of AWS KMS.", status.as_u16()))
}

/// A request that was not sent, or not answered.
fn without_answer<E: Error + Send + Sync + 'static>(error: &SdkError<E>) -> KeyServiceError {
    if let Some(plain) = find::<PlainHttpError>(error) {
        return KeyServiceError::new(ErrorCode::Validation, format!("The endpoint {plain}."));
    }
    if find::<CredentialsError>(error).is_some() || find::<TokenError>(error).is_some() {
        return KeyServiceError::new(ErrorCode::NoCredentials, "There are no AWS credentials that can be used.");
    }
    match error {
        SdkError::TimeoutError(_) => KeyServiceError::new(ErrorCode::Unreachable, "There was no answer in time."),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            KeyServiceError::new(ErrorCode::Unreachable, "There was no answer in time.")
        }
        SdkError::DispatchFailure(failure) if !failure.is_user() => {
            KeyServiceError::new(ErrorCode::Unreachable, "The service cannot be reached.")
        }
        _ => KeyServiceError::new(ErrorCode::Validation, "The request cannot be made."),
    }
}

/// Finds an error of a type among the causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

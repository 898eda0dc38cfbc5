//! Any operation by its name: the JSON of the request is sent as it is, signed, and the JSON of the answer is given as it is.
//!
//! The SDK has no way to send an operation that it does not know. One that it does know is sent with another target and
//! body: `EnableKey`, whose answer has no members that the SDK would look for in the other operation's. Credentials, the
//! endpoint, retries, the signature and the service's errors are the SDK's affair as with every request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kms::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::BoxError;
use waxseal_key_service::KeyServiceError;
use zeroize::Zeroizing;

use crate::call::Call;
use crate::connection::AwsKms;
use crate::refusal::refused;

impl AwsKms {
    /// Sends a request of any operation to a region: `body` is its JSON, and so is the answer, which is empty if there is
    /// none. `about` says for errors what the request is about, for instance a key.
    ///
    /// # Errors
    /// The service's refusal, with a [`Call`] that has no source; or the request did not come to the service or its answer
    /// not back, and the [`Call`] has the reason as its source.
    pub async fn pass_through(
        &self,
        region: &str,
        operation: &'static str,
        about: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
        let answer = Arc::new(Mutex::new(Zeroizing::default()));
        let other = OtherOperation { operation, body, answer: Arc::clone(&answer) };
        let call =
            Call { operation, key: about.to_owned(), region: Some(region.to_owned()), request_id: None, source: None };
        let _under_way = self.enter().await;
        // The key's id is never sent: it only has to be there.
        let sent = self.client(region).enable_key().key_id(about).customize().interceptor(other).send().await;
        sent.map_err(|error| refused(call, error))?;
        let answer = std::mem::take(&mut *answer.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(answer)
    }
}

/// Makes another operation of the one that the SDK sends, and keeps the answer's body.
struct OtherOperation {
    operation: &'static str,
    body: Zeroizing<Vec<u8>>,
    answer: Arc<Mutex<Zeroizing<Vec<u8>>>>,
}

impl Intercept for OtherOperation {
    fn name(&self) -> &'static str {
        "OtherOperation"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().try_insert("x-amz-target", format!("TrentService.{}", self.operation))?;
        request.headers_mut().try_insert("content-length", self.body.len().to_string())?;
        *request.body_mut() = self.body.to_vec().into();
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Zeroizing::new(body.to_vec());
        Ok(())
    }
}

/// The bodies may hold plaintext.
impl fmt::Debug for OtherOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherOperation").field("operation", &self.operation).finish_non_exhaustive()
    }
}

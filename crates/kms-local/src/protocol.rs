//! The JSON 1.1 protocol of AWS KMS, without HTTP: a request's body in, an answer's body out (SEMANTICS.md, "Protocol").

mod answer;
mod arguments;
mod constraints;
mod json;
mod reading;

use std::error::Error as _;
use std::sync::Arc;

use waxseal_key_service::KeyServiceError;
use zeroize::Zeroizing;

pub(crate) use answer::{Answer, Object};
pub(crate) use arguments::{Arguments, Value};

use crate::local_kms::{Haste, LocalKms};
use crate::model::{self, Operation};
use crate::operations::{self, Perform};
use crate::refusals;
use crate::region::Region;
use crate::rotation::RotationDue;

/// Whether the embedded KMS performs the operation of this name.
pub(crate) fn performs(name: &str) -> bool {
    operations::perform(name).is_some()
}

impl LocalKms {
    /// Performs an operation as AWS KMS's JSON 1.1 protocol has it.
    ///
    /// `body` is the request's JSON object, with blobs in base64 and times in seconds since 1970; an empty one stands for an
    /// object without members. The answer is of the same form, and empty where the operation has no output. It may hold
    /// plaintext, and so may `body`, which its owner has to wipe.
    ///
    /// # Errors
    /// `UnknownOperationException` for a name that AWS KMS does not have, `SerializationException` for a body that is not of
    /// the form, `ValidationException` for one that breaks a constraint, `UnsupportedOperationException` for what the
    /// embedded KMS does not do, and whatever the operation answers.
    pub fn call(&self, region: &Region, operation: &str, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
        let operation = model::operation(operation).ok_or_else(refusals::unknown_operation)?;
        let arguments = read(operation, body)?;
        let perform = operations::perform(operation.name).ok_or_else(|| refusals::unsupported(operation.name))?;
        self.perform(region, perform, &arguments)
    }

    /// As [`LocalKms::call`] of an operation that only reads, for callers that others wait for: `None` means that the store
    /// would have to be changed first, because the rotation of a key is due, and that nothing was done.
    ///
    /// # Errors
    /// As [`LocalKms::call`].
    pub fn call_in_haste(
        &self,
        region: &Region,
        operation: &str,
        body: &[u8],
    ) -> Option<Result<Zeroizing<Vec<u8>>, KeyServiceError>> {
        let in_haste = Self { store: Arc::clone(&self.store), haste: Haste::Great };
        match in_haste.call(region, operation, body) {
            Err(error) if error.source().is_some_and(|source| source.is::<RotationDue>()) => None,
            answer => Some(answer),
        }
    }

    fn perform(
        &self,
        region: &Region,
        perform: Perform,
        arguments: &Arguments<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
        // Nobody is attested here. A caller who asks for an answer that only an enclave can read must not get another one.
        if arguments.has("Recipient") {
            return Err(refusals::unsupported("Recipient"));
        }
        // There are no grants, so no token can be of one.
        if arguments.has_any("GrantTokens") {
            return Err(refusals::invalid_grant_token());
        }
        let answer = perform(self, region, arguments)?;
        if arguments.flag("DryRun") {
            return Err(refusals::dry_run());
        }
        Ok(answer.into_bytes())
    }
}

/// Reads a request and checks it against the service model.
fn read<'a>(operation: &'static Operation, body: &'a [u8]) -> Result<Arguments<'a>, KeyServiceError> {
    let body = if body.is_empty() { b"{}" } else { body };
    let json = json::parse(body).ok_or_else(|| refusals::serialization("The request is not a JSON object."))?;
    let arguments = reading::structure(operation.input, json)?;
    let violations = constraints::check(operation.input, &arguments);
    if violations.is_empty() { Ok(arguments) } else { Err(refusals::violations(&violations)) }
}

//! GenerateRandom (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateRandom.html>).

use waxseal_key_service::KeyServiceError;

use super::Plaintext;
use crate::error::StoreError;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

/// Answers the protocol's request: random bytes, which need no key.
pub(super) fn call(_kms: &LocalKms, _region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    if arguments.has("CustomKeyStoreId") {
        return Err(refusals::unsupported("CustomKeyStoreId"));
    }
    let number = arguments.integer("NumberOfBytes").and_then(|number| usize::try_from(number).ok());
    let number = number.ok_or_else(|| refusals::validation("NumberOfBytes is required."))?;
    let mut bytes = Plaintext::zeros(number);
    getrandom::fill(bytes.expose_mut()).map_err(StoreError::random)?;
    Ok(Answer::of(|answer| answer.bytes("Plaintext", bytes.expose())))
}

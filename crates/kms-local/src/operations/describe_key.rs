//! DescribeKey (<https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>).

use waxseal_key_service::{KeyId, KeyServiceError};

use super::metadata;
use crate::key::KeyMetadata;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// A request to describe a key.
#[derive(Clone, Copy, Debug)]
pub struct DescribeKeyRequest<'a> {
    /// The region that the request acts in.
    pub region: &'a Region,
    /// The key, in any form.
    pub key_id: &'a KeyId,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let described = kms.describe_key(&DescribeKeyRequest { region, key_id: &arguments.key("KeyId")? })?;
    Ok(Answer::of(|answer| answer.object("KeyMetadata", |object| metadata::write(object, &described))))
}

impl LocalKms {
    /// Describes a key in any state.
    ///
    /// # Errors
    /// `NotFoundException`, and whatever the store answers.
    pub fn describe_key(&self, request: &DescribeKeyRequest<'_>) -> Result<KeyMetadata, KeyServiceError> {
        Ok(self.key(request.region, request.key_id)?.metadata.clone())
    }
}

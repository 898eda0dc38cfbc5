//! GetPublicKey (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html>).

use waxseal_key_service::KeyServiceError;

use super::metadata;
use crate::key::KeySpec;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

/// Answers the protocol's request: the public half of an asymmetric key.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let key = kms.key(region, &arguments.key("KeyId")?)?;
    if key.metadata.key_spec == KeySpec::SymmetricDefault {
        return Err(refusals::not_asymmetric(&key.metadata.arn));
    }
    key.check_usable()?;
    let pair = kms.store.read(|store, rows| {
        let row = rows.material(&key.region, key.id(), key.current_version)?;
        let row = row.ok_or_else(|| store.damaged("a key has lost its current material"))?;
        store.unwrap_pair(&key, &row)
    })?;
    Ok(Answer::of(|answer| {
        answer.text("KeyId", key.metadata.arn.as_str());
        answer.bytes("PublicKey", &pair.public);
        answer.text("CustomerMasterKeySpec", key.metadata.key_spec.as_str());
        answer.text("KeySpec", key.metadata.key_spec.as_str());
        answer.text("KeyUsage", key.metadata.key_usage.as_str());
        metadata::write_algorithms(answer, &key.metadata);
    }))
}

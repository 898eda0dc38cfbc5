//! The key policy: the default one, for there is no other until policies are enforced.

use serde_json::Value;
use waxseal_key_service::{ErrorCode, KeyServiceError};

use crate::refusals;

/// The only name of a key policy.
pub(super) const NAME: &str = "default";

/// The policy that AWS KMS gives a key that was made without one: its account may do everything.
pub(super) const DEFAULT: &str = r#"{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::000000000000:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}"#;

/// Refuses a policy that is not the default one, however that is written: it would be stored and not enforced.
pub(super) fn check(policy: &str) -> Result<(), KeyServiceError> {
    let given: Value = serde_json::from_str(policy).map_err(|_| malformed())?;
    if !given.is_object() {
        return Err(malformed());
    }
    let default: Value = serde_json::from_str(DEFAULT).expect("the default policy is JSON");
    if given == default { Ok(()) } else { Err(refusals::unsupported("A key policy other than the default one")) }
}

/// Refuses a name that no policy has.
pub(super) fn check_name(name: Option<&str>) -> Result<(), KeyServiceError> {
    match name {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(KeyServiceError::new(ErrorCode::NotFound, "No such policy exists")),
    }
}

fn malformed() -> KeyServiceError {
    KeyServiceError::new(ErrorCode::MalformedPolicyDocument, "The policy is not a JSON object.")
}

//! What the embedded KMS refuses, in AWS KMS's codes and words (SEMANTICS.md, "Refusals").

use waxseal_key_service::{AliasName, ErrorCode, KeyArn, KeyServiceError};

use crate::region::Region;

pub(crate) fn key_not_found(arn: &KeyArn) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::NotFound, format!("Key '{arn}' does not exist"))
}

pub(crate) fn alias_not_found(alias_arn: &str) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::NotFound, format!("Alias {alias_arn} is not found."))
}

pub(crate) fn invalid_key_id(text: &str) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::NotFound, format!("Invalid keyId '{text}'"))
}

/// An ARN of another region than the request's, or a text that only begins like an ARN.
pub(crate) fn invalid_arn(text: &str) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::NotFound, format!("Invalid arn {text}"))
}

pub(crate) fn disabled(arn: &KeyArn) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::Disabled, format!("{arn} is disabled."))
}

pub(crate) fn pending_deletion(arn: &KeyArn) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::InvalidState, format!("{arn} is pending deletion."))
}

pub(crate) fn not_pending_deletion(arn: &KeyArn) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::InvalidState, format!("{arn} is not pending deletion."))
}

pub(crate) fn invalid_key_usage(arn: &KeyArn, usage: &str, operation: &str) -> KeyServiceError {
    let text = format!("{arn} key usage is {usage} which is not valid for {operation}.");
    KeyServiceError::new(ErrorCode::InvalidKeyUsage, text)
}

pub(crate) fn invalid_key_spec(arn: &KeyArn, spec: &str, operation: &str) -> KeyServiceError {
    let text = format!("{arn} key spec is {spec} which is not valid for {operation}.");
    KeyServiceError::new(ErrorCode::InvalidKeyUsage, text)
}

/// An encryption algorithm that keys of this spec do not have.
pub(crate) fn invalid_algorithm(algorithm: &str, spec: &str) -> KeyServiceError {
    let text = format!("Algorithm {algorithm} is incompatible with key spec {spec}.");
    KeyServiceError::new(ErrorCode::InvalidKeyUsage, text)
}

pub(crate) fn does_not_rotate(arn: &KeyArn) -> KeyServiceError {
    let text = format!("{arn} is asymmetric. Only symmetric keys rotate.");
    KeyServiceError::new(ErrorCode::UnsupportedOperation, text)
}

pub(crate) fn not_asymmetric(arn: &KeyArn) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::UnsupportedOperation, format!("{arn} is symmetric and has no public key."))
}

pub(crate) fn too_many_rotations(arn: &KeyArn, most: u32) -> KeyServiceError {
    let text = format!("{arn} was rotated on demand {most} times, which is the most.");
    KeyServiceError::new(ErrorCode::LimitExceeded, text)
}

pub(crate) fn tags(text: &str) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::Tag, text)
}

/// A marker that no page ended with.
pub(crate) fn invalid_marker() -> KeyServiceError {
    KeyServiceError::new(ErrorCode::InvalidMarker, "The marker is not one that a page ended with.")
}

pub(crate) fn incorrect_key() -> KeyServiceError {
    let text = "The key ID in the request does not identify a CMK that can perform this operation.";
    KeyServiceError::new(ErrorCode::IncorrectKey, text)
}

/// Without text: a damaged blob and a wrong context look the same.
pub(crate) fn invalid_ciphertext() -> KeyServiceError {
    KeyServiceError::bare(ErrorCode::InvalidCiphertext)
}

pub(crate) fn alias_exists(alias_arn: &str) -> KeyServiceError {
    let text = format!("An alias with the name {alias_arn} already exists");
    KeyServiceError::new(ErrorCode::AlreadyExists, text)
}

pub(crate) fn alias_reserved() -> KeyServiceError {
    KeyServiceError::bare(ErrorCode::NotAuthorized)
}

/// Refuses an alias that only the service itself may have.
pub(crate) fn check_not_reserved(alias: &AliasName) -> Result<(), KeyServiceError> {
    if alias.as_str().starts_with("alias/aws/") { Err(alias_reserved()) } else { Ok(()) }
}

/// A key of another type or usage than the one that the alias points to.
pub(crate) fn alias_of_another_kind() -> KeyServiceError {
    validation("The current and the new key must be of the same type and have the same key usage.")
}

/// An alias of characters that the service model allows and aliases do not have.
pub(crate) fn invalid_alias_name(text: &str) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::InvalidAliasName, format!("'{text}' is not an alias name."))
}

pub(crate) fn two_specs() -> KeyServiceError {
    validation(
        "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
    )
}

pub(crate) fn no_usage() -> KeyServiceError {
    validation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
}

pub(crate) fn usage_of_another_spec(usage: &str, spec: &str) -> KeyServiceError {
    validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}"))
}

pub(crate) fn alias_without_prefix() -> KeyServiceError {
    let page = "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html";
    validation(format!("Alias must start with the prefix \"alias/\". Please see {page}"))
}

pub(crate) fn alias_of_an_alias() -> KeyServiceError {
    validation("Aliases must refer to keys. Not aliases")
}

pub(crate) fn not_one_length() -> KeyServiceError {
    validation("Please specify either number of bytes or key spec.")
}

pub(crate) fn validation(text: impl Into<String>) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::Validation, text)
}

/// A number beyond its bounds in the service model.
pub(crate) fn out_of_range(member: &str, value: i64, min: i64, max: i64) -> Option<KeyServiceError> {
    let bound = match value {
        _ if value < min => format!("greater than or equal to {min}"),
        _ if value > max => format!("less than or equal to {max}"),
        _ => return None,
    };
    Some(constraint(&format!("Value '{value}' at '{member}'"), &format!("Member must have value {bound}")))
}

/// A sensitive or binary member whose length is beyond its bounds: the value is left out.
pub(crate) fn bad_length(member: &str, len: usize, min: usize, max: usize) -> Option<KeyServiceError> {
    if len < min {
        let rule = format!("Member must have length greater than or equal to {min}");
        return Some(constraint(&format!("Value at '{member}'"), &rule));
    }
    (len > max).then(|| too_long(member, max))
}

pub(crate) fn too_long(member: &str, max: usize) -> KeyServiceError {
    constraint(&format!("Value at '{member}'"), &format!("Member must have length less than or equal to {max}"))
}

/// A text that breaks its pattern in the service model.
pub(crate) fn breaks_pattern(member: &str, value: &str, pattern: &str) -> KeyServiceError {
    let rule = format!("Member must satisfy regular expression pattern: {pattern}");
    constraint(&format!("Value '{value}' at '{member}'"), &rule)
}

fn constraint(subject: &str, rule: &str) -> KeyServiceError {
    violations(&[violation(subject, rule)])
}

/// A member that the service model does not require, but this request.
pub(crate) fn missing(member: &str) -> KeyServiceError {
    constraint(&format!("Value null at '{member}'"), "Member must not be null")
}

/// As [`missing`], for a binary member.
pub(crate) fn missing_ciphertext() -> KeyServiceError {
    constraint("Value at 'ciphertextBlob'", "Member must not be null")
}

/// One constraint of the service model that a request breaks.
pub(crate) fn violation(subject: &str, rule: &str) -> String {
    format!("{subject} failed to satisfy constraint: {rule}")
}

/// All constraints of the service model that a request breaks.
pub(crate) fn violations(violations: &[String]) -> KeyServiceError {
    let errors = if violations.len() == 1 { "error" } else { "errors" };
    validation(format!("{} validation {errors} detected: {}", violations.len(), violations.join("; ")))
}

/// An encryption context with an empty name in it.
pub(crate) fn nameless_pair(member: &str) -> KeyServiceError {
    let rule = "Map keys must satisfy constraint: [Member must have length greater than or equal to 1]";
    constraint(&format!("Value at '{}{}'", member[..1].to_ascii_lowercase(), &member[1..]), rule)
}

/// An operation that AWS KMS does not have. The service gives no text.
pub(crate) fn unknown_operation() -> KeyServiceError {
    KeyServiceError::bare(ErrorCode::UnknownOperation)
}

/// A request that is not of the protocol's form.
pub(crate) fn serialization(text: &str) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::Serialization, text)
}

/// An operation, a member or a value that AWS KMS has and the embedded one has not.
pub(crate) fn unsupported(what: &str) -> KeyServiceError {
    let text = format!("{what} is not supported by the embedded key service.");
    KeyServiceError::new(ErrorCode::UnsupportedOperation, text)
}

pub(crate) fn invalid_grant_token() -> KeyServiceError {
    KeyServiceError::new(ErrorCode::InvalidGrantToken, "The grant token is not valid.")
}

pub(crate) fn dry_run() -> KeyServiceError {
    let text = "The request would have succeeded, but the DryRun option is set.";
    KeyServiceError::new(ErrorCode::DryRunOperation, text)
}

/// The ARN of an alias, which refusals name.
pub(crate) fn alias_arn(region: &Region, name: &str) -> String {
    format!("arn:aws:kms:{region}:{}:{name}", waxseal_key_service::LOCAL_ACCOUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_in_the_words_of_aws() {
        let text = |error: Option<KeyServiceError>| error.map(|error| error.message().unwrap_or_default().to_owned());
        assert_eq!(
            text(out_of_range("numberOfBytes", 0, 1, 1024)).unwrap(),
            "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have \
             value greater than or equal to 1"
        );
        assert_eq!(
            text(bad_length("plaintext", 4097, 1, 4096)).unwrap(),
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length \
             less than or equal to 4096"
        );
        assert_eq!(text(bad_length("plaintext", 1, 1, 4096)), None);
        assert_eq!(text(out_of_range("numberOfBytes", 1024, 1, 1024)), None);
    }
}

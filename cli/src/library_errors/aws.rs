//! Advice for refusals and failures of AWS KMS.

use waxseal_key_service::{ErrorCode, KeyReference, KeyServiceError, Provider};
use waxseal_kms_aws::Call;

/// What to do about an error of AWS KMS; nothing if it is not one, or if what holds for every key service says it.
pub(super) fn hint(error: &KeyServiceError) -> Option<String> {
    let call = std::error::Error::source(error)?.downcast_ref::<Call>()?;
    let Call { operation, key, region, .. } = call;
    let text = match error.code() {
        ErrorCode::AccessDenied if *operation == "ReEncrypt" => {
            "the caller needs kms:ReEncryptFrom on the old key and kms:ReEncryptTo on the new one, in its own policy or by \
             the keys'"
                .to_owned()
        }
        ErrorCode::AccessDenied => format!(
            "the caller needs kms:{operation} on this key, in its own policy or by the key's ('waxseal doctor -k {}' \
             says what is allowed)",
            typed(key)
        ),
        ErrorCode::NotFound => format!(
            "it was looked for in {}: name the key by its ARN if it is elsewhere",
            region.as_deref().unwrap_or("no region")
        ),
        ErrorCode::InvalidArn => {
            "the endpoint serves another region than the key's: check --endpoint-url and AWS_ENDPOINT_URL_KMS"
                .to_owned()
        }
        ErrorCode::ExpiredToken => "the login has expired: 'aws sso login', or get new credentials".to_owned(),
        ErrorCode::NoCredentials => {
            "log in with 'aws sso login' or 'aws configure', or say who you are with AWS_PROFILE; \
                                     'aws sts get-caller-identity' has to succeed"
                .to_owned()
        }
        ErrorCode::UnrecognizedClient | ErrorCode::InvalidSignature | ErrorCode::RequestExpired => {
            "check AWS_PROFILE and the access key, and this machine's clock".to_owned()
        }
        ErrorCode::Disabled => format!("'aws kms enable-key --key-id {key}' makes it usable again"),
        ErrorCode::InvalidState => format!(
            "if its deletion is pending: 'aws kms cancel-key-deletion --key-id {key}', then 'aws kms enable-key'"
        ),
        ErrorCode::Throttling => {
            "bound the requests with --kms-rate or --kms-concurrency, or set AWS_RETRY_MODE=adaptive".to_owned()
        }
        ErrorCode::Validation if region.is_none() => "set AWS_REGION, or name the key by its ARN".to_owned(),
        ErrorCode::Validation if error.message().is_some_and(|text| text.contains("plain HTTP")) => {
            "use https, or an address of this machine".to_owned()
        }
        ErrorCode::Unreachable => "check the network, and AWS_ENDPOINT_URL_KMS if it is set; then try again".to_owned(),
        ErrorCode::InvalidAnswer => {
            "the endpoint is not AWS KMS, or something on the way to it changes answers".to_owned()
        }
        _ => return None,
    };
    Some(text)
}

/// What to do about an error of a served key store, where that is not what is to be done about one of AWS KMS.
pub(super) fn hint_of_served(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::NoCredentials => {
            "requests to a served key store are signed: whoever has it makes an access key with 'waxseal kms credentials \
             create --name NAME'; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to it, or AWS_PROFILE"
        }
        ErrorCode::UnrecognizedClient => {
            "the served key store does not know this access key: 'waxseal kms credentials list' there shows those it knows"
        }
        ErrorCode::InvalidSignature | ErrorCode::RequestExpired => {
            "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE, and this machine's clock"
        }
        ErrorCode::Disabled => "'waxseal kms enable-key' makes it usable again",
        ErrorCode::InvalidState => {
            "if its deletion is pending: 'waxseal kms cancel-key-deletion', then 'waxseal kms enable-key'"
        }
        ErrorCode::NotFound => "'waxseal status' shows whether the key store answers, and its default key",
        ErrorCode::Unreachable => "check that 'waxseal kms serve' runs there, and the network; then try again",
        ErrorCode::InvalidAnswer => {
            "what answers there is not 'waxseal kms serve', or something on the way changes answers"
        }
        _ => return None,
    })
}

/// The key as it has to be typed: by itself it may mean one of the embedded KMS.
fn typed(key: &str) -> String {
    match key.parse::<KeyReference>() {
        Ok(reference) if reference.provider == Provider::Aws => key.to_owned(),
        _ => format!("aws:{key}"),
    }
}

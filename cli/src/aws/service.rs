//! Who performs the operations: the embedded KMS, or AWS if the command line says so.

#[cfg(feature = "aws")]
mod aws;
mod local;
mod served;

use waxseal_key_service::{ErrorCode, KeyServiceError};
use waxseal_kms_local::StoreError;
use waxseal_kms_local::model::Operation;
use zeroize::Zeroizing;

use super::data::Data;
use super::words::Words;
use crate::error::{Class, CliError};
use crate::kms_place::KmsPlace;
use crate::output::Console;
use crate::shown::shown;
use crate::{library_errors, report};

/// A key service that takes requests by their operation's name.
pub(super) enum Service {
    /// The embedded KMS.
    Local(Box<local::Local>),
    /// The embedded KMS that somebody serves at a Unix socket.
    Served(Box<served::Served>),
    /// AWS, or another endpoint.
    #[cfg(feature = "aws")]
    Aws(Box<aws::Aws>),
}

impl Service {
    /// Chooses the service and gets it ready. AWS's environment alone chooses nothing.
    ///
    /// # Errors
    /// The key store cannot be opened, or the options are wrong.
    pub(super) fn choose(words: &Words, params: &[(String, Data)], console: &Console) -> Result<Self, CliError> {
        let elsewhere = match words.value("provider") {
            Some(provider) => provider == "aws",
            None => words.has("endpoint-url") || words.has("profile"),
        };
        if elsewhere && words.has("kms") {
            return Err(CliError::usage("--kms names the embedded KMS, and another option AWS").hint("leave one out"));
        }
        if elsewhere {
            return to_aws(words, params, words.value("endpoint-url"), None);
        }
        let option = words.value("kms").map(str::parse::<KmsPlace>).transpose();
        let option = option.map_err(|error| CliError::usage(format!("argument --kms: {}", shown(&error))))?;
        match KmsPlace::choose(option.as_ref())? {
            Some(KmsPlace::Unix(path)) => return Ok(Self::Served(Box::new(served::Served::new(path, words)?))),
            Some(KmsPlace::Url(url)) => return to_aws(words, params, Some(&url), Some(KmsPlace::REGION)),
            None => {}
        }
        Ok(Self::Local(Box::new(local::Local::open(words, params, console)?)))
    }

    /// Performs an operation.
    ///
    /// # Errors
    /// The service refuses or fails.
    pub(super) fn call(
        &self,
        operation: &'static Operation,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, CliError> {
        match self {
            Self::Local(local) => local.call(operation, &body),
            Self::Served(served) => served.call(operation, body),
            #[cfg(feature = "aws")]
            Self::Aws(aws) => aws.call(operation, body),
        }
    }
}

#[cfg(feature = "aws")]
fn to_aws(
    words: &Words,
    params: &[(String, Data)],
    url: Option<&str>,
    region: Option<&str>,
) -> Result<Service, CliError> {
    Ok(Service::Aws(Box::new(aws::Aws::new(words, params, url, region)?)))
}

#[cfg(not(feature = "aws"))]
fn to_aws(
    _words: &Words,
    _params: &[(String, Data)],
    _url: Option<&str>,
    _region: Option<&str>,
) -> Result<Service, CliError> {
    Err(CliError::usage("this waxseal was built without AWS KMS")
        .hint("leave out --endpoint-url, --profile and --provider aws, or use a waxseal with the feature aws"))
}

/// The error that a service has answered with: the AWS CLI's line, and below it what only we know.
fn failed(operation: &str, error: &KeyServiceError) -> CliError {
    let text = error.message().unwrap_or_default();
    // An exception that has no name here keeps its own, in front of its text.
    let (exception, message) = match error.code() {
        ErrorCode::Other => text.split_once(": ").unwrap_or((text, "")),
        code => (code.as_str(), text),
    };
    let (exception, message) = (shown(exception), shown(message));
    let line = format!("An error occurred ({exception}) when calling the {operation} operation: {message}");
    let mut details = report::Details::default();
    details.members.insert("exception".to_owned(), exception.into());
    details.members.insert("operation".to_owned(), operation.into());
    let built = |class: Class| CliError::new(class, line).verbatim().details(details);
    // Whether a failure of the store is worth a retry, and what to do about it, depends on what has failed.
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<StoreError>()) {
        Some(store) => {
            let own = library_errors::store(store);
            built(own.class()).caused_by_own(&own)
        }
        None if error.code().is_transient() => built(Class::KeyUnavailable),
        None => built(Class::KeyRefused),
    }
}

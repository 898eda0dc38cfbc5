//! AWS KMS, or whatever speaks its protocol at an endpoint: requests go there signed, and unchanged.

use std::time::Duration;

use tokio::runtime::Runtime;
use waxseal_key_service::KeyServiceError;
use waxseal_kms_aws::{AwsKms, AwsKmsOptions, Call, Timeouts};
use waxseal_kms_local::model::Operation;
use zeroize::Zeroizing;

use super::failed;
use crate::aws::data::Data;
use crate::aws::words::Words;
use crate::error::{Class, CliError};
use crate::library_errors;

/// The options of the AWS CLI that would make a connection less safe, or are the environment's here.
const REFUSED: [(&str, &str); 3] = [
    ("no-verify-ssl", "a connection that is not verified would show data keys to whoever answers"),
    ("no-sign-request", "AWS KMS takes no request that is not signed"),
    ("ca-bundle", "take --endpoint-url with a certificate that this system trusts"),
];

/// AWS KMS in a region.
pub(crate) struct Aws {
    runtime: Runtime,
    kms: AwsKms,
    region: String,
    /// The key that the requests are about, for errors.
    about: String,
    /// Whether it is the embedded KMS, served at a URL.
    is_served: bool,
}

impl Aws {
    /// Reads the configuration of AWS. Nothing is sent. `url` is the endpoint, if one is named, and `region` the region if
    /// nothing else names one, which an embedded KMS that is served has.
    ///
    /// # Errors
    /// No region is set, or an option does not go with it.
    pub(super) fn new(
        words: &Words,
        params: &[(String, Data)],
        url: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self, CliError> {
        if let Some((option, why)) = REFUSED.iter().find(|(option, _)| words.has(option)) {
            return Err(CliError::usage(format!("--{option} cannot be had")).hint(*why));
        }
        let options = AwsKmsOptions {
            endpoint_url: url.map(ToOwned::to_owned),
            profile: words.value("profile").map(ToOwned::to_owned),
            timeouts: timeouts(words)?,
            ..AwsKmsOptions::default()
        };
        let is_served = region.is_some();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CliError::system(Class::Other, "cannot start", &error))?;
        let kms = runtime.block_on(AwsKms::connect(options));
        let region =
            words.value("region").or_else(|| kms.region()).or(region).map(ToOwned::to_owned).ok_or_else(|| {
                CliError::usage("no AWS region is set").hint("name it with --region, AWS_REGION or in the profile")
            })?;
        let key = params.iter().find_map(|(name, value)| match value {
            Data::Text(text) if name == "KeyId" || name == "AliasName" => Some(text.as_str().to_owned()),
            _ => None,
        });
        let about = key.unwrap_or_else(|| "no key in particular".to_owned());
        Ok(Self { runtime, kms, region, about, is_served })
    }

    /// Performs an operation.
    ///
    /// # Errors
    /// The service refuses, or cannot be reached.
    pub(super) fn call(
        &self,
        operation: &'static Operation,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, CliError> {
        let answer = self.kms.pass_through(&self.region, operation.name, &self.about, body);
        self.runtime.block_on(answer).map_err(|error| match answered(&error) {
            true => failed(operation.name, &error),
            false if self.is_served => library_errors::served(&error),
            false => library_errors::key_service(&error),
        })
    }
}

/// Whether the error is the service's own: then nothing else has failed.
fn answered(error: &KeyServiceError) -> bool {
    let call = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Call>());
    call.is_some_and(|call| std::error::Error::source(call).is_none())
}

/// How long things may take: by the AWS CLI's options, where 0 is for ever.
fn timeouts(words: &Words) -> Result<Timeouts, CliError> {
    let seconds = |name: &str| -> Result<Option<Duration>, CliError> {
        let Some(text) = words.value(name) else { return Ok(None) };
        let seconds: u32 = text
            .parse()
            .map_err(|_| CliError::usage(format!("argument --{name}: a whole number of seconds is expected")))?;
        Ok(Some(Duration::from_secs(if seconds == 0 { u32::MAX } else { seconds }.into())))
    };
    let mut timeouts = Timeouts::default();
    if let Some(connect) = seconds("cli-connect-timeout")? {
        timeouts.connect = connect;
        timeouts.request = timeouts.request.max(connect);
    }
    if let Some(read) = seconds("cli-read-timeout")? {
        timeouts.attempt = read;
        timeouts.request = timeouts.request.max(read);
    }
    Ok(timeouts)
}

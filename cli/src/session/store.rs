//! Opening and sealing the key store of this user, with whatever it takes: a passphrase, or AWS KMS.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, GeneratedDataKey, KeyReference, KeyService, KeyServiceError, Provider,
};
use waxseal_kms_local::{CreateOptions, LocalKms, Opened, Secrets, StoreError};

use super::{Missing, ask, aws_service};
use crate::args::AwsOptions;
use crate::error::{Class, CliError};
use crate::library_errors;
use crate::passphrase::{Purpose, Source};

/// Why a key service could not be asked, in our own words.
type Answered<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Opens the key store in a directory, whatever seals it.
///
/// # Errors
/// As [`LocalKms::unseal_or_create`].
pub(crate) fn open_store(
    directory: &Path,
    missing: Missing,
    source: &Source,
    aws: &AwsOptions,
) -> Result<Opened, StoreError> {
    let mut passphrase = || ask(source, Purpose::Open).map_err(Into::into);
    let mut data_key = |encrypted: &_, context: &_| unseal(aws, encrypted, context);
    let secrets = Secrets { passphrase: &mut passphrase, data_key: &mut data_key };
    match missing {
        Missing::Refuse => LocalKms::unseal(directory, secrets).map(Opened::Existing),
        Missing::Create => LocalKms::unseal_or_create(directory, &CreateOptions::default(), secrets),
    }
}

/// Has the data key of a seal decrypted. The seal names its key, and whoever can write to the store's directory may do so.
pub(crate) fn unseal(aws: &AwsOptions, encrypted: &EncryptedDataKey, context: &EncryptionContext) -> Answered<DataKey> {
    let service = of_seals(aws)?;
    elsewhere(|| service.decrypt_data_key(encrypted, context))
}

/// Has a data key generated that is to seal a store.
pub(crate) fn generate(
    aws: &AwsOptions,
    key: &KeyReference,
    context: &EncryptionContext,
) -> Answered<GeneratedDataKey> {
    if key.provider != Provider::Aws {
        return Err(CliError::usage(format!("{key}: only a key of AWS KMS seals a key store")).into());
    }
    let service = of_seals(aws)?;
    elsewhere(|| service.generate_data_key(&key.key, context))
}

fn of_seals(aws: &AwsOptions) -> Result<Arc<dyn KeyService>, CliError> {
    aws_service(aws)?.ok_or_else(|| {
        CliError::new(Class::KeyRefused, "a key of AWS KMS seals the key store, and this waxseal was built without it")
            .hint("use a waxseal that was built with the feature aws")
    })
}

/// Runs a request on a thread of its own. Stores are opened in the middle of other requests, and a runtime that waits for
/// one of them cannot wait for another.
fn elsewhere<T: Send, F: Future<Output = Result<T, KeyServiceError>>>(
    request: impl FnOnce() -> F + Send,
) -> Answered<T> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CliError::system(Class::Other, "cannot start", &error))?;
        runtime.block_on(request()).map_err(|error| library_errors::key_service(&error))
    };
    let done = thread::scope(|scope| scope.spawn(run).join());
    done.unwrap_or_else(|_| Err(CliError::new(Class::Other, "the request to the key service failed")))
        .map_err(Into::into)
}

//! The connection: the SDK's configuration, loaded once, and a client for each region.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryMode;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::SharedHttpClient;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::SemaphorePermit;
use waxseal_key_service::{ErrorCode, KeyArn, KeyId, KeyServiceError};

use crate::call::Call;
use crate::limits::Limits;
use crate::options::{AwsKmsOptions, Timeouts};
use crate::refusal::refused;
use crate::transport::{NoPlainHttp, http_client};

/// Clients that are kept at most. A client is cheap to make; only its open connections are missed, and those are shared.
const MAX_CLIENTS: usize = 64;
/// How many times as long a request may take in the adaptive retry mode: a caller that is alone and is throttled waits for
/// ten seconds before each further attempt.
const ADAPTIVE_PATIENCE: u32 = 4;

/// AWS KMS, in all regions.
pub struct AwsKms {
    config: SdkConfig,
    http_client: SharedHttpClient,
    clients: Mutex<HashMap<String, Client>>,
    limits: Limits,
    options: AwsKmsOptions,
}

impl AwsKms {
    /// Reads region, profile and endpoint from the environment and the files that every AWS tool reads. Nothing is sent:
    /// credentials are had when the first request needs them.
    pub async fn connect(options: AwsKmsOptions) -> Self {
        let http_client = http_client();
        // The machine's own region, which the SDK would ask for over the network, is not asked for: keys name theirs.
        let mut of_profile = ProfileFileRegionProvider::builder();
        if let Some(profile) = &options.profile {
            of_profile = of_profile.profile_name(profile);
        }
        let region =
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(of_profile.build());
        let region = region.region().await;
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        let config = loader
            .region(region)
            .http_client(http_client.clone())
            .timeout_config(timeouts(options.timeouts))
            .load()
            .await;
        Self::over(config, http_client, options)
    }

    /// Uses a configuration of the SDK that is loaded already: its region, credentials and retries.
    #[must_use]
    pub fn with(config: SdkConfig, options: AwsKmsOptions) -> Self {
        Self::over(config, http_client(), options)
    }

    fn over(config: SdkConfig, http_client: SharedHttpClient, options: AwsKmsOptions) -> Self {
        let limits = Limits::new(options.concurrency, options.requests_per_second);
        Self { config, http_client, clients: Mutex::default(), limits, options }
    }

    /// The caller's region: that of the environment or of the profile.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }

    /// The grant tokens of every request, as the SDK takes them.
    pub(crate) fn grant_tokens(&self) -> Option<Vec<String>> {
        (!self.options.grant_tokens.is_empty()).then(|| self.options.grant_tokens.clone())
    }

    /// Sends a request about a key to the key's own region, and has the answer checked.
    pub(crate) async fn ask<T, U, E, F>(
        &self,
        operation: &'static str,
        key: &KeyId,
        send: impl FnOnce(Client, String) -> F,
        check: impl FnOnce(T) -> Result<U, KeyServiceError>,
    ) -> Result<U, KeyServiceError>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let region = self.region_of(key);
        let call =
            Call { operation, key: key.to_string(), region: region.map(str::to_owned), request_id: None, source: None };
        let Some(region) = region else { return Err(no_region().with_source(call)) };
        let client = self.client(region);
        let answer = {
            let _under_way = self.enter().await;
            send(client, key.to_string()).await
        };
        match answer {
            Ok(answer) => check(answer).map_err(|error| error.with_source(call)),
            Err(error) => Err(refused(call, error)),
        }
    }

    /// The same key in the caller's region, where it is another one than in the ARN: a multi-Region key may have a replica
    /// there, which is nearer, and answers when the other region does not.
    pub(crate) fn nearer(&self, arn: &KeyArn) -> Option<KeyArn> {
        let region = self.region().filter(|region| arn.is_multi_region() && *region != arn.region())?;
        arn.in_region(region).ok()
    }

    /// How long a request of this caller may take. The adaptive mode holds back who was throttled, for seconds at each attempt,
    /// and that counts.
    fn timeouts(&self) -> Timeouts {
        let Timeouts { request, .. } = self.options.timeouts;
        let is_adaptive = self.config.retry_config().is_some_and(|retries| retries.mode() == RetryMode::Adaptive);
        Timeouts { request: request * if is_adaptive { ADAPTIVE_PATIENCE } else { 1 }, ..self.options.timeouts }
    }

    fn region_of<'a>(&'a self, key: &'a KeyId) -> Option<&'a str> {
        match key {
            KeyId::Arn(arn) => Some(arn.region()),
            KeyId::AliasArn { region, .. } => Some(region),
            KeyId::Id(_) | KeyId::Alias(_) => self.region(),
        }
    }

    /// Waits until a request may begin. It is under way until the permit is dropped.
    pub(crate) async fn enter(&self) -> SemaphorePermit<'_> {
        self.limits.enter().await
    }

    /// The client of a region.
    pub(crate) fn client(&self, region: &str) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        let mut config = aws_sdk_kms::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .http_client(self.http_client.clone())
            .timeout_config(timeouts(self.timeouts()))
            .app_name(AppName::new(concat!("waxseal-", env!("CARGO_PKG_VERSION"))).expect("it has no odd character"))
            .interceptor(NoPlainHttp);
        if let Some(url) = &self.options.endpoint_url {
            config = config.endpoint_url(url);
        }
        let client = Client::from_conf(config.build());
        clients.insert(region.to_owned(), client.clone());
        client
    }
}

impl fmt::Debug for AwsKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKms").field("region", &self.region()).finish_non_exhaustive()
    }
}

fn timeouts(timeouts: Timeouts) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.connect)
        .operation_attempt_timeout(timeouts.attempt)
        .operation_timeout(timeouts.request)
        .build()
}

fn no_region() -> KeyServiceError {
    KeyServiceError::new(ErrorCode::Validation, "No AWS region is set, and the key does not name one.")
}

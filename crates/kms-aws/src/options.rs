//! What a connection to AWS KMS can be told.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// How AWS KMS is spoken to. What is not here comes from the environment and the files that every AWS tool reads.
#[derive(Clone, Debug)]
pub struct AwsKmsOptions {
    /// Where the service is, for instance `http://127.0.0.1:5000`; else `AWS_ENDPOINT_URL_KMS`, else the region's own.
    pub endpoint_url: Option<String>,
    /// The profile of the files that every AWS tool reads; else `AWS_PROFILE`, else `default`.
    pub profile: Option<String>,
    /// Grant tokens, for grants that were made within the last minutes.
    pub grant_tokens: Vec<String>,
    /// Requests that are begun in a second at most, each counted once however often it is retried; none is no bound.
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests that are under way at once at most.
    pub concurrency: NonZeroUsize,
    /// How long things may take.
    pub timeouts: Timeouts,
}

impl AwsKmsOptions {
    /// Requests under way at once unless told otherwise. At 10 ms each they come to 3200 in a second, which is below every
    /// region's quota (5500 at least).
    pub const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(32).expect("it is not zero");
}

impl Default for AwsKmsOptions {
    fn default() -> Self {
        Self {
            endpoint_url: None,
            profile: None,
            grant_tokens: Vec::new(),
            requests_per_second: None,
            concurrency: Self::CONCURRENCY,
            timeouts: Timeouts::default(),
        }
    }
}

/// How long a request may take. Together with the SDK's bounded retries they bound every call.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// One attempt, from the first byte sent to the last one received.
    pub attempt: Duration,
    /// A request with all its attempts and the waiting between them; four times as long in the SDK's adaptive retry mode.
    pub request: Duration,
}

impl Default for Timeouts {
    /// An answer takes milliseconds. These are for a network that has gone away, not for a slow service.
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), attempt: Duration::from_secs(8), request: Duration::from_secs(30) }
    }
}

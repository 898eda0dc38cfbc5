//! How the containers are made that fall under one rule: the keys are found once, and data keys are had ahead.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use waxseal_container::Suite;
use waxseal_envelope::{EnvelopeError, NewContainer, Stock, StockLimits};
use waxseal_key_service::{EncryptionContext, KeyReference};

use super::choice::{Chosen, Sourced};
use crate::error::CliError;
use crate::session::Session;

/// How long a data key that was generated ahead may wait for its file: large files take their time.
const AHEAD_FOR: Duration = Duration::from_secs(300);

/// Keys, context and suite of containers.
#[derive(Debug)]
pub(super) struct Recipe {
    chosen: Chosen,
    suite: Suite,
    /// How many there will be, if that is known.
    pub(super) count: Option<usize>,
    resolved: OnceLock<Result<Vec<Sourced<KeyReference>>, CliError>>,
    stock: OnceLock<Result<Arc<Stock>, CliError>>,
}

impl Recipe {
    /// Nothing is asked yet.
    pub(super) fn new(chosen: Chosen, suite: Suite) -> Self {
        Self { chosen, suite, count: None, resolved: OnceLock::new(), stock: OnceLock::new() }
    }

    /// The keys as they were named.
    pub(super) fn keys(&self) -> impl Iterator<Item = &KeyReference> {
        self.chosen.all_keys()
    }

    /// Whether containers by another one have the same keys and context.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.keys().eq(other.keys()) && self.context() == other.context()
    }

    /// The context of each.
    pub(super) fn context(&self) -> &EncryptionContext {
        &self.chosen.context.value
    }

    /// The keys by their ARNs, and where each was named.
    pub(super) fn resolved(&self, session: &Session<'_>) -> Result<&[Sourced<KeyReference>], CliError> {
        let resolved = self.resolved.get_or_init(|| self.chosen.find(session));
        resolved.as_deref().map_err(Clone::clone)
    }

    /// What is said of a key service's refusal: where the key was named that it is about.
    pub(super) fn refused(&self, error: &EnvelopeError, told: CliError) -> CliError {
        let EnvelopeError::KeyService { key: refused, .. } = error else { return told };
        let found = self.resolved.get().and_then(|resolved| resolved.as_deref().ok()).unwrap_or_default();
        match found.iter().find(|key| key.value.to_string() == *refused) {
            Some(key) => self.chosen.tell_origin(told, key.origin),
            None => told,
        }
    }

    /// What the next container is made as.
    pub(super) fn plan(&self, session: &Session<'_>) -> Result<NewContainer, CliError> {
        Ok(NewContainer {
            keys: self.resolved(session)?.iter().map(|key| key.value.clone()).collect(),
            context: self.context().clone(),
            suite: self.suite,
            created: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
        })
    }

    /// The containers that are ready ahead.
    pub(super) fn stock(&self, session: &Session<'_>) -> Result<&Arc<Stock>, CliError> {
        let stock = self.stock.get_or_init(|| {
            let total = self.count.and_then(|count| u64::try_from(count).ok());
            let limits = StockLimits { age: AHEAD_FOR, total, ..StockLimits::default() };
            Ok(Arc::new(Stock::new(session.envelope(), self.plan(session)?, limits)))
        });
        stock.as_ref().map_err(Clone::clone)
    }
}

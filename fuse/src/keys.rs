//! The data keys of a mount: those of files that were opened not long ago, and those for files to come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waxseal_container::{Filling, Header, Sealer, Unlocked};
use waxseal_envelope::{
    CacheCounts, CacheLimits, DataKeyCache, Envelope, EnvelopeError, NewContainer, Reading, Stock, StockLimits,
};

/// The data keys of a mount.
#[derive(Debug)]
pub(crate) struct Keys {
    envelope: Envelope,
    opened: DataKeyCache,
    new: Arc<Stock>,
}

impl Keys {
    /// Nothing is kept for longer than `ttl`.
    pub(crate) fn new(envelope: Envelope, new: NewContainer, reading: Reading, ttl: Duration) -> Self {
        let ahead = StockLimits::default();
        let ahead = StockLimits { age: ahead.age.min(ttl), ..ahead };
        let kept = CacheLimits { age: ttl, ..CacheLimits::default() };
        Self {
            opened: DataKeyCache::new(envelope.clone(), reading, kept),
            new: Arc::new(Stock::new(envelope.clone(), new, ahead)),
            envelope,
        }
    }

    /// How long an answer of the key service holds.
    pub(crate) fn ttl(&self) -> Duration {
        self.opened.age()
    }

    /// How often the key service was asked to open a file, and how often that was not necessary.
    pub(crate) fn counts(&self) -> CacheCounts {
        self.opened.counts()
    }

    /// A container for a new file, with when its data key was generated.
    ///
    /// # Errors
    /// The key service refuses or cannot be reached.
    pub(crate) async fn make(&self) -> Result<(Sealer, Instant), EnvelopeError> {
        self.new.make().await
    }

    /// Has a header opened: by the key service, or by what it answered not long ago. Returns when it answered.
    ///
    /// # Errors
    /// The key service refuses or cannot be reached.
    pub(crate) async fn unlock(&self, header: Header) -> Result<(Unlocked, Instant), EnvelopeError> {
        let (opened, since) = self.opened.open(header).await?;
        Ok((opened.unlocked, since))
    }

    /// Has a prepared container's data key decrypted, to fill it. Returns when the key service answered.
    ///
    /// # Errors
    /// The key service refuses or cannot be reached.
    pub(crate) async fn fill(&self, header: Header) -> Result<(Filling, Instant), EnvelopeError> {
        let since = Instant::now();
        let (filling, _) = self.envelope.fill(header, self.opened.reading()).await?;
        Ok((filling, since))
    }

    /// Forgets the keys that the key service was last asked for longer ago than they are kept.
    pub(crate) fn expire(&self) {
        self.opened.expire();
        self.new.expire();
    }
}

//! Data keys for new containers, generated ahead: whoever makes a file does not wait for the key service.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;
use waxseal_container::Sealer;

use super::lock;
use crate::{Envelope, EnvelopeError, NewContainer};

/// How many data keys are had ahead, and how long they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockLimits {
    /// Data keys that are ready at most.
    pub ahead: usize,
    /// How long one of them is kept: a key that is taken away in the key service makes no more files after that.
    pub age: Duration,
    /// Data keys that are wanted in all, if that is known: no more are generated ahead.
    pub total: Option<u64>,
}

impl Default for StockLimits {
    /// 32 data keys for half a minute.
    fn default() -> Self {
        Self { ahead: 32, age: Duration::from_secs(30), total: None }
    }
}

/// New containers that are ready to be made, each with a data key of its own that is given out once.
#[derive(Debug)]
pub struct Stock {
    envelope: Envelope,
    new: NewContainer,
    limits: StockLimits,
    /// With when their data keys were generated; the oldest first.
    ready: Mutex<VecDeque<(Sealer, Instant)>>,
    /// Data keys that were generated or are being generated.
    begun: AtomicU64,
    /// Whether somebody is having more of them generated.
    is_stocking: AtomicBool,
}

impl Stock {
    /// Makes an empty stock of such containers. If `new` says when it was made, each says when its own data key was.
    #[must_use]
    pub fn new(envelope: Envelope, new: NewContainer, limits: StockLimits) -> Self {
        Self {
            envelope,
            new,
            limits,
            ready: Mutex::default(),
            begun: AtomicU64::new(0),
            is_stocking: AtomicBool::new(false),
        }
    }

    /// A new container, with when its data key was generated: one that was had ahead if there is one. Within a tokio
    /// runtime more of them are generated meanwhile.
    ///
    /// # Errors
    /// As [`Envelope::make`].
    pub async fn make(self: &Arc<Self>) -> Result<(Sealer, Instant), EnvelopeError> {
        let (ready, left) = {
            let mut stock = lock(&self.ready);
            drop_old(&mut stock, self.limits.age);
            (stock.pop_front(), stock.len())
        };
        match ready {
            Some(ready) => {
                self.fill_below_half(left);
                Ok(ready)
            }
            None => {
                self.begun.fetch_add(1, Ordering::Relaxed);
                self.fill_below_half(left);
                self.generate().await
            }
        }
    }

    /// Wipes what has been kept for long enough.
    pub fn expire(&self) {
        drop_old(&mut lock(&self.ready), self.limits.age);
    }

    /// Has more generated in the background when fewer than half of them are left.
    fn fill_below_half(self: &Arc<Self>, left: usize) {
        if left < self.limits.ahead.div_ceil(2)
            && !self.limits.age.is_zero()
            && let Ok(runtime) = Handle::try_current()
            && !self.is_stocking.swap(true, Ordering::AcqRel)
        {
            let stock = Arc::clone(self);
            drop(runtime.spawn(async move { stock.fill().await }));
        }
    }

    /// Has data keys generated, all that are wanted at once: the key service knows how many requests it bears. An error is
    /// for whoever needs a key: it will be met again.
    async fn fill(&self) {
        let mut requests = FuturesUnordered::new();
        while lock(&self.ready).len() + requests.len() < self.limits.ahead && self.begin_one_more() {
            requests.push(self.generate());
        }
        while let Some(Ok(made)) = requests.next().await {
            lock(&self.ready).push_back(made);
        }
        drop(requests);
        self.is_stocking.store(false, Ordering::Release);
    }

    /// Counts one more data key, unless there are as many as are wanted.
    fn begin_one_more(&self) -> bool {
        let wanted = self.limits.total.unwrap_or(u64::MAX);
        let more = |begun: u64| (begun < wanted).then_some(begun + 1);
        self.begun.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    async fn generate(&self) -> Result<(Sealer, Instant), EnvelopeError> {
        let since = Instant::now();
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
        let new = NewContainer { created: self.new.created.and_then(|_| now()), ..self.new.clone() };
        Ok((self.envelope.make(&new).await?, since))
    }

    /// Whether more are being generated in the background.
    #[cfg(test)]
    pub(super) fn is_stocking(&self) -> bool {
        self.is_stocking.load(Ordering::Acquire)
    }

    /// The number of containers that are ready.
    #[cfg(test)]
    pub(super) fn ready(&self) -> usize {
        lock(&self.ready).len()
    }
}

fn drop_old(stock: &mut VecDeque<(Sealer, Instant)>, age: Duration) {
    stock.retain(|(_, since)| since.elapsed() < age);
}

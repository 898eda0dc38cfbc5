//! Data keys for new containers, generated ahead: whoever makes a file does not wait for the key service.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
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
    state: Mutex<State>,
    /// Told of every container that becomes ready, and when no more will.
    changed: Notify,
    /// Whether somebody is having more of them generated.
    is_stocking: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// With when their data keys were generated; the oldest first.
    ready: VecDeque<(Sealer, Instant)>,
    /// Data keys that are being generated ahead.
    in_flight: usize,
    /// Those who wait for one of them.
    waiting: usize,
    /// Data keys that were generated or are being generated.
    begun: u64,
}

/// How a container is come by.
enum Way<'a> {
    Ready(Box<(Sealer, Instant)>),
    Wait(Pin<Box<Notified<'a>>>),
    Generate,
}

impl Stock {
    /// Makes an empty stock of such containers. If `new` says when it was made, each says when its own data key was.
    #[must_use]
    pub fn new(envelope: Envelope, new: NewContainer, limits: StockLimits) -> Self {
        Self {
            envelope,
            new,
            limits,
            state: Mutex::default(),
            changed: Notify::new(),
            is_stocking: AtomicBool::new(false),
        }
    }

    /// A new container, with when its data key was generated: one that was had ahead if there is one. Within a tokio
    /// runtime more of them are generated meanwhile.
    ///
    /// # Errors
    /// As [`Envelope::make`].
    pub async fn make(self: &Arc<Self>) -> Result<(Sealer, Instant), EnvelopeError> {
        let mut way = self.begin();
        loop {
            match way {
                Way::Ready(ready) => {
                    self.fill_below_half();
                    return Ok(*ready);
                }
                Way::Generate => {
                    // Only a key service that says yes is asked for more.
                    let made = self.generate().await?;
                    self.fill_below_half();
                    return Ok(made);
                }
                Way::Wait(changed) => {
                    let waiting = Waiting(&self.state);
                    changed.await;
                    drop(waiting);
                    way = self.begin();
                }
            }
        }
    }

    /// Wipes what has been kept for long enough.
    pub fn expire(&self) {
        lock(&self.state).drop_old(self.limits.age);
    }

    /// Takes a container that is ready, or one that is going to be and that nobody waits for; else it has to be made.
    fn begin(&self) -> Way<'_> {
        let mut state = lock(&self.state);
        state.drop_old(self.limits.age);
        match state.ready.pop_front() {
            Some(ready) => Way::Ready(Box::new(ready)),
            None if state.in_flight > state.waiting => {
                let mut changed = Box::pin(self.changed.notified());
                changed.as_mut().enable();
                state.waiting += 1;
                Way::Wait(changed)
            }
            None => {
                state.begun += 1;
                Way::Generate
            }
        }
    }

    /// Has more generated in the background when fewer than half of them are left.
    fn fill_below_half(self: &Arc<Self>) {
        let left = lock(&self.state).ready.len();
        if left < self.limits.ahead.div_ceil(2)
            && !self.limits.age.is_zero()
            && let Ok(runtime) = Handle::try_current()
            && !self.is_stocking.swap(true, Ordering::AcqRel)
        {
            let count = lock(&self.state).begin_ahead(&self.limits);
            let filling = Filling(Arc::clone(self));
            if count > 0 {
                drop(runtime.spawn(async move { filling.0.fill(count).await }));
            }
        }
    }

    /// Has data keys generated, all at once: the key service knows how many requests it bears. An error is for whoever
    /// needs a key: it will be met again.
    async fn fill(&self, count: usize) {
        let mut requests: FuturesUnordered<_> = (0..count).map(|_| self.generate()).collect();
        while let Some(Ok(made)) = requests.next().await {
            let mut state = lock(&self.state);
            state.in_flight -= 1;
            let place = state.ready.partition_point(|(_, since)| *since <= made.1);
            state.ready.insert(place, made);
            drop(state);
            self.changed.notify_one();
        }
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
        lock(&self.state).ready.len()
    }
}

impl State {
    /// Counts the data keys that are to be generated ahead.
    fn begin_ahead(&mut self, limits: &StockLimits) -> usize {
        let room = limits.ahead.saturating_sub(self.ready.len() + self.in_flight);
        let wanted = limits.total.map_or(u64::MAX, |total| total.saturating_sub(self.begun));
        let count = room.min(usize::try_from(wanted).unwrap_or(usize::MAX));
        self.in_flight += count;
        self.begun += count as u64;
        count
    }

    fn drop_old(&mut self, age: Duration) {
        while self.ready.front().is_some_and(|(_, since)| since.elapsed() >= age) {
            self.ready.pop_front();
        }
    }
}

/// Somebody waits for a data key that is being generated.
struct Waiting<'a>(&'a Mutex<State>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(self.0).waiting -= 1;
    }
}

/// Data keys are being generated ahead. However that ends, nobody waits for them any longer.
struct Filling(Arc<Stock>);

impl Drop for Filling {
    fn drop(&mut self) {
        lock(&self.0.state).in_flight = 0;
        self.0.is_stocking.store(false, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

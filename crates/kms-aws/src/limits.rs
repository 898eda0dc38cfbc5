//! How many requests are under way, and how many begin in a second.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// The bounds of one connection.
#[derive(Debug)]
pub(crate) struct Limits {
    slots: Semaphore,
    pace: Option<Pace>,
}

/// Requests at even distances: AWS KMS counts them by the second, and a burst at its beginning would be throttled.
#[derive(Debug)]
struct Pace {
    distance: Duration,
    /// When the next request may begin.
    next: Mutex<Instant>,
}

impl Limits {
    pub(crate) fn new(concurrency: NonZeroUsize, requests_per_second: Option<NonZeroU32>) -> Self {
        let pace = requests_per_second
            .map(|rate| Pace { distance: Duration::from_secs(1) / rate.get(), next: Mutex::new(Instant::now()) });
        Self { slots: Semaphore::new(concurrency.get().min(Semaphore::MAX_PERMITS)), pace }
    }

    /// Waits until a request may begin. It counts as under way until the permit is dropped.
    pub(crate) async fn enter(&self) -> SemaphorePermit<'_> {
        let permit = self.slots.acquire().await.expect("the semaphore is never closed");
        if let Some(pace) = &self.pace {
            sleep_until(pace.take()).await;
        }
        permit
    }
}

impl Pace {
    /// Takes the next moment at which a request may begin. What was not used before is not saved up.
    fn take(&self) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = (*next).max(Instant::now());
        *next = taken + self.distance;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(concurrency: usize, rate: Option<u32>) -> Limits {
        Limits::new(concurrency.try_into().unwrap(), rate.and_then(NonZeroU32::new))
    }

    #[tokio::test(start_paused = true)]
    async fn requests_begin_at_the_rate_and_save_nothing_up() {
        let limits = limits(8, Some(10));
        for _ in 0..2 {
            let begun = Instant::now();
            for _ in 0..11 {
                drop(limits.enter().await);
            }
            assert_eq!(begun.elapsed().as_millis() / 100, 10);
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_are_under_way_than_allowed() {
        let limits = limits(2, None);
        let (one, _two) = (limits.enter().await, limits.enter().await);
        assert!(tokio::time::timeout(Duration::from_secs(1), limits.enter()).await.is_err());
        drop(one);
        assert!(tokio::time::timeout(Duration::from_secs(1), limits.enter()).await.is_ok());
    }
}

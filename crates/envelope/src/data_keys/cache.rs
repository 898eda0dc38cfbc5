//! Opened headers, kept for a while: the key service is asked once for what is read several times.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use waxseal_container::{FileId, Header};

use super::lock;
use crate::{Envelope, EnvelopeError, OpenedBy, Reading};

/// Containers whose keys are being asked for, from which on those are taken out of which it is not so any more.
const MAX_ASKING: usize = 256;

/// How much is kept, how long, and how often it is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Opened headers that are kept at most; beyond that the oldest one goes.
    pub entries: usize,
    /// How long an answer of the key service holds.
    pub age: Duration,
    /// How often an answer is given out, the first time included.
    pub uses: u64,
}

impl CacheLimits {
    /// Nothing is kept: the key service is asked about each header, and nobody waits for the answer to another.
    pub const NOTHING: Self = Self { entries: 0, age: Duration::ZERO, uses: 0 };
}

impl Default for CacheLimits {
    /// 4096 headers for five minutes, each ten thousand times.
    fn default() -> Self {
        Self { entries: 4096, age: Duration::from_secs(300), uses: 10_000 }
    }
}

/// What a cache has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Headers that a key service was asked about.
    pub asked: u64,
    /// Headers that were opened without a call.
    pub recalled: u64,
}

/// Opens headers under the demands of one reader, and remembers those that were opened.
///
/// What is remembered is the whole header: encrypted data keys, context, suite, file id and tag have to be the same, or the
/// key service is asked. A cache belongs to one [`Reading`], so that no other reader's demands are ever met by what it holds.
/// Only one request for a container is under way at a time; whoever else wants it waits for that answer. Refusals are not
/// remembered. Keys are wiped when their entry goes and nobody uses them any more. An entry goes when its age is over, whether
/// or not anybody comes to the cache then: as long as it holds one, a thread waits for that.
#[derive(Debug)]
pub struct DataKeyCache {
    envelope: Envelope,
    reading: Reading,
    limits: CacheLimits,
    kept: Arc<Mutex<Kept>>,
    asking: Mutex<HashMap<FileId, Arc<tokio::sync::Mutex<()>>>>,
    asked: AtomicU64,
    recalled: AtomicU64,
}

impl DataKeyCache {
    /// Makes an empty cache in front of the key services of `envelope`.
    #[must_use]
    pub fn new(envelope: Envelope, reading: Reading, limits: CacheLimits) -> Self {
        Self {
            envelope,
            reading,
            limits,
            kept: Arc::default(),
            asking: Mutex::default(),
            asked: AtomicU64::new(0),
            recalled: AtomicU64::new(0),
        }
    }

    /// The demands under which headers are opened.
    #[must_use]
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// How long an answer of the key service holds.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.limits.age
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> CacheCounts {
        CacheCounts { asked: self.asked.load(Ordering::Relaxed), recalled: self.recalled.load(Ordering::Relaxed) }
    }

    /// Has a header opened, by the key service or by what it answered not long ago. Returns when it was asked, too: that is
    /// when the answer begins to age.
    ///
    /// # Errors
    /// As [`Envelope::open`].
    pub async fn open(&self, header: Header) -> Result<(OpenedBy, Instant), EnvelopeError> {
        if self.limits.entries == 0 {
            let since = Instant::now();
            self.asked.fetch_add(1, Ordering::Relaxed);
            return Ok((self.envelope.open(header, &self.reading).await?, since));
        }
        let id = header.core().file_id();
        if let Some(known) = self.recall(&header) {
            return Ok(known);
        }
        let asking = self.asking(id);
        let _alone = asking.lock().await;
        if let Some(known) = self.recall(&header) {
            return Ok(known);
        }
        let since = Instant::now();
        self.asked.fetch_add(1, Ordering::Relaxed);
        let opened = self.envelope.open(header, &self.reading).await?;
        let is_unwatched = {
            let mut kept = lock(&self.kept);
            kept.keep(id, Entry { opened: opened.clone(), since, uses: 1 }, &self.limits);
            kept.begin_watch()
        };
        if is_unwatched {
            watch(&self.kept, self.limits.age);
        }
        Ok((opened, since))
    }

    /// Wipes what has been kept for long enough, now.
    pub fn expire(&self) {
        lock(&self.kept).expire(Instant::now(), self.limits.age);
    }

    fn recall(&self, header: &Header) -> Option<(OpenedBy, Instant)> {
        let mut kept = lock(&self.kept);
        kept.expire(Instant::now(), self.limits.age);
        let known = kept.take(header, self.limits.uses)?;
        self.recalled.fetch_add(1, Ordering::Relaxed);
        Some(known)
    }

    /// The number of headers that are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.kept).len()
    }

    /// What is held by whoever asks for the key of one container.
    fn asking(&self, id: FileId) -> Arc<tokio::sync::Mutex<()>> {
        let mut asking = lock(&self.asking);
        if asking.len() > MAX_ASKING {
            asking.retain(|_, alone| Arc::strong_count(alone) > 1);
        }
        Arc::clone(asking.entry(id).or_default())
    }
}

/// Starts a thread that wipes each entry when its age is over, and ends with the last one, or with the cache.
fn watch(kept: &Arc<Mutex<Kept>>, age: Duration) {
    let watched = Arc::downgrade(kept);
    let started = thread::Builder::new().name("key-cache".to_owned()).spawn(move || {
        while let Some(left) = wipe_old(&watched, age) {
            thread::sleep(left);
        }
    });
    if started.is_err() {
        // The next entry tries again, and until then entries go when somebody comes.
        lock(kept).is_watched = false;
    }
}

/// Wipes what has been kept for long enough. Returns how long the oldest of the others has left; none if nothing is left.
fn wipe_old(kept: &Weak<Mutex<Kept>>, age: Duration) -> Option<Duration> {
    let kept = kept.upgrade()?;
    let mut kept = lock(&kept);
    let now = Instant::now();
    kept.expire(now, age);
    let oldest = kept.order.front().map(|(_, since)| age.saturating_sub(now.saturating_duration_since(*since)));
    kept.is_watched = oldest.is_some();
    oldest
}

/// A header that was opened.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) opened: OpenedBy,
    pub(super) since: Instant,
    pub(super) uses: u64,
}

/// The headers that were opened.
#[derive(Debug, Default)]
pub(super) struct Kept {
    entries: HashMap<FileId, Entry>,
    /// The oldest first. An entry that was replaced has more than one place; that of its own time counts.
    order: VecDeque<(FileId, Instant)>,
    /// Whether a thread waits for the age of the oldest entry to be over.
    is_watched: bool,
}

impl Kept {
    /// Whether somebody has to begin to watch over the entries: from then on it is done.
    fn begin_watch(&mut self) -> bool {
        let begins = !self.is_watched && !self.order.is_empty();
        self.is_watched |= begins;
        begins
    }

    /// Keeps an entry in place of what is kept of this file, and makes room for it.
    pub(super) fn keep(&mut self, id: FileId, entry: Entry, limits: &CacheLimits) {
        if limits.age.is_zero() || limits.entries == 0 || entry.uses >= limits.uses {
            self.entries.remove(&id);
            return;
        }
        // Answers come in another order than they were asked for, and have to go in the order of their age.
        let place = self.order.partition_point(|(_, since)| *since <= entry.since);
        self.order.insert(place, (id, entry.since));
        self.entries.insert(id, entry);
        // Places of entries that are gone count too: the order is bounded as well.
        while self.order.len() > limits.entries {
            self.drop_oldest();
        }
    }

    /// Gives an entry out once more, if it is of this very header.
    pub(super) fn take(&mut self, header: &Header, uses: u64) -> Option<(OpenedBy, Instant)> {
        let id = header.core().file_id();
        let entry = self.entries.get_mut(&id)?;
        if entry.opened.unlocked.header() != header {
            return None;
        }
        entry.uses += 1;
        let known = (entry.opened.clone(), entry.since);
        if entry.uses >= uses {
            self.entries.remove(&id);
        }
        Some(known)
    }

    /// Drops what came longer than `age` before `now`.
    pub(super) fn expire(&mut self, now: Instant, age: Duration) {
        while self.order.front().is_some_and(|(_, since)| now.saturating_duration_since(*since) >= age) {
            self.drop_oldest();
        }
    }

    /// The number of entries.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn drop_oldest(&mut self) {
        if let Some((id, since)) = self.order.pop_front()
            && self.entries.get(&id).is_some_and(|entry| entry.since == since)
        {
            self.entries.remove(&id);
        }
    }
}

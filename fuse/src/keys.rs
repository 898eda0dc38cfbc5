//! Data keys: had from the key service when a file is opened, kept for a while, and generated for new files.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use waxseal_container::{FileId, Filling, HEADER_LEN, Header, Sealer, Unlocked};
use waxseal_envelope::{Envelope, EnvelopeError, NewContainer, Reading};

/// Headers whose keys are kept at most.
const MAX_KNOWN: usize = 4096;

/// Containers whose keys are being asked for, from which on those are taken out of which it is not so any more.
const MAX_ASKING: usize = 256;

/// Data keys for new files that are had ahead.
const STOCK: usize = 32;

/// How long one of them is kept: a key that is taken away in the key service makes no more files after that.
const STOCK_TTL: Duration = Duration::from_secs(30);

/// The data keys of a mount.
#[derive(Debug)]
pub(crate) struct Keys {
    envelope: Envelope,
    new: NewContainer,
    reading: Reading,
    ttl: Duration,
    known: Mutex<HashMap<FileId, Known>>,
    /// Containers that are ready to be made, with when their data keys were generated; the oldest first.
    stock: Mutex<VecDeque<(Sealer, Instant)>>,
    /// Whether somebody is having more of them generated.
    is_stocking: AtomicBool,
    /// One request at a time for one container.
    asking: Mutex<HashMap<FileId, Arc<tokio::sync::Mutex<()>>>>,
}

/// A header that was opened.
#[derive(Debug)]
struct Known {
    header: Box<[u8; HEADER_LEN]>,
    unlocked: Unlocked,
    since: Instant,
}

impl Keys {
    pub(crate) fn new(envelope: Envelope, new: NewContainer, reading: Reading, ttl: Duration) -> Self {
        Self {
            envelope,
            new,
            reading,
            ttl,
            known: Mutex::default(),
            stock: Mutex::default(),
            is_stocking: AtomicBool::new(false),
            asking: Mutex::default(),
        }
    }

    /// How long an answer of the key service holds.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// A container for a new file, with when its data key was generated: one that was had ahead if there is one.
    ///
    /// # Errors
    /// The key service refuses or cannot be reached.
    pub(crate) async fn make(self: &Arc<Self>) -> Result<(Sealer, Instant), EnvelopeError> {
        let (ready, left) = {
            let mut stock = lock(&self.stock);
            while stock.front().is_some_and(|(_, since)| since.elapsed() >= self.stock_ttl()) {
                stock.pop_front();
            }
            (stock.pop_front(), stock.len())
        };
        if left < STOCK / 2
            && let Ok(runtime) = Handle::try_current()
            && !self.is_stocking.swap(true, Ordering::AcqRel)
        {
            let keys = Arc::clone(self);
            drop(runtime.spawn(async move { keys.fill_stock().await }));
        }
        match ready {
            Some(ready) => Ok(ready),
            None => self.generate().await,
        }
    }

    /// Has data keys generated until there are enough. An error is for whoever needs one: it will be met again.
    async fn fill_stock(&self) {
        while lock(&self.stock).len() < STOCK && !self.stock_ttl().is_zero() {
            match self.generate().await {
                Ok(made) => lock(&self.stock).push_back(made),
                Err(_) => break,
            }
        }
        self.is_stocking.store(false, Ordering::Release);
    }

    async fn generate(&self) -> Result<(Sealer, Instant), EnvelopeError> {
        let since = Instant::now();
        Ok((self.envelope.make(&self.new).await?, since))
    }

    fn stock_ttl(&self) -> Duration {
        self.ttl.min(STOCK_TTL)
    }

    /// Has a header opened: by the key service, or by what it answered not long ago. Returns when it answered.
    ///
    /// # Errors
    /// The header is malformed; the key service refuses or cannot be reached.
    pub(crate) async fn unlock(&self, bytes: &[u8]) -> Result<(Unlocked, Instant), EnvelopeError> {
        let header = Header::parse(bytes)?;
        let id = header.core().file_id();
        if let Some(known) = self.recall(id, bytes) {
            return Ok(known);
        }
        let asking = self.asking(id);
        let _alone = asking.lock().await;
        if let Some(known) = self.recall(id, bytes) {
            return Ok(known);
        }
        let since = Instant::now();
        let opened = self.envelope.open(header, &self.reading).await;
        let unlocked = opened?.unlocked;
        if let Some(header) = bytes.first_chunk::<HEADER_LEN>() {
            let known = Known { header: Box::new(*header), unlocked: unlocked.clone(), since };
            let mut all = lock(&self.known);
            if all.len() >= MAX_KNOWN {
                all.clear();
            }
            all.insert(id, known);
        }
        Ok((unlocked, since))
    }

    /// Has a prepared container's data key decrypted, to fill it. Returns when the key service answered.
    ///
    /// # Errors
    /// The header is malformed; the key service refuses or cannot be reached.
    pub(crate) async fn fill(&self, bytes: &[u8]) -> Result<(Filling, Instant), EnvelopeError> {
        let since = Instant::now();
        let (filling, _) = self.envelope.fill(Header::parse(bytes)?, &self.reading).await?;
        Ok((filling, since))
    }

    /// Forgets the keys that the key service was last asked for longer ago than they are kept.
    pub(crate) fn expire(&self) {
        lock(&self.stock).retain(|(_, since)| since.elapsed() < self.stock_ttl());
        lock(&self.known).retain(|_, known| known.since.elapsed() < self.ttl);
    }

    /// What is held by whoever asks for the key of one container.
    fn asking(&self, id: FileId) -> Arc<tokio::sync::Mutex<()>> {
        let mut asking = lock(&self.asking);
        if asking.len() > MAX_ASKING {
            asking.retain(|_, alone| Arc::strong_count(alone) > 1);
        }
        Arc::clone(asking.entry(id).or_default())
    }

    fn recall(&self, id: FileId, bytes: &[u8]) -> Option<(Unlocked, Instant)> {
        let known = lock(&self.known);
        let known = known.get(&id)?;
        let holds = known.header.as_slice() == bytes && known.since.elapsed() < self.ttl;
        holds.then(|| (known.unlocked.clone(), known.since))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

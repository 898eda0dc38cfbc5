//! A directory of containers with a key service that can be watched, slowed down and told to refuse.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::OFlags;
use rustix::io::Errno;
use tempfile::TempDir;
use waxseal_envelope::{Envelope, NewContainer, Reading};
use waxseal_key_service::{ErrorCode, Front, KeyService, KeyServiceError, Provider, Request};
use waxseal_kms_local::{CreateOptions, LocalKms};

use crate::filesystem::{Caller, Filesystem, Opened};
use crate::nodes::ROOT;
use crate::{Level, Log, Options};

/// Nobody in particular, who is the one who runs the test: nothing has to be given away.
pub(super) fn caller() -> Caller {
    Caller { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
}

/// A mounted directory without a mount.
pub(super) struct Vault {
    pub(super) below: PathBuf,
    pub(super) filesystem: Arc<Filesystem>,
    pub(super) service: Arc<Watched>,
    pub(super) log: Arc<Lines>,
    pub(super) outdated: Receiver<u64>,
    _home: Arc<TempDir>,
}

impl Vault {
    pub(super) fn new() -> Self {
        Self::with_ttl(Duration::from_secs(300))
    }

    pub(super) fn with_ttl(ttl: Duration) -> Self {
        let home = Arc::new(TempDir::new().unwrap());
        let below = home.path().join("below");
        std::fs::create_dir(&below).unwrap();
        let kms = LocalKms::create(&home.path().join("kms"), &CreateOptions::default()).unwrap();
        let service = Arc::new(Watched {
            kms,
            decrypted: AtomicU64::new(0),
            generated: AtomicU64::new(0),
            refuses: Mutex::new(None),
            slow: AtomicBool::new(false),
        });
        Self::over(&below, home, service, ttl)
    }

    /// The same keys over another directory.
    pub(super) fn elsewhere(&self, below: &Path) -> Self {
        Self::over(below, Arc::clone(&self._home), Arc::clone(&self.service), Duration::from_secs(300))
    }

    fn over(below: &Path, home: Arc<TempDir>, service: Arc<Watched>, ttl: Duration) -> Self {
        let log = Arc::new(Lines::default());
        let new = NewContainer::new(vec!["alias/default".parse().unwrap()]);
        let options = Options::new(new, Reading::default(), Arc::clone(&log) as Arc<dyn Log>);
        let options = Options { key_ttl: ttl, ..options };
        let (sender, outdated) = channel();
        let root = std::fs::File::open(below).unwrap();
        let envelope = Envelope::new(vec![Arc::clone(&service) as Arc<dyn KeyService>]);
        let filesystem = Arc::new(Filesystem::new(root, envelope, options, sender).unwrap());
        Self { below: below.to_owned(), filesystem, service, log, outdated, _home: home }
    }

    /// The number of a file in the root directory.
    pub(super) fn node(&self, name: &str) -> Result<u64, Errno> {
        self.filesystem.lookup(ROOT, OsStr::new(name)).map(|known| known.attributes.node)
    }

    pub(super) fn size(&self, name: &str) -> u64 {
        self.filesystem.attributes(self.node(name).unwrap()).unwrap().size
    }

    pub(super) fn create(&self, name: &str) -> Result<u64, Errno> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        wait(self.filesystem.create(ROOT, OsStr::new(name), 0o644, flags, caller())).map(|(_, opened)| opened.handle)
    }

    pub(super) fn open(&self, name: &str, flags: OFlags) -> Result<Opened, Errno> {
        wait(self.filesystem.open(self.node(name)?, flags, caller()))
    }

    /// Makes a file with this content, and closes it.
    pub(super) fn put(&self, name: &str, content: &[u8]) {
        let handle = self.create(name).unwrap();
        self.filesystem.write(handle, content, 0, false, &|| ()).unwrap();
        self.filesystem.flush(handle).unwrap();
        self.filesystem.release(handle);
    }

    /// The whole content of a file.
    pub(super) fn get(&self, name: &str) -> Result<Vec<u8>, Errno> {
        let handle = self.open(name, OFlags::RDONLY)?.handle;
        let content = self.content(handle);
        self.filesystem.release(handle);
        content
    }

    /// The whole content of a file that nobody has to repair.
    pub(super) fn content_of_settled(&self, name: &str) -> Vec<u8> {
        let content = self.get(name).unwrap();
        assert!(!self.log.has("interrupted"), "{name} is not settled");
        content
    }

    pub(super) fn content(&self, handle: u64) -> Result<Vec<u8>, Errno> {
        let length = self.filesystem.open.handle(handle)?.file.len();
        let mut content = vec![0; usize::try_from(length).unwrap()];
        let length = self.filesystem.read(handle, &mut content, 0)?;
        content.truncate(length);
        Ok(content)
    }

    /// What listing the root directory shows.
    pub(super) fn list(&self) -> Vec<String> {
        let handle = self.filesystem.open_directory(ROOT).unwrap();
        let mut names = Vec::new();
        let mut add = |entry: &crate::directory::Entry, _| {
            names.push(entry.name.to_str().unwrap().to_owned());
            false
        };
        self.filesystem.list(handle, 0, false, &mut add).unwrap();
        self.filesystem.close_directory(handle);
        names.retain(|name| name != "." && name != "..");
        names.sort();
        names
    }
}

/// Runs a request to its end.
pub(super) fn wait<T>(request: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(request)
}

/// The lines of a log.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<String>>);

impl Lines {
    pub(super) fn has(&self, part: &str) -> bool {
        self.0.lock().unwrap().iter().any(|line| line.contains(part))
    }
}

impl Log for Lines {
    fn line(&self, _level: Level, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// The embedded KMS, watched.
pub(super) struct Watched {
    kms: LocalKms,
    decrypted: AtomicU64,
    generated: AtomicU64,
    refuses: Mutex<Option<ErrorCode>>,
    slow: AtomicBool,
}

impl Watched {
    /// How many requests there were.
    pub(super) fn calls(&self) -> u64 {
        self.decrypted() + self.generated.load(Ordering::Relaxed)
    }

    pub(super) fn decrypted(&self) -> u64 {
        self.decrypted.load(Ordering::Relaxed)
    }

    /// Refuses everything from now on, or nothing.
    pub(super) fn refuse(&self, code: Option<ErrorCode>) {
        *self.refuses.lock().unwrap() = code;
    }

    /// Takes a moment for every answer from now on.
    pub(super) fn slow_down(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }

    async fn answer(&self) -> Result<(), KeyServiceError> {
        if self.slow.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let refuses = *self.refuses.lock().unwrap();
        refuses.map_or(Ok(()), |code| Err(KeyServiceError::new(code, "told to refuse")))
    }
}

#[async_trait]
impl Front for Watched {
    fn provider(&self) -> Provider {
        Provider::Local
    }

    async fn behind(&self, request: Request) -> Result<&dyn KeyService, KeyServiceError> {
        let count = match request {
            Request::GenerateDataKey => &self.generated,
            Request::DecryptDataKey => &self.decrypted,
            _ => return Ok(&self.kms),
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.answer().await?;
        Ok(&self.kms)
    }
}

//! The embedded KMS of a server that can be locked and unlocked while it runs.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use waxseal_key_service::{DataKey, EncryptedDataKey, EncryptionContext};
use waxseal_kms_local::{LocalKms, PassphraseSource, Secrets, StoreError};

/// Longest time for which a call may go on using keys after they were to be locked away: that of a store that waits for
/// another process, and more.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(1);

/// Has the data key of a seal decrypted.
type DataKeyFn =
    dyn Fn(&EncryptedDataKey, &EncryptionContext) -> Result<DataKey, Box<dyn Error + Send + Sync>> + Send + Sync;

/// Holds the embedded KMS while it is unlocked. A locked one holds no key, and its store is closed.
pub struct Keeper {
    directory: PathBuf,
    kms: RwLock<Option<Arc<LocalKms>>>,
    /// What has the data key of a seal decrypted, where a key of another key service seals the store.
    data_key: Option<Box<DataKeyFn>>,
    /// Held while it is being locked or unlocked: one derivation of a passphrase at a time.
    changing: Mutex<()>,
}

/// Whether a lock has had its full effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// No key is in memory any more.
    Entirely,
    /// A call that was begun before still uses one, and takes unusually long. New calls find no key.
    CallsRemain,
}

impl Keeper {
    /// Makes a keeper that begins unlocked.
    #[must_use]
    pub fn unlocked(kms: LocalKms) -> Self {
        let directory = kms.directory().to_owned();
        Self { directory, kms: RwLock::new(Some(Arc::new(kms))), data_key: None, changing: Mutex::default() }
    }

    /// Makes a keeper of the store in `directory` that begins locked.
    #[must_use]
    pub fn locked(directory: PathBuf) -> Self {
        Self { directory, kms: RwLock::new(None), data_key: None, changing: Mutex::default() }
    }

    /// Says who is asked when it is unlocked, if a key of another key service seals the store. It may take its time.
    #[must_use]
    pub fn asking(
        self,
        data_key: impl Fn(&EncryptedDataKey, &EncryptionContext) -> Result<DataKey, Box<dyn Error + Send + Sync>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { data_key: Some(Box::new(data_key)), ..self }
    }

    /// The store's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether it is locked.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.kms().is_none()
    }

    /// The embedded KMS, unless it is locked. Whoever has it keeps it open, so nobody keeps it beyond one call.
    pub(crate) fn kms(&self) -> Option<Arc<LocalKms>> {
        self.kms.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the keys out of memory. New calls find none at once; this returns when those that were begun have ended. It
    /// blocks for that long.
    pub fn lock(&self) -> Locked {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kms) = self.replace(None) else { return Locked::Entirely };
        let begun: Weak<LocalKms> = Arc::downgrade(&kms);
        drop(kms);
        let deadline = Instant::now() + PATIENCE;
        while begun.strong_count() > 0 {
            if Instant::now() >= deadline {
                return Locked::CallsRemain;
            }
            thread::sleep(PAUSE);
        }
        Locked::Entirely
    }

    /// Opens the store again, if it is locked. The passphrase is asked for only if one seals the store. It blocks for as
    /// long as a passphrase's derivation takes.
    ///
    /// # Errors
    /// As [`LocalKms::unseal`]; then it stays locked.
    pub fn unlock(&self, passphrase: PassphraseSource<'_>) -> Result<(), StoreError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_locked() {
            let kms = match &self.data_key {
                None => LocalKms::open(&self.directory, passphrase)?,
                Some(ask) => {
                    let mut data_key = |encrypted: &_, context: &_| ask(encrypted, context);
                    LocalKms::unseal(&self.directory, Secrets { passphrase, data_key: &mut data_key })?
                }
            };
            self.replace(Some(Arc::new(kms)));
        }
        Ok(())
    }

    fn replace(&self, kms: Option<Arc<LocalKms>>) -> Option<Arc<LocalKms>> {
        std::mem::replace(&mut *self.kms.write().unwrap_or_else(PoisonError::into_inner), kms)
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (directory, is_locked) = (&self.directory, self.is_locked());
        f.debug_struct("Keeper").field("directory", directory).field("is_locked", &is_locked).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use waxseal_kms_local::{CreateOptions, NewSeal, Passphrase, PassphraseCost};

    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes().to_vec().into()).unwrap()
    }

    fn keeper(scratch: &tempfile::TempDir) -> Keeper {
        let seal =
            NewSeal::Passphrase { passphrase: &passphrase("right"), cost: PassphraseCost::new(8, 1, 1).unwrap() };
        let options = CreateOptions { seal, ..CreateOptions::default() };
        Keeper::unlocked(LocalKms::create(&scratch.path().join("kms"), &options).unwrap())
    }

    #[test]
    fn it_opens_again_with_the_right_passphrase_only() {
        let scratch = tempfile::tempdir().unwrap();
        let keeper = keeper(&scratch);
        assert_eq!(keeper.lock(), Locked::Entirely);
        assert!(keeper.is_locked());
        let wrong = keeper.unlock(&mut || Ok(passphrase("wrong")));
        assert!(matches!(wrong, Err(StoreError::WrongPassphrase { .. })));
        assert!(keeper.is_locked());
        keeper.unlock(&mut || Ok(passphrase("right"))).unwrap();
        keeper.unlock(&mut || Err("nobody is asked when it is open".into())).unwrap();
        assert!(!keeper.is_locked());
    }

    #[test]
    fn a_lock_waits_for_the_call_that_was_begun_before() {
        let scratch = tempfile::tempdir().unwrap();
        let keeper = keeper(&scratch);
        let call = keeper.kms().unwrap();
        thread::scope(|scope| {
            let locking = scope.spawn(|| keeper.lock());
            while !keeper.is_locked() {
                thread::sleep(PAUSE);
            }
            assert!(!locking.is_finished());
            drop(call);
            assert_eq!(locking.join().unwrap(), Locked::Entirely);
        });
    }
}

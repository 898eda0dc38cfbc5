//! Changing what seals the root key. The root key stays, and so does everything under it (SEMANTICS.md, "Sealing").

use std::path::Path;

use super::connection::beside;
use super::{LOCK, Store};
use crate::error::StoreError;
use crate::files::{self, FileLock};
use crate::seal::key_file::{self, KeyFile};
use crate::seal::{Lock, NewSeal, Sealed, outer_lock};

impl Store {
    /// Seals the root key otherwise: what the new seal needs is on disk before the database says so, in one transaction.
    /// Processes that have the store open go on.
    pub(crate) fn reseal(&self, seal: &NewSeal<'_>) -> Result<(), StoreError> {
        // What takes long comes before the lock: others need not wait for it.
        let outer = outer_lock(&self.database, seal, &self.id)?;
        let _lock = FileLock::take(self.directory.join(LOCK))?;
        let sealed = match outer {
            Some((lock, key)) => Sealed::new(lock, &key, &self.id, &self.root)?,
            None => {
                let file = key_file(&self.directory)?;
                Sealed::new(Lock::KeyFile(file.id), &file.key, &self.id, &self.root)?
            }
        };
        self.write(|rows| rows.set_seal(&sealed))?;
        // The old seal must not stay readable in the log.
        self.empty_the_log()
    }
}

/// The key file of the store in `directory`. One that is there is used, never replaced: other copies may need it.
fn key_file(directory: &Path) -> Result<KeyFile, StoreError> {
    let path = key_file::path(directory);
    if let Some(file) = key_file::load(&path)? {
        return Ok(file);
    }
    let temporary = beside(&path, ".new");
    files::remove_if_there(&temporary)?;
    let file = key_file::create(&temporary)?;
    files::rename(&temporary, &path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_kms::{CreateOptions, LocalKms};
    use crate::seal::{Passphrase, PassphraseCost, SealKind};
    use crate::status;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes().to_vec().into()).unwrap()
    }

    fn cost() -> PassphraseCost {
        PassphraseCost::new(8, 1, 1).unwrap()
    }

    fn open(directory: &Path, text: Option<&str>) -> Result<LocalKms, StoreError> {
        LocalKms::open(directory, &mut || text.map(passphrase).ok_or_else(|| "none is needed".into()))
    }

    #[test]
    fn another_seal_opens_the_same_keys_and_the_old_one_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("kms");
        let kms = LocalKms::create(&directory, &CreateOptions::default()).unwrap();
        let (key, made) = (kms.default_key().unwrap(), kms.create_credential("a").unwrap());
        kms.reseal(NewSeal::Passphrase { passphrase: &passphrase("one"), cost: cost() }).unwrap();
        assert_eq!(status(&directory).unwrap().seal, SealKind::Passphrase);
        assert!(matches!(open(&directory, Some("two")), Err(StoreError::WrongPassphrase { .. })));
        let again = open(&directory, Some("one")).unwrap();
        assert_eq!(again.default_key().unwrap(), key);
        // The one that was open goes on, and both see the same.
        for kms in [&kms, &again] {
            let found = kms.credential(made.access_key_id()).unwrap().unwrap();
            assert_eq!(found.expose_secret(), made.expose_secret());
        }
        again.reseal(NewSeal::Passphrase { passphrase: &passphrase("two"), cost: cost() }).unwrap();
        assert!(matches!(open(&directory, Some("one")), Err(StoreError::WrongPassphrase { .. })));
        std::fs::remove_file(key_file::path(&directory)).unwrap();
        open(&directory, Some("two")).unwrap().reseal(NewSeal::KeyFile).unwrap();
        assert_eq!(open(&directory, None).unwrap().default_key().unwrap(), key);
    }

    #[test]
    fn the_old_seal_is_nowhere_in_the_store_any_more() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("kms");
        let kms = LocalKms::create(&directory, &CreateOptions::default()).unwrap();
        let old = kms.store.read(|_, rows| rows.meta().map(|meta| meta.sealed.encode())).unwrap();
        let holds = || {
            let files =
                std::fs::read_dir(&directory).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
            files.into_iter().any(|bytes| bytes.windows(old.len()).any(|window| window == old))
        };
        assert!(holds());
        kms.reseal(NewSeal::Passphrase { passphrase: &passphrase("one"), cost: cost() }).unwrap();
        assert!(!holds());
    }

    #[test]
    fn what_an_interrupted_change_has_left_is_in_nobody_s_way() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("kms");
        let seal = NewSeal::Passphrase { passphrase: &passphrase("one"), cost: cost() };
        let kms = LocalKms::create(&directory, &CreateOptions { seal, ..CreateOptions::default() }).unwrap();
        // Killed while it wrote the key file, and then before the database knew of it.
        std::fs::write(directory.join("root.key.new"), "half").unwrap();
        drop(key_file(&directory).unwrap());
        open(&directory, Some("one")).unwrap();
        kms.reseal(NewSeal::KeyFile).unwrap();
        open(&directory, None).unwrap();
    }
}

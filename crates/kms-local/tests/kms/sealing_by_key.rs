//! Sealing by a key of another key service, which is another embedded KMS here.

use std::cell::Cell;
use std::path::Path;

use tempfile::TempDir;
use waxseal_key_service::{DataKey, EncryptedDataKey, EncryptionContext, GeneratedDataKey, KeyService, Provider};
use waxseal_kms_local::{CreateOptions, LocalKms, NewSeal, SealKind, SealingKey, Secrets, StoreError, status};

use crate::support::{Boxed, Fixture, decrypt, encrypt, key, names, no_context, no_passphrase};

/// The other key service, as if it were AWS.
struct Elsewhere {
    fixture: Fixture,
    asked: Cell<usize>,
}

impl Elsewhere {
    fn new() -> Self {
        Self { fixture: Fixture::new(), asked: Cell::new(0) }
    }

    fn generate(&self, context: &EncryptionContext) -> Result<GeneratedDataKey, Boxed> {
        let key = key("alias/default");
        let made = wait(KeyService::generate_data_key(&self.fixture.kms, &key, context))?;
        let encrypted = EncryptedDataKey { provider: Provider::Aws, ..made.encrypted };
        Ok(GeneratedDataKey { plaintext: made.plaintext, encrypted })
    }

    fn decrypt(&self, encrypted: &EncryptedDataKey, context: &EncryptionContext) -> Result<DataKey, Boxed> {
        self.asked.set(self.asked.get() + 1);
        assert_eq!(encrypted.provider, Provider::Aws);
        let encrypted = EncryptedDataKey { provider: Provider::Local, ..encrypted.clone() };
        Ok(wait(self.fixture.kms.decrypt_data_key(&encrypted, context))?)
    }

    /// Does something with a seal by its key.
    fn seal<T>(&self, act: impl FnOnce(NewSeal<'_>) -> T) -> T {
        act(NewSeal::KeyService(SealingKey(&|context| self.generate(context))))
    }

    fn create(&self) -> (TempDir, LocalKms) {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("kms");
        let kms = self.seal(|seal| LocalKms::create(&place, &CreateOptions { seal, ..CreateOptions::default() }));
        (dir, kms.unwrap())
    }

    fn open(&self, directory: &Path) -> Result<LocalKms, StoreError> {
        let mut data_key = |encrypted: &_, context: &_| self.decrypt(encrypted, context);
        LocalKms::unseal(directory, Secrets { passphrase: &mut no_passphrase, data_key: &mut data_key })
    }
}

/// The embedded KMS answers at once.
fn wait<T>(request: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(request).poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the embedded KMS does not wait"),
    }
}

#[test]
fn a_store_that_a_key_seals_is_opened_by_whoever_can_have_it_decrypted() {
    let elsewhere = Elsewhere::new();
    let (_dir, kms) = elsewhere.create();
    let directory = kms.directory().to_owned();
    let blob = encrypt(&kms, &key("alias/default"), b"x").unwrap();
    assert_eq!(elsewhere.asked.get(), 0, "what was made is open");
    drop(kms);
    assert_eq!(names(&directory), ["kms.db", "lock"]);
    let status = status(&directory).unwrap();
    assert_eq!((status.seal, status.seal_key), (SealKind::KeyService, Some(elsewhere.fixture.default_key())));
    let opened = elsewhere.open(&directory).unwrap();
    assert_eq!(decrypt(&opened, &blob, &no_context(), None).unwrap().plaintext.expose(), b"x");
    assert_eq!(elsewhere.asked.get(), 1);
    assert!(matches!(LocalKms::open(&directory, &mut no_passphrase), Err(StoreError::KeyService { .. })));
    elsewhere.fixture.disable(&elsewhere.fixture.default_key());
    assert!(matches!(elsewhere.open(&directory), Err(StoreError::KeyService { .. })));
    // The one that is open goes on.
    assert!(decrypt(&opened, &blob, &no_context(), None).is_ok());
}

#[test]
fn a_seal_opens_its_own_store_only() {
    let elsewhere = Elsewhere::new();
    let ((_one, one), (_two, two)) = (elsewhere.create(), elsewhere.create());
    let database = |kms: &LocalKms| rusqlite::Connection::open(kms.directory().join("kms.db")).unwrap();
    let seal: Vec<u8> = database(&two).query_row("SELECT seal FROM meta", [], |row| row.get(0)).unwrap();
    let own: Vec<u8> = database(&one).query_row("SELECT seal FROM meta", [], |row| row.get(0)).unwrap();
    database(&one).execute("UPDATE meta SET seal = ?", [seal]).unwrap();
    let refused = elsewhere.open(one.directory()).unwrap_err();
    // The key service itself refuses: the store's id is in the encryption context.
    assert!(matches!(refused, StoreError::KeyService { .. }), "{refused}");
    for index in 0..own.len() {
        let mut flipped = own.clone();
        flipped[index] ^= 1;
        database(&one).execute("UPDATE meta SET seal = ?", [flipped]).unwrap();
        assert!(matches!(elsewhere.open(one.directory()), Err(StoreError::Damaged { .. })), "byte {index}");
    }
}

#[test]
fn the_seal_is_changed_to_a_key_and_back() {
    let (fixture, elsewhere) = (Fixture::new(), Elsewhere::new());
    let blob = encrypt(&fixture.kms, &key("alias/default"), b"x").unwrap();
    elsewhere.seal(|seal| fixture.kms.reseal(seal)).unwrap();
    assert!(LocalKms::open(&fixture.directory, &mut no_passphrase).is_err());
    let opened = elsewhere.open(&fixture.directory).unwrap();
    assert!(decrypt(&opened, &blob, &no_context(), None).is_ok());
    // A key service that refuses leaves the seal as it is.
    let refusing = NewSeal::KeyService(SealingKey(&|_| Err("no".into())));
    assert!(matches!(opened.reseal(refusing), Err(StoreError::KeyService { .. })));
    // And so does one that names a key that no store could be opened with.
    let own = |context: &EncryptionContext| {
        let made = wait(KeyService::generate_data_key(&elsewhere.fixture.kms, &key("alias/default"), context));
        made.map_err(Boxed::from)
    };
    assert!(opened.reseal(NewSeal::KeyService(SealingKey(&own))).is_err());
    assert!(elsewhere.open(&fixture.directory).is_ok());
    opened.reseal(NewSeal::KeyFile).unwrap();
    assert!(LocalKms::open(&fixture.directory, &mut no_passphrase).is_ok());
}

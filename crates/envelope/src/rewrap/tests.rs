//! What happens beside a rewrap while a key service is asked.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use tempfile::TempDir;
use waxseal_container::{Core, Header, Suite};
use waxseal_key_service::{EncryptedDataKey, EncryptionContext, Front, KeyService, KeyServiceError, Provider, Request};
use waxseal_kms_local::{CreateKeyRequest, CreateOptions, LocalKms};

use super::{Act, KeyChange, KeyName, Rewrap, Rewrapped, Selection};
use crate::{Envelope, EnvelopeError, NewContainer, Reading, lock_exclusive, lock_shared, unlock};

type Deed = Box<dyn FnMut(usize) + Send>;

/// An embedded KMS beside which something happens whenever it is asked to put a data key under another key.
struct Meddled {
    kms: LocalKms,
    deed: Mutex<Option<Deed>>,
    asked: Mutex<usize>,
}

#[async_trait]
impl Front for Meddled {
    fn provider(&self) -> Provider {
        Provider::Local
    }

    async fn behind(&self, request: Request) -> Result<&dyn KeyService, KeyServiceError> {
        if request == Request::ReEncryptDataKey {
            let asked = {
                let mut asked = self.asked.lock().unwrap();
                *asked += 1;
                *asked
            };
            if let Some(deed) = self.deed.lock().unwrap().as_mut() {
                deed(asked);
            }
        }
        Ok(&self.kms)
    }
}

/// A prepared container in a file, and the keys of the store: the one that it is under, and two more.
struct World {
    service: Arc<Meddled>,
    envelope: Envelope,
    keys: [KeyName; 3],
    file: File,
    _home: TempDir,
}

impl World {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let kms = LocalKms::create(&home.path().join("kms"), &CreateOptions::default()).unwrap();
        let new_key = || {
            let request = CreateKeyRequest { region: kms.home_region(), description: "" };
            KeyName { provider: Provider::Local, arn: kms.create_key(&request).unwrap().arn }
        };
        let first = KeyName { provider: Provider::Local, arn: kms.default_key().unwrap().unwrap() };
        let keys = [first, new_key(), new_key()];
        let service = Arc::new(Meddled { kms, deed: Mutex::new(None), asked: Mutex::new(0) });
        let envelope = Envelope::new(vec![Arc::clone(&service) as Arc<dyn KeyService>]);
        let new = NewContainer {
            keys: vec!["alias/default".parse().unwrap()],
            context: EncryptionContext::new(),
            suite: Suite::default(),
            created: None,
        };
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&ready(envelope.prepare(&new)).unwrap(), 0).unwrap();
        Self { service, envelope, keys, file, _home: home }
    }

    fn meddle(&self, deed: impl FnMut(usize) + Send + 'static) {
        *self.service.deed.lock().unwrap() = Some(Box::new(deed));
    }

    fn asked(&self) -> usize {
        *self.service.asked.lock().unwrap()
    }

    /// Adds a key.
    fn add(&self, key: &KeyName) -> Result<Rewrapped, EnvelopeError> {
        let rewrap = Rewrap {
            change: KeyChange::Add(vec![key.clone()]),
            selection: Selection::Wrong,
            act: Act::Replace,
            reading: Reading::default(),
        };
        ready(self.envelope.rewrap(&self.file, &rewrap))
    }

    fn has(&self) -> Vec<KeyName> {
        Header::read_at(&self.file).unwrap().encrypted_data_keys().iter().map(KeyName::of).collect()
    }
}

/// Runs a future of the embedded KMS, which is ready when it is asked for the first time.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the embedded KMS never waits"),
    }
}

/// Another open file description of the same file.
fn reopened(file: &File) -> File {
    File::options().read(true).write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap()
}

#[test]
fn nobody_is_kept_waiting_while_a_key_service_is_asked() {
    let world = World::new();
    let theirs = reopened(&world.file);
    world.meddle(move |_| {
        assert!(lock_exclusive(&theirs).unwrap());
        unlock(&theirs).unwrap();
    });
    assert!(world.add(&world.keys[1]).unwrap().changed);
    assert!(world.asked() == 1 && world.has() == world.keys[..2]);
    assert!(lock_exclusive(&reopened(&world.file)).unwrap(), "the lock was given back");
}

#[test]
fn what_somebody_else_has_changed_meanwhile_is_kept() {
    let world = World::new();
    let (theirs, third) = (reopened(&world.file), world.keys[2].clone());
    let kept = EncryptedDataKey { provider: Provider::Local, key_arn: third.arn.clone(), ciphertext_blob: vec![3; 81] };
    // Another rewrap is faster, once.
    world.meddle(move |asked| {
        if asked == 1 {
            let header = Header::read_at(&theirs).unwrap();
            let keys = [header.current_data_keys(), std::slice::from_ref(&kept)].concat();
            header.replace_keys(&keys, None).unwrap().apply(&theirs, || {}).unwrap();
        }
    });
    assert!(world.add(&world.keys[1]).unwrap().changed);
    assert_eq!(world.asked(), 2);
    assert_eq!(world.has(), [world.keys[0].clone(), third, world.keys[1].clone()]);
}

#[test]
fn a_container_that_never_stays_as_it_is_is_left_to_the_others() {
    let world = World::new();
    let theirs = reopened(&world.file);
    world.meddle(move |_| {
        let header = Header::read_at(&theirs).unwrap();
        header.replace_keys(header.current_data_keys(), None).unwrap().apply(&theirs, || {}).unwrap();
    });
    assert!(matches!(world.add(&world.keys[1]), Err(EnvelopeError::InUse)));
    assert_eq!(world.has(), world.keys[..1]);
}

#[test]
fn of_a_file_that_is_in_use_nobody_is_asked() {
    let world = World::new();
    let theirs = reopened(&world.file);
    for lock in [lock_shared, lock_exclusive] {
        assert!(lock(&theirs).unwrap());
        assert!(matches!(world.add(&world.keys[1]), Err(EnvelopeError::InUse)));
        assert!(!world.add(&world.keys[0]).unwrap().changed, "what has its keys needs no lock");
    }
    assert_eq!((world.asked(), world.has()), (0, world.keys[..1].to_vec()));
    drop(theirs);
    assert!(world.add(&world.keys[1]).unwrap().changed);
}

#[test]
fn a_container_that_was_exchanged_for_another_one_meanwhile_is_not_written_with_the_keys_of_the_first() {
    let world = World::new();
    let theirs = reopened(&world.file);
    let core = Core::new(Suite::default(), EncryptionContext::new(), None).unwrap();
    let key = Header::read_at(&world.file).unwrap().encrypted_data_keys()[0].clone();
    let other = Header::prepare(&core, &[key]).unwrap();
    world.meddle(move |asked| {
        if asked == 1 {
            theirs.write_all_at(&other, 0).unwrap();
        }
    });
    // The blob does not belong to the second one's file id, which the service notices.
    let refused = world.add(&world.keys[1]).unwrap_err();
    assert!(matches!(refused, EnvelopeError::DataKeyRefused { .. }), "{refused}");
    let mut page = [0; 4096];
    world.file.read_exact_at(&mut page, 0).unwrap();
    assert!(page == Header::prepare(&core, Header::read_at(&world.file).unwrap().encrypted_data_keys()).unwrap());
}

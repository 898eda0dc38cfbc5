//! Envelopes over the embedded KMS: what is made under its keys opens under them, and under the right demands only.

#![cfg(test)]

use std::num::NonZeroUsize;
use std::sync::Arc;

use tempfile::TempDir;
use waxseal_container::{ContainerError, Header, Interrupted, Sink, Source, Suite};
use waxseal_envelope::{AllowedKeys, ContextAssertion, Envelope, EnvelopeError, NewContainer, Reading};
use waxseal_key_service::{EncryptionContext, ErrorCode, KeyReference};
use waxseal_kms_local::{CreateOptions, LocalKms};

const THREADS: NonZeroUsize = NonZeroUsize::MIN;

struct World {
    _directory: TempDir,
    kms: Arc<LocalKms>,
    envelope: Envelope,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kms = Arc::new(LocalKms::create(&directory.path().join("kms"), &CreateOptions::default()).unwrap());
        let envelope = Envelope::new(vec![kms.clone()]);
        Self { _directory: directory, kms, envelope }
    }

    async fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let new = NewContainer {
            keys: vec!["alias/default".parse().unwrap()],
            context: EncryptionContext::from_pairs(["team=blue"]).unwrap(),
            suite: Suite::default(),
            created: None,
        };
        let sealer = self.envelope.make(&new).await.unwrap();
        let mut container = Vec::new();
        sealer.seal(Source::Stream(&mut &plaintext[..]), Sink::Stream(&mut container), THREADS).unwrap();
        container
    }

    async fn open(&self, container: &[u8], reading: &Reading) -> Result<Vec<u8>, EnvelopeError> {
        let mut input = container;
        let opened = self.envelope.open(Header::read_from(&mut input)?, reading).await?;
        assert_eq!(Some(opened.key_arn), self.kms.default_key().unwrap());
        let mut plaintext = Vec::new();
        let (source, sink) = (Source::Stream(&mut input), Sink::Stream(&mut plaintext));
        opened.unlocked.open(source, sink, Interrupted::Refuse, THREADS)?;
        Ok(plaintext)
    }
}

fn reading(keys: &[&str], context: &[&str]) -> Reading {
    Reading {
        keys: if keys.is_empty() {
            AllowedKeys::default()
        } else {
            AllowedKeys::only(keys.iter().map(|key| key.parse().unwrap()).collect())
        },
        context: context.iter().map(|text| ContextAssertion::parse(text).unwrap()).collect(),
    }
}

#[tokio::test]
async fn what_is_sealed_opens_again() {
    let world = World::new();
    let container = world.seal(b"a secret").await;
    assert_eq!(world.open(&container, &Reading::default()).await.unwrap(), b"a secret");
    assert!(!container.windows(8).any(|window| window == b"a secret"));
}

#[tokio::test]
async fn a_reader_may_name_the_key_in_every_form_and_another_key_does_not_open() {
    let world = World::new();
    let container = world.seal(b"x").await;
    let arn = world.kms.default_key().unwrap().unwrap();
    let alias_arn = format!("arn:aws:kms:{}:{}:alias/default", arn.region(), arn.account());
    for key in [arn.as_str(), arn.key_id(), "alias/default", &alias_arn] {
        assert!(world.open(&container, &reading(&[key], &[])).await.is_ok(), "{key}");
    }
    let other = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let error = world.open(&container, &reading(&[other], &[])).await.unwrap_err();
    assert!(matches!(&error, EnvelopeError::NoUsableKey { keys } if keys[0].1 == arn), "{error}");
    let error = world.open(&container, &reading(&["alias/none"], &[])).await.unwrap_err();
    assert!(
        matches!(&error, EnvelopeError::KeyService { source, .. } if source.code() == ErrorCode::NotFound),
        "{error}"
    );
    assert!(world.open(&container, &reading(&[other, "alias/default"], &[])).await.is_ok());
}

#[tokio::test]
async fn an_asserted_context_is_compared_before_the_key_service_is_asked() {
    let world = World::new();
    let container = world.seal(b"x").await;
    for held in [&["team=blue"][..], &["team"]] {
        assert!(world.open(&container, &reading(&[], held)).await.is_ok());
    }
    let nowhere = Envelope::new(Vec::new());
    for (broken, expected) in [("team=red", "not team=red"), ("tenant", "no tenant")] {
        let header = Header::parse(&container[..2048]).unwrap();
        let error = nowhere.open(header, &reading(&[], &[broken])).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_container_of_another_store_names_its_key() {
    let (world, other) = (World::new(), World::new());
    let container = other.seal(b"x").await;
    let error = world.open(&container, &Reading::default()).await.unwrap_err();
    let arn = other.kms.default_key().unwrap().unwrap();
    assert!(
        matches!(&error, EnvelopeError::KeyService { key, source } if *key == arn.to_string() && source.code() == ErrorCode::NotFound),
        "{error}"
    );
}

#[tokio::test]
async fn a_header_with_the_key_slot_of_another_file_is_refused_by_the_key_service() {
    let world = World::new();
    let (one, other) = (world.seal(b"one").await, world.seal(b"other").await);
    let slots = (80 + usize::from(one[10])).next_multiple_of(8);
    let mut mixed = one.clone();
    mixed[slots..2048].copy_from_slice(&other[slots..2048]);
    let error = world.open(&mixed, &Reading::default()).await.unwrap_err();
    assert!(matches!(error, EnvelopeError::DataKeyRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_key_of_a_service_that_is_not_there_is_said_to_be_so() {
    let world = World::new();
    let new = NewContainer {
        keys: vec!["aws:alias/x".parse::<KeyReference>().unwrap()],
        context: EncryptionContext::new(),
        suite: Suite::default(),
        created: None,
    };
    let error = world.envelope.make(&new).await.unwrap_err();
    assert!(error.to_string().contains("no key service of kind aws"), "{error}");
    let nowhere = Envelope::new(Vec::new());
    let container = world.seal(b"x").await;
    let error = nowhere.open(Header::parse(&container[..2048]).unwrap(), &Reading::default()).await.unwrap_err();
    assert!(matches!(error, EnvelopeError::NoUsableKey { .. }), "{error}");
}

#[tokio::test]
async fn a_reserved_name_in_the_context_is_refused_before_the_key_service_is_asked() {
    let new = NewContainer {
        keys: vec!["alias/default".parse().unwrap()],
        context: EncryptionContext::from_pairs(["waxseal:file-id=1"]).unwrap(),
        suite: Suite::default(),
        created: None,
    };
    let error = Envelope::new(Vec::new()).make(&new).await.unwrap_err();
    assert!(matches!(error, EnvelopeError::Container(ContainerError::ReservedContextName(_))), "{error}");
}

//! Envelopes over each key service, the same for all: what is made under its keys opens under them, and under the right
//! demands only. The embedded KMS is one, AWS KMS as moto's server has it another.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use waxseal_container::{ContainerError, Header, Interrupted, Sink, Source};
use waxseal_envelope::{AllowedKeys, ContextAssertion, Envelope, EnvelopeError, NewContainer, Reading};
use waxseal_key_service::{EncryptionContext, ErrorCode, KeyArn, KeyService, Provider};
use waxseal_kms_local::{CreateOptions, LocalKms};

const THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// A key service with two keys and an alias.
struct World {
    runtime: Runtime,
    envelope: Envelope,
    provider: Provider,
    /// The key that containers are made under, and an alias of it.
    key: KeyArn,
    alias: String,
    /// Another key of the service.
    other: KeyArn,
    _directory: Option<TempDir>,
}

/// One of each kind that there is here.
fn worlds() -> Vec<World> {
    let mut worlds = vec![World::embedded()];
    #[cfg(feature = "aws")]
    worlds.extend(World::moto());
    worlds
}

impl World {
    fn embedded() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&directory.path().join("kms"), &CreateOptions::default()).unwrap();
        let key = kms.default_key().unwrap().unwrap();
        let made = kms.call(kms.home_region(), "CreateKey", b"{}").unwrap();
        let made: serde_json::Value = serde_json::from_slice(&made).unwrap();
        let other = made["KeyMetadata"]["Arn"].as_str().unwrap().parse().unwrap();
        Self::new(Arc::new(kms), key, "alias/default".to_owned(), other, Some(directory))
    }

    #[cfg(feature = "aws")]
    fn moto() -> Option<Self> {
        let moto = crate::aws::moto::moto()?;
        let (key, other) = (moto.key("eu-west-1"), moto.key("eu-west-1"));
        let alias = format!("alias/suite-{}", crate::aws::moto::id_of(&key));
        let request = serde_json::json!({ "AliasName": alias, "TargetKeyId": crate::aws::moto::id_of(&key) });
        moto.call("eu-west-1", "CreateAlias", &request);
        let kms = Arc::new(moto.key_service());
        Some(Self::new(kms, key.parse().unwrap(), alias, other.parse().unwrap(), None))
    }

    fn new(
        service: Arc<dyn KeyService>,
        key: KeyArn,
        alias: String,
        other: KeyArn,
        directory: Option<TempDir>,
    ) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let provider = service.provider();
        Self { runtime, envelope: Envelope::new(vec![service]), provider, key, alias, other, _directory: directory }
    }

    /// A key as it is typed.
    fn typed(&self, key: &str) -> String {
        format!("{}:{key}", self.provider)
    }

    fn make(&self, keys: &[&str], context: &[&str]) -> Result<Vec<u8>, EnvelopeError> {
        let keys = keys.iter().map(|key| self.typed(key).parse().unwrap()).collect();
        let context = EncryptionContext::from_pairs(context).unwrap();
        let new = NewContainer { context, ..NewContainer::new(keys) };
        let sealer = self.runtime.block_on(self.envelope.make(&new))?;
        let mut container = Vec::new();
        sealer.seal(Source::Stream(&mut &b"a secret"[..]), Sink::Stream(&mut container), THREADS)?;
        Ok(container)
    }

    fn seal(&self) -> Vec<u8> {
        self.make(&[self.key.as_str()], &["team=blue"]).unwrap()
    }

    /// Opens a container with the keys that are named, and gives the one that opened it.
    fn open(&self, container: &[u8], keys: &[&str], context: &[&str]) -> Result<KeyArn, EnvelopeError> {
        let mut input = container;
        let reading = Reading {
            keys: AllowedKeys::only(keys.iter().map(|key| self.typed(key).parse().unwrap()).collect()),
            context: context.iter().map(|text| ContextAssertion::parse(text).unwrap()).collect(),
        };
        let header = Header::read_from(&mut input)?;
        let opened = self.runtime.block_on(self.envelope.open(header, &reading))?;
        assert_eq!(opened.provider, self.provider);
        let mut plaintext = Vec::new();
        let (source, sink) = (Source::Stream(&mut input), Sink::Stream(&mut plaintext));
        opened.unlocked.open(source, sink, Interrupted::Refuse, THREADS)?;
        assert_eq!(plaintext, b"a secret");
        Ok(opened.key_arn)
    }

    /// Opens a container with whatever the defaults allow.
    fn open_by_default(&self, container: &[u8]) -> Result<KeyArn, EnvelopeError> {
        let header = Header::parse(&container[..2048])?;
        self.runtime.block_on(self.envelope.open(header, &Reading::default())).map(|opened| opened.key_arn)
    }
}

#[test]
fn what_is_sealed_opens_again() {
    for world in worlds() {
        let container = world.seal();
        assert_eq!(world.open(&container, &[world.key.as_str()], &[]).unwrap(), world.key);
        assert!(!container.windows(8).any(|window| window == b"a secret"));
    }
}

#[test]
fn only_the_embedded_kms_is_asked_unless_a_key_is_named() {
    for world in worlds() {
        let opened = world.open_by_default(&world.seal());
        match world.provider {
            Provider::Local => assert_eq!(opened.unwrap(), world.key),
            Provider::Aws => assert!(matches!(opened, Err(EnvelopeError::NoUsableKey { .. })), "{opened:?}"),
        }
    }
}

#[test]
fn a_reader_may_name_the_key_in_every_form_and_another_key_does_not_open() {
    for world in worlds() {
        let container = world.seal();
        let alias_arn = format!("arn:aws:kms:{}:{}:{}", world.key.region(), world.key.account(), world.alias);
        for key in [world.key.as_str(), world.key.key_id(), &world.alias, &alias_arn] {
            assert_eq!(world.open(&container, &[key], &[]).unwrap(), world.key, "{key}");
        }
        let other = world.other.as_str();
        let error = world.open(&container, &[other], &[]).unwrap_err();
        assert!(matches!(&error, EnvelopeError::NoUsableKey { keys } if keys[0].1 == world.key), "{error}");
        let error = world.open(&container, &["alias/none"], &[]).unwrap_err();
        assert!(
            matches!(&error, EnvelopeError::KeyService { source, .. } if source.code() == ErrorCode::NotFound),
            "{error}"
        );
        assert!(world.open(&container, &["alias/none", other, &world.alias], &[]).is_ok());
    }
}

#[test]
fn a_container_for_two_keys_opens_with_each_alone() {
    for world in worlds() {
        let (key, other) = (world.key.as_str(), world.other.as_str());
        let container = world.make(&[key, other, key], &[]).unwrap();
        assert_eq!(Header::parse(&container[..2048]).unwrap().encrypted_data_keys().len(), 2);
        for key in [&world.key, &world.other] {
            assert_eq!(world.open(&container, &[key.as_str()], &[]).unwrap(), *key);
        }
    }
}

#[test]
fn a_container_for_more_keys_than_fit_is_not_made() {
    for world in worlds() {
        assert!(matches!(world.make(&[], &[]), Err(EnvelopeError::NoKey)));
        let error = world.make(&[world.key.as_str(), "alias/none"], &[]).unwrap_err();
        assert!(matches!(&error, EnvelopeError::KeyService { key, .. } if key.ends_with("alias/none")), "{error}");
    }
}

#[test]
fn an_asserted_context_is_compared_before_the_key_service_is_asked() {
    for world in worlds() {
        let (container, key) = (world.seal(), world.key.as_str());
        for held in [&["team=blue"][..], &["team"]] {
            assert!(world.open(&container, &[key], held).is_ok());
        }
        for (broken, expected) in [("team=red", "not team=red"), ("tenant", "no tenant")] {
            // The key is none that exists, and nobody finds out.
            let error = world.open(&container, &["alias/none"], &[broken]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}

#[test]
fn a_header_with_the_key_slot_of_another_file_is_refused_by_the_key_service() {
    for world in worlds() {
        let (one, other) = (world.seal(), world.seal());
        let slots = (80 + usize::from(one[10])).next_multiple_of(8);
        let mut mixed = one.clone();
        mixed[slots..2048].copy_from_slice(&other[slots..2048]);
        let error = world.open(&mixed, &[world.key.as_str()], &[]).unwrap_err();
        assert!(matches!(error, EnvelopeError::DataKeyRefused { .. }), "{error}");
    }
}

#[test]
fn a_damaged_encrypted_data_key_is_refused_by_the_key_service() {
    for world in worlds() {
        let container = world.seal();
        let header = Header::parse(&container[..2048]).unwrap();
        let mut encrypted = header.encrypted_data_keys()[0].clone();
        *encrypted.ciphertext_blob.last_mut().unwrap() ^= 1;
        let service = world.envelope.service(world.provider).unwrap();
        let context = header.core().key_service_context();
        let error = world.runtime.block_on(service.decrypt_data_key(&encrypted, &context)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidCiphertext, "{error}");
        encrypted.key_arn = world.other.clone();
        assert!(world.runtime.block_on(service.decrypt_data_key(&encrypted, &context)).is_err());
    }
}

#[test]
fn a_container_of_another_store_names_its_key() {
    let (world, other) = (World::embedded(), World::embedded());
    let error = world.open_by_default(&other.seal()).unwrap_err();
    assert!(
        matches!(&error, EnvelopeError::KeyService { key, source } if *key == other.key.to_string() && source.code() == ErrorCode::NotFound),
        "{error}"
    );
}

#[test]
fn a_key_of_a_service_that_is_not_there_is_said_to_be_so() {
    for world in worlds() {
        let container = world.seal();
        let nowhere = World { envelope: Envelope::new(Vec::new()), ..world };
        let error = nowhere.make(&["alias/x"], &[]).unwrap_err();
        assert!(error.to_string().contains("no key service of kind"), "{error}");
        let error = nowhere.open(&container, &[nowhere.key.as_str()], &[]).unwrap_err();
        assert!(matches!(error, EnvelopeError::NoUsableKey { .. }), "{error}");
    }
}

#[test]
fn a_reserved_name_in_the_context_is_refused_before_the_key_service_is_asked() {
    for world in worlds() {
        let error = world.make(&["alias/none"], &["waxseal:file-id=1"]).unwrap_err();
        assert!(matches!(error, EnvelopeError::Container(ContainerError::ReservedContextName(_))), "{error}");
    }
}

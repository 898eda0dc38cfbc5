//! The embedded KMS through the `KeyService` trait.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, ErrorCode, KeyArn, KeyId, KeyService, LOCAL_ACCOUNT, Provider,
};
use waxseal_kms_local::{CreateKeyRequest, Region};

use crate::support::{Fixture, context, encrypt, key, no_context};

/// Runs a future of the embedded KMS, which is ready when it is asked for the first time.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the embedded KMS never waits"),
    }
}

#[test]
fn a_data_key_comes_back_from_its_encrypted_form() {
    let fixture = Fixture::new();
    let service: &dyn KeyService = &fixture.kms;
    let pairs = context(&["waxseal:file-id=00ff"]);
    let made = ready(service.generate_data_key(&key("alias/default"), &pairs)).unwrap();
    assert_eq!((made.encrypted.provider, &made.encrypted.key_arn), (Provider::Local, &fixture.default_key()));
    assert_eq!(ready(service.decrypt_data_key(&made.encrypted, &pairs)).unwrap(), made.plaintext);
    let refused = ready(service.decrypt_data_key(&made.encrypted, &no_context())).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidCiphertext);
    let unseen = ready(service.generate_data_key_without_plaintext(&key("alias/default"), &pairs)).unwrap();
    assert_ne!(ready(service.decrypt_data_key(&unseen, &pairs)).unwrap(), made.plaintext);
}

#[test]
fn one_data_key_is_encrypted_under_two_keys() {
    let fixture = Fixture::new();
    let service: &dyn KeyService = &fixture.kms;
    let data_key = DataKey::take(&mut [9; 32]);
    for arn in [fixture.default_key(), fixture.new_key()] {
        let under = KeyId::Arn(arn.clone());
        let encrypted = ready(service.encrypt_data_key(&under, &no_context(), &data_key)).unwrap();
        assert_eq!(encrypted.key_arn, arn);
        assert_eq!(ready(service.decrypt_data_key(&encrypted, &no_context())).unwrap(), data_key);
    }
}

#[test]
fn an_encrypted_data_key_opens_only_as_what_it_says_it_is() {
    let fixture = Fixture::new();
    let service: &dyn KeyService = &fixture.kms;
    let made = ready(service.generate_data_key(&key("alias/default"), &no_context())).unwrap().encrypted;
    let code =
        |encrypted: EncryptedDataKey| ready(service.decrypt_data_key(&encrypted, &no_context())).unwrap_err().code();
    let elsewhere = KeyArn::new("eu-west-1", LOCAL_ACCOUNT, made.key_arn.key_id()).unwrap();
    let aws = KeyArn::new("us-east-1", "111122223333", made.key_arn.key_id()).unwrap();
    assert_eq!(code(EncryptedDataKey { key_arn: fixture.new_key(), ..made.clone() }), ErrorCode::IncorrectKey);
    assert_eq!(code(EncryptedDataKey { key_arn: elsewhere, ..made.clone() }), ErrorCode::NotFound);
    assert_eq!(code(EncryptedDataKey { key_arn: aws, ..made.clone() }), ErrorCode::NotFound);
    assert_eq!(code(EncryptedDataKey { provider: Provider::Aws, ..made.clone() }), ErrorCode::IncorrectKey);
    let short = encrypt(&fixture.kms, &key("alias/default"), &[1; 16]).unwrap();
    let refused = ready(service.decrypt_data_key(&EncryptedDataKey { ciphertext_blob: short, ..made }, &no_context()));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "InvalidCiphertextException: The decrypted data key has 16 bytes, not 32."
    );
}

#[test]
fn an_arn_names_its_own_region_and_a_bare_name_the_home_region() {
    let fixture = Fixture::new();
    let service: &dyn KeyService = &fixture.kms;
    let eu: Region = "eu-west-1".parse().unwrap();
    let in_eu = fixture.kms.create_key(&CreateKeyRequest { region: &eu, description: "" }).unwrap().arn;
    let made = ready(service.generate_data_key(&KeyId::Arn(in_eu.clone()), &no_context())).unwrap();
    assert_eq!(ready(service.decrypt_data_key(&made.encrypted, &no_context())).unwrap(), made.plaintext);
    let bare = ready(service.generate_data_key(&key(in_eu.key_id()), &no_context())).unwrap_err();
    assert_eq!(bare.code(), ErrorCode::NotFound);
    assert_eq!(ready(service.resolve_key(&key("alias/default"))).unwrap(), fixture.default_key());
}

#[test]
fn a_data_key_goes_to_another_key_of_its_region_under_the_same_context() {
    let fixture = Fixture::new();
    let service: &dyn KeyService = &fixture.kms;
    let pairs = context(&["waxseal:file-id=00ff"]);
    let made = ready(service.generate_data_key(&key("alias/default"), &pairs)).unwrap();
    let other = fixture.new_key();
    let moved = ready(service.re_encrypt_data_key(&made.encrypted, &other, &pairs)).unwrap();
    assert_eq!((moved.provider, &moved.key_arn), (Provider::Local, &other));
    assert_eq!(ready(service.decrypt_data_key(&moved, &pairs)).unwrap(), made.plaintext);
    let code = |encrypted: &EncryptedDataKey, to: &KeyArn, pairs: &EncryptionContext| {
        ready(service.re_encrypt_data_key(encrypted, to, pairs)).unwrap_err().code()
    };
    assert_eq!(code(&made.encrypted, &other, &no_context()), ErrorCode::InvalidCiphertext);
    let wrong = EncryptedDataKey { key_arn: other.clone(), ..made.encrypted.clone() };
    assert_eq!(code(&wrong, &other, &pairs), ErrorCode::IncorrectKey);
    let aws = EncryptedDataKey { provider: Provider::Aws, ..made.encrypted.clone() };
    assert_eq!(code(&aws, &other, &pairs), ErrorCode::IncorrectKey);
    let eu: Region = "eu-west-1".parse().unwrap();
    let far = fixture.kms.create_key(&CreateKeyRequest { region: &eu, description: "" }).unwrap().arn;
    assert_eq!(code(&made.encrypted, &far, &pairs), ErrorCode::NotFound);
    let short = encrypt(&fixture.kms, &key("alias/default"), &[1; 16]).unwrap();
    let short = EncryptedDataKey { ciphertext_blob: short, ..made.encrypted };
    assert_eq!(code(&short, &other, &no_context()), ErrorCode::InvalidCiphertext);
}

#[test]
fn a_data_key_is_stale_once_its_key_was_rotated_and_not_any_more_when_it_was_encrypted_anew() {
    let fixture = Fixture::new();
    let service: &dyn KeyService = &fixture.kms;
    let made = ready(service.generate_data_key(&key("alias/default"), &no_context())).unwrap().encrypted;
    let is_stale = |encrypted: &EncryptedDataKey| ready(service.is_stale(encrypted, &no_context())).unwrap();
    assert!(!is_stale(&made));
    let arn = fixture.default_key();
    let body = format!("{{\"KeyId\":\"{arn}\"}}");
    fixture.kms.call(fixture.kms.home_region(), "RotateKeyOnDemand", body.as_bytes()).unwrap();
    assert!(is_stale(&made));
    let renewed = ready(service.re_encrypt_data_key(&made, &arn, &no_context())).unwrap();
    assert!(!is_stale(&renewed));
    let wrong = EncryptedDataKey { key_arn: fixture.new_key(), ..made };
    assert_eq!(ready(service.is_stale(&wrong, &no_context())).unwrap_err().code(), ErrorCode::IncorrectKey);
}

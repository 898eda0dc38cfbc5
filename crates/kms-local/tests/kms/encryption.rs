//! Encrypt, GenerateDataKey and Decrypt: what comes back, and what does not.

use proptest::prelude::*;
use waxseal_key_service::{ErrorCode, KeyId};
use waxseal_kms_local::{DataKeySpec, EncryptRequest, GenerateDataKeyRequest};

use crate::support::{Fixture, context, decrypt, encrypt, generate, key, no_context};

#[test]
fn data_keys_are_fresh_and_of_the_length_asked_for() {
    let fixture = Fixture::new();
    let generate = |key_spec, number_of_bytes| {
        fixture.kms.generate_data_key(&GenerateDataKeyRequest {
            region: &fixture.region,
            key_id: &key("alias/default"),
            encryption_context: &no_context(),
            key_spec,
            number_of_bytes,
        })
    };
    for (spec, bytes, len) in [
        (Some(DataKeySpec::Aes256), None, 32),
        (Some(DataKeySpec::Aes128), None, 16),
        (None, Some(1), 1),
        (None, Some(1024), 1024),
    ] {
        let (one, other) = (generate(spec, bytes).unwrap(), generate(spec, bytes).unwrap());
        assert_eq!(one.plaintext.expose().len(), len);
        assert!(len == 1 || one.plaintext.expose() != other.plaintext.expose());
        assert_ne!(one.ciphertext_blob, other.ciphertext_blob);
        assert_eq!(one.ciphertext_blob.len(), 49 + len);
        let opened = decrypt(&fixture.kms, &one.ciphertext_blob, &no_context(), None).unwrap();
        assert_eq!(opened.plaintext.expose(), one.plaintext.expose());
    }
    let text = |spec, bytes| generate(spec, bytes).unwrap_err().to_string();
    let neither = "ValidationException: Please specify either number of bytes or key spec.";
    assert_eq!(text(None, None), neither);
    assert_eq!(text(Some(DataKeySpec::Aes256), Some(32)), neither);
    assert!(text(None, Some(0)).ends_with(
        "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1"
    ));
    assert!(text(None, Some(-5)).contains("Value '-5'"));
    assert!(text(None, Some(1025)).ends_with("less than or equal to 1024"));
}

#[test]
fn a_data_key_without_plaintext_opens_to_32_bytes() {
    let fixture = Fixture::new();
    let request = GenerateDataKeyRequest {
        region: &fixture.region,
        key_id: &key("alias/default"),
        encryption_context: &context(&["a=1"]),
        key_spec: Some(DataKeySpec::Aes256),
        number_of_bytes: None,
    };
    let generated = fixture.kms.generate_data_key_without_plaintext(&request).unwrap();
    assert_eq!((generated.key_id, generated.key_material_id.len()), (fixture.default_key(), 64));
    let opened = decrypt(&fixture.kms, &generated.ciphertext_blob, &context(&["a=1"]), None).unwrap();
    assert_eq!(opened.plaintext.expose().len(), 32);
}

#[test]
fn plaintexts_and_ciphertexts_have_the_bounds_of_aws() {
    let fixture = Fixture::new();
    let default = key("alias/default");
    for len in [1, 4096] {
        let blob = encrypt(&fixture.kms, &default, &vec![7; len]).unwrap();
        assert_eq!(decrypt(&fixture.kms, &blob, &no_context(), None).unwrap().plaintext.expose(), vec![7; len]);
    }
    for len in [0, 4097] {
        assert_eq!(encrypt(&fixture.kms, &default, &vec![7; len]).unwrap_err().code(), ErrorCode::Validation);
    }
    for (len, code) in [(0, ErrorCode::Validation), (6144, ErrorCode::InvalidCiphertext), (6145, ErrorCode::Validation)]
    {
        assert_eq!(decrypt(&fixture.kms, &vec![1; len], &no_context(), None).unwrap_err().code(), code, "{len}");
    }
}

#[test]
fn a_context_has_to_be_the_same_pair_for_pair() {
    let fixture = Fixture::new();
    let blob = generate(&fixture.kms, &key("alias/default"), &context(&["a=bc", "d=e"])).unwrap().ciphertext_blob;
    assert!(decrypt(&fixture.kms, &blob, &context(&["d=e", "a=bc"]), None).is_ok());
    for other in [&["ab=c", "d=e"][..], &["a=bc"], &["a=bc", "d="], &["a=bc", "d=e", "f=g"], &["a=bcd", "e="], &[]] {
        let refused = decrypt(&fixture.kms, &blob, &context(other), None).unwrap_err();
        assert_eq!((refused.code(), refused.message()), (ErrorCode::InvalidCiphertext, None), "{other:?}");
    }
}

#[test]
fn a_context_that_is_too_large_is_refused_both_ways() {
    let fixture = Fixture::new();
    let large = context(&[&format!("a={}", "x".repeat(9000))]);
    let default = key("alias/default");
    assert_eq!(generate(&fixture.kms, &default, &large).unwrap_err().code(), ErrorCode::Validation);
    assert_eq!(decrypt(&fixture.kms, &[1; 81], &large, None).unwrap_err().code(), ErrorCode::Validation);
}

#[test]
fn a_ciphertext_opens_under_its_own_key_only() {
    let fixture = Fixture::new();
    let (one, other) = (KeyId::Arn(fixture.default_key()), KeyId::Arn(fixture.new_key()));
    let blob = encrypt(&fixture.kms, &one, b"x").unwrap();
    assert_eq!(
        decrypt(&fixture.kms, &blob, &no_context(), Some(&other)).unwrap_err().to_string(),
        "IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation."
    );
    // Even before the state of either key is looked at.
    fixture.disable(&fixture.default_key());
    let refused = decrypt(&fixture.kms, &blob, &no_context(), Some(&other)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::IncorrectKey);
}

#[test]
fn a_ciphertext_of_another_store_names_the_key_that_is_missing() {
    let (fixture, stranger) = (Fixture::new(), Fixture::new());
    let arn = stranger.default_key();
    let blob = encrypt(&stranger.kms, &key("alias/default"), b"x").unwrap();
    let text = format!("NotFoundException: Key '{arn}' does not exist");
    assert_eq!(decrypt(&fixture.kms, &blob, &no_context(), None).unwrap_err().to_string(), text);
    let named = decrypt(&fixture.kms, &blob, &no_context(), Some(&KeyId::Arn(arn)));
    assert_eq!(named.unwrap_err().to_string(), text);
}

#[test]
fn every_bit_flip_of_a_ciphertext_is_refused() {
    let fixture = Fixture::new();
    let own = KeyId::Arn(fixture.default_key());
    let blob = generate(&fixture.kms, &own, &no_context()).unwrap().ciphertext_blob;
    assert_eq!(blob.len(), 81);
    for bit in 0..blob.len() * 8 {
        let mut flipped = blob.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // In the key id the flip names a key that is not there; everywhere else the blob does not open.
        let expected = if (1..17).contains(&(bit / 8)) { ErrorCode::NotFound } else { ErrorCode::InvalidCiphertext };
        assert_eq!(decrypt(&fixture.kms, &flipped, &no_context(), None).unwrap_err().code(), expected, "bit {bit}");
        assert!(decrypt(&fixture.kms, &flipped, &no_context(), Some(&own)).is_err(), "bit {bit}");
    }
}

#[test]
fn every_cut_and_every_appended_byte_of_a_ciphertext_is_refused() {
    let fixture = Fixture::new();
    let blob = generate(&fixture.kms, &key("alias/default"), &no_context()).unwrap().ciphertext_blob;
    for len in 1..blob.len() {
        let refused = decrypt(&fixture.kms, &blob[..len], &no_context(), None).unwrap_err();
        assert_eq!((refused.code(), refused.message()), (ErrorCode::InvalidCiphertext, None), "{len}");
    }
    let longer = [blob.as_slice(), &[0]].concat();
    let refused = decrypt(&fixture.kms, &longer, &no_context(), None).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidCiphertext);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_was_encrypted_comes_back_under_the_same_context_only(
        plaintext in prop::collection::vec(any::<u8>(), 1..=4096),
        pairs in prop::collection::btree_map("[a-z]{1,8}", ".{0,20}", 0..5),
        other in prop::collection::btree_map("[a-z]{1,8}", ".{0,20}", 0..5),
    ) {
        let fixture = Fixture::new();
        let contexts = [&pairs, &other].map(|pairs| {
            let mut context = no_context();
            pairs.iter().for_each(|(name, value)| context.insert(name, value).unwrap());
            context
        });
        let blob = fixture.kms.encrypt(&EncryptRequest {
            region: &fixture.region,
            key_id: &key("alias/default"),
            encryption_context: &contexts[0],
            plaintext: &plaintext,
        }).unwrap().ciphertext_blob;
        let opened = decrypt(&fixture.kms, &blob, &contexts[0], None).unwrap();
        prop_assert_eq!(opened.plaintext.expose(), plaintext.as_slice());
        prop_assert_eq!(decrypt(&fixture.kms, &blob, &contexts[1], None).is_ok(), pairs == other);
    }
}

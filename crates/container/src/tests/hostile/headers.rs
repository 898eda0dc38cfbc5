//! Headers out of random bytes: never a panic, and whatever is taken means one thing only.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_cbor::Value;
use sha2::{Digest, Sha256};

use crate::tests::support::*;
use crate::{Core, Header, MAGIC, Suite, cbor};

/// Parses; what is taken has to be the same when it is put together again.
fn check(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let Ok(header) = Header::parse(bytes) else { return Ok(false) };
    let core = Core::decode(&header.core().encode());
    prop_assert_eq!(core.as_ref(), Ok(header.core()));
    let mut zeroed = bytes[..2048].to_vec();
    zeroed.resize(5000, 0xff);
    let again = Header::parse(&zeroed);
    prop_assert!(again.is_ok(), "what stands behind the header decides about it");
    prop_assert_eq!(format!("{:?}", again.unwrap()), format!("{header:?}"));
    prop_assert!(!header.encrypted_data_keys().is_empty());
    prop_assert!(header.slot_generation() > 0);
    // The context that goes to a key service can always be made.
    prop_assert!(header.core().key_service_context().get("waxseal:file-id").is_some());
    Ok(true)
}

/// A header around a core, with the slot of a valid one.
fn around(core: &[u8]) -> Vec<u8> {
    let valid = &seal_file(Suite::default(), b"")[..2048];
    let core_len = usize::from(u16::from_le_bytes([valid[10], valid[11]]));
    let slot = (80 + core_len).next_multiple_of(8);
    let slot_len = 16 + usize::from(u16::from_le_bytes([valid[slot + 4], valid[slot + 5]]));
    let mut bytes = valid[..80].to_vec();
    bytes[10..12].copy_from_slice(&u16::try_from(core.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(core);
    bytes.resize((80 + core.len()).next_multiple_of(8), 0);
    bytes.extend_from_slice(&valid[slot..slot + slot_len]);
    bytes.resize(2048, 0);
    bytes
}

/// Any CBOR there is, nested.
fn value() -> impl Strategy<Value = Value> {
    let integer = prop_oneof![
        -40i128..300,
        Just(i128::from(u64::MAX)),
        Just(-i128::from(u64::MAX) - 1),
        any::<i64>().prop_map(i128::from)
    ];
    let leaf = prop_oneof![
        integer.prop_map(Value::Integer),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        "[a-z:]{0,12}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_map(Value::Float),
        Just(Value::Float(f64::NAN)),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(inner.clone(), inner, 0..4).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_behind_the_magic_are_refused_or_mean_one_thing(
        mut bytes in prop::collection::vec(any::<u8>(), 0..4096),
        core_len in prop_oneof![0u16..100, 0u16..1100, any::<u16>()],
        tame in any::<bool>(),
    ) {
        let known = MAGIC.len().min(bytes.len());
        bytes[..known].copy_from_slice(&MAGIC[..known]);
        if tame && bytes.len() >= 80 {
            bytes[8..10].copy_from_slice(&[1, 1]);
            bytes[10..12].copy_from_slice(&core_len.to_le_bytes());
            bytes[12..16].fill(0);
        }
        check(&bytes)?;
    }

    #[test]
    fn a_valid_header_with_random_changes_is_refused_or_means_one_thing(
        changes in prop::collection::vec((prop_oneof![0usize..400, 0usize..2048], any::<u8>()), 0..6),
        repeat in prop::option::of((80usize..400, 1usize..300)),
    ) {
        let mut bytes = seal_file(Suite::default(), b"x");
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        if let Some((at, count)) = repeat {
            let byte = bytes[at];
            bytes[at..at + count].fill(byte);
        }
        check(&bytes)?;
    }

    #[test]
    fn a_core_of_any_cbor_is_refused_or_means_one_thing(
        extra in prop::collection::vec((value(), value()), 0..3),
        minus_one in prop::option::of(value()),
        replaced in prop::option::of((1i128..5, value())),
        bytes in prop::collection::vec((any::<u16>(), any::<u8>()), 0..3),
    ) {
        let core = Core::new(Suite::default(), Default::default(), Some(5)).unwrap().encode();
        let Ok(Value::Map(mut map)) = cbor::decode(&core) else { panic!("a core is a map") };
        let plain = extra.is_empty() && replaced.is_none() && bytes.is_empty();
        map.extend(extra);
        map.extend(minus_one.map(|value| (Value::Integer(-1), value)));
        map.extend(replaced.map(|(key, value)| (Value::Integer(key), value)));
        let map: BTreeMap<_, _> = map;
        let mut core = cbor::encode(&Value::Map(map));
        for (at, byte) in bytes {
            let at = core.len() * usize::from(at) / 65536;
            core[at] = byte;
        }
        if core.len() <= 1024 {
            let taken = check(&around(&core))?;
            prop_assert!(taken || !plain, "a core with a negative key is passed over");
        } else {
            prop_assert!(Header::parse(&around(&core[..1024])).is_err() || !plain);
        }
    }
}

#[test]
fn nesting_as_deep_as_a_core_can_hold_it_is_refused() {
    let core = Core::new(Suite::default(), Default::default(), None).unwrap().encode();
    for (opening, closing) in [(0x81u8, 0u8), (0xa1, 0), (0xc1, 0), (0x9f, 0xff), (0xbf, 0xff), (0xd8, 0)] {
        let mut deep = core.clone();
        deep[0] += 1;
        deep.push(0x20);
        deep.extend(vec![opening; 900]);
        deep.push(closing);
        assert!(Header::parse(&around(&deep)).is_err(), "{opening:02x}");
    }
}

#[test]
fn every_byte_without_meaning_is_checked_before_any_key_is_there() {
    let core_with = |length: usize| {
        let pair = format!("a={}", "x".repeat(length));
        let context = waxseal_key_service::EncryptionContext::from_pairs([pair]).unwrap();
        Core::new(Suite::default(), context, None).unwrap().encode()
    };
    let places = |core: &[u8]| {
        let slots = (80 + core.len()).next_multiple_of(8);
        (slots, slots + (2048 - slots) / 16 * 16)
    };
    let has_room = |core: &Vec<u8>| 80 + core.len() < places(core).0 && places(core).1 < 2048;
    let core = (0..40).map(core_with).find(has_room).expect("some core leaves room on both sides of the slots");
    let (slots, behind) = places(&core);
    let header = around(&core);
    assert!(Header::parse(&header).is_ok());
    for at in (12..16).chain(80 + core.len()..slots).chain(behind..2048) {
        let mut forged = header.clone();
        forged[at] = 1;
        assert!(Header::parse(&forged).is_err(), "byte {at}");
    }
}

#[test]
fn a_prepared_header_has_no_tag_and_no_salt() {
    let mut header = seal_file(Suite::default(), b"")[..2048].to_vec();
    header[9] = 0;
    header[16..80].fill(0);
    assert!(Header::parse(&header).is_ok());
    for at in [16, 47, 48, 79] {
        let mut forged = header.clone();
        forged[at] = 1;
        assert!(Header::parse(&forged).is_err(), "byte {at}");
    }
    header[9] = 2;
    assert!(Header::parse(&header).is_err(), "an unknown state");
}

#[test]
fn a_slot_with_a_right_checksum_still_has_to_be_right() {
    let header = seal_file(Suite::default(), b"")[..2048].to_vec();
    let core_len = usize::from(u16::from_le_bytes([header[10], header[11]]));
    let slot = (80 + core_len).next_multiple_of(8);
    let with_payload = |count: u8, payload: &[u8]| {
        let mut forged = header.clone();
        forged[slot..].fill(0);
        forged[slot..slot + 8].copy_from_slice(&header[slot..slot + 8]);
        forged[slot + 4..slot + 6].copy_from_slice(&u16::try_from(payload.len()).unwrap().to_le_bytes());
        forged[slot + 7] = count;
        let sum = Sha256::new().chain_update(&forged[slot..slot + 8]).chain_update(payload).finalize();
        forged[slot + 8..slot + 16].copy_from_slice(&sum[..8]);
        forged[slot + 16..slot + 16 + payload.len()].copy_from_slice(payload);
        Header::parse(&forged).is_ok()
    };
    let key = |provider: i128, arn: &str, blob: usize| {
        Value::Array(vec![Value::Integer(provider), Value::Text(arn.to_owned()), Value::Bytes(vec![1; blob])])
    };
    let arn = encrypted_key().key_arn.to_string();
    let keys = |keys: Vec<Value>| cbor::encode(&Value::Array(keys));
    assert!(with_payload(1, &keys(vec![key(1, &arn, 9)])));
    assert!(with_payload(2, &keys(vec![key(1, &arn, 9), key(2, &arn, 9)])));
    assert!(!with_payload(2, &keys(vec![key(1, &arn, 9)])), "fewer keys than announced");
    assert!(!with_payload(1, &keys(vec![key(1, &arn, 9), key(1, &arn, 9)])), "more keys than announced");
    assert!(!with_payload(0, &keys(vec![])), "no keys");
    assert!(!with_payload(1, &keys(vec![key(1, &arn, 0)])), "an empty blob");
    assert!(!with_payload(1, &keys(vec![key(3, &arn, 9)])), "an unknown key service");
    assert!(!with_payload(1, &keys(vec![key(1, "arn:aws:kms:x", 9)])), "no key ARN");
    assert!(!with_payload(1, &[&keys(vec![key(1, &arn, 9)])[..], &[0]].concat()), "a byte behind the list");
    assert!(!with_payload(1, &[&[0x98, 1], &keys(vec![key(1, &arn, 9)])[1..]].concat()), "a longer encoding");
}

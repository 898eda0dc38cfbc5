//! Every content is read as it was written, and nothing else is.

use proptest::prelude::*;

use super::*;
use crate::key::{Key, KeyMetadata, KeySpec, KeyState, KeyUsage, Origin, RotationType};
use crate::key_pair::KeyPair;
use crate::rotation::RotationSchedule;
use crate::seal::root_key::random_secret;
use crate::store::rows::Tag;

fn entry(region: &Region, versions: u32) -> KeyEntry {
    let id = KeyUuid::random().unwrap();
    let now = Timestamp::now();
    let material = |version| MaterialEntry {
        version,
        id: "0a".repeat(32).into(),
        created_at: now,
        rotation: (version > 1).then_some(RotationType::OnDemand),
        secret: Secret::Symmetric(random_secret().unwrap()),
    };
    let metadata = KeyMetadata {
        arn: id.arn(region),
        creation_date: now,
        current_key_material_id: "0a".repeat(32).into(),
        deletion_date: Some(now),
        description: "ü".into(),
        key_spec: KeySpec::SymmetricDefault,
        key_state: KeyState::PendingDeletion,
        key_usage: KeyUsage::EncryptDecrypt,
        origin: Origin::AwsKms,
    };
    let schedule = (versions > 1).then_some(RotationSchedule::starting(now, 90));
    let key = Key { metadata, region: region.clone(), current_version: versions, schedule };
    let tag = |key: &str| Tag { key: key.into(), value: "v".into() };
    KeyEntry { key, tags: vec![tag("a"), tag("b")], materials: (1..=versions).map(material).collect() }
}

fn content() -> Content {
    let (home_region, at) = (Region::default(), Timestamp::now());
    let mut pair = entry(&home_region, 1);
    pair.key.metadata.key_spec = KeySpec::EccNistP256;
    pair.materials[0].secret = Secret::Pair(KeyPair::generate(KeySpec::EccNistP256).unwrap().unwrap());
    let mut keys = vec![entry(&home_region, 1), entry(&home_region, 3), pair];
    keys.sort_by(|one, other| one.place().cmp(&other.place()));
    let (name, key) = ("alias/x".parse().unwrap(), keys[0].key.id());
    let alias = AliasRow { name, region: home_region.clone(), key, created_at: at, updated_at: at };
    let credential = |name: &str, id: &str| {
        let about =
            CredentialInfo { access_key_id: format!("WAXK{}", id.repeat(16)), name: name.into(), created_at: at };
        Credential::new(about, "s".repeat(40).into())
    };
    let credentials = vec![credential("one", "A"), credential("two", "B")];
    Content { at, home_region, keys, aliases: vec![alias], credentials }
}

#[test]
fn a_content_is_read_as_it_was_written() {
    let bytes = content().encode();
    assert_eq!(Content::decode(Version::Second, &bytes).unwrap().encode(), bytes);
}

#[test]
fn every_cut_is_refused_and_a_flip_is_refused_or_another_content() {
    let bytes = content().encode();
    for index in 0..bytes.len() {
        assert!(Content::decode(Version::Second, &bytes[..index]).is_none(), "{index}");
        let mut flipped = bytes.clone();
        flipped[index] ^= 1;
        // Whatever is accepted is exactly what is written: there are no two encodings of one content.
        assert!(
            Content::decode(Version::Second, &flipped).is_none_or(|content| content.encode() == flipped),
            "{index}"
        );
    }
}

#[test]
fn keys_out_of_order_twice_or_missing_are_refused() {
    let altered = |alter: fn(&mut Content)| {
        let mut content = content();
        alter(&mut content);
        Content::decode(Version::Second, &content.encode())
    };
    assert!(altered(|content| content.keys.reverse()).is_none());
    assert!(altered(|content| content.aliases[0].key = KeyUuid::random().unwrap()).is_none());
    assert!(altered(|content| content.keys[0].key.current_version = 9).is_none());
    assert!(altered(|content| content.keys[0].key.metadata.deletion_date = None).is_none());
    assert!(altered(|content| content.keys[0].tags.reverse()).is_none());
    assert!(altered(|content| content.credentials.reverse()).is_none());
    assert!(altered(|content| content.keys[0].tags[0].key.clear()).is_none());
    let schedule = RotationSchedule { period_in_days: 1, next_at: Timestamp::now() };
    let mut often = content();
    often.keys[0].key.schedule = Some(schedule);
    assert!(Content::decode(Version::Second, &often.encode()).is_none());
    assert!(altered(|content| content.keys[0].key.metadata.description = "x".repeat(8193)).is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Content::decode(Version::Second, &bytes).is_none_or(|content| *content.encode() == bytes));
    }
}

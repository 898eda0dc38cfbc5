//! Databases that are not a store's, or not as a store left them.

use std::fs;

use rusqlite::Connection;
use waxseal_key_service::{ErrorCode, KeyId};
use waxseal_kms_local::{LocalKms, StoreError, status};

use crate::support::{Fixture, decrypt, encrypt, generate, key, no_context, no_passphrase};

impl Fixture {
    fn database(&self) -> Connection {
        Connection::open(self.directory.join("kms.db")).unwrap()
    }
}

#[test]
fn a_newer_schema_is_refused_with_both_versions() {
    let fixture = Fixture::new();
    fixture.database().execute_batch("PRAGMA user_version = 12").unwrap();
    let refused = LocalKms::open(&fixture.directory, &mut no_passphrase).unwrap_err();
    assert!(matches!(refused, StoreError::NewerSchema { found: 12, supported: 2, .. }), "{refused}");
    assert!(refused.to_string().contains("schema version 12, this program knows up to 2"), "{refused}");
    assert!(status(&fixture.directory).is_err());
}

#[test]
fn foreign_files_are_no_stores() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("kms.db");
    for content in [&b""[..], b"hello", &[0x55; 8192]] {
        fs::write(&database, content).unwrap();
        let refused = LocalKms::open(dir.path(), &mut no_passphrase).unwrap_err();
        assert!(matches!(refused, StoreError::NotAStore { .. }), "{refused}");
        assert_eq!(fs::read(&database).unwrap(), content);
    }
    fs::remove_file(&database).unwrap();
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let refused = LocalKms::open(dir.path(), &mut no_passphrase).unwrap_err();
    assert!(matches!(refused, StoreError::NotAStore { .. }), "{refused}");
    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    assert!(LocalKms::open(dir.path(), &mut no_passphrase).is_err());
}

#[test]
fn wrapped_material_does_not_open_in_another_row() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.default_key(), fixture.new_key());
    let blob = encrypt(&fixture.kms, &KeyId::Arn(one.clone()), b"x").unwrap();
    let database = fixture.database();
    let swap =
        "UPDATE key_materials SET wrapped = (SELECT wrapped FROM key_materials WHERE key_id = ?1) WHERE key_id = ?2";
    database.execute(swap, [other.key_id(), one.key_id()]).unwrap();
    for refused in [
        decrypt(&fixture.kms, &blob, &no_context(), None).map(drop).unwrap_err(),
        generate(&fixture.kms, &KeyId::Arn(one.clone()), &no_context()).map(drop).unwrap_err(),
    ] {
        assert_eq!(refused.code(), ErrorCode::Internal);
        let source = std::error::Error::source(&refused).unwrap().to_string();
        assert!(source.contains("does not authenticate") && source.contains(one.as_str()), "{source}");
    }
    // The other key is whole.
    generate(&fixture.kms, &KeyId::Arn(other), &no_context()).unwrap();
}

#[test]
fn a_key_that_was_moved_to_another_region_does_not_open() {
    let fixture = Fixture::new();
    let arn = fixture.default_key();
    fixture
        .database()
        .execute_batch(
            "PRAGMA foreign_keys = OFF; DELETE FROM aliases; UPDATE keys SET region = 'eu-west-1'; \
             UPDATE key_materials SET region = 'eu-west-1'; UPDATE meta SET home_region = 'eu-west-1'",
        )
        .unwrap();
    let moved = format!("arn:aws:kms:eu-west-1:000000000000:key/{}", arn.key_id());
    let request = waxseal_kms_local::GenerateDataKeyRequest {
        region: &"eu-west-1".parse().unwrap(),
        key_id: &key(&moved),
        encryption_context: &no_context(),
        key_spec: None,
        number_of_bytes: Some(32),
    };
    assert_eq!(fixture.kms.generate_data_key(&request).unwrap_err().code(), ErrorCode::Internal);
}

#[test]
fn rows_that_break_the_rules_are_damage() {
    for statement in [
        "UPDATE keys SET key_state = 'Sleeping'",
        "UPDATE keys SET key_state = 'PendingDeletion'",
        "UPDATE keys SET deletion_date = 99999999999999",
        "UPDATE keys SET key_spec = 'RSA_1024'",
        "UPDATE keys SET created_at = -1",
        "UPDATE keys SET current_version = 2",
        "UPDATE keys SET current_version = -1",
        "UPDATE key_materials SET material_id = upper(hex(zeroblob(31)) || 'ZZ')",
        "UPDATE key_materials SET wrapped = zeroblob(59)",
        "UPDATE key_materials SET wrapped = zeroblob(60)",
        "DELETE FROM key_materials",
    ] {
        let fixture = Fixture::new();
        fixture.database().execute_batch(statement).unwrap();
        let refused = generate(&fixture.kms, &key("alias/default"), &no_context()).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Internal, "{statement}");
        let source = std::error::Error::source(&refused).unwrap().to_string();
        assert!(source.contains("damaged"), "{statement}: {source}");
    }
}

#[test]
fn a_store_without_its_description_is_damaged() {
    for statement in ["DELETE FROM meta", "UPDATE meta SET seal = x'00'", "UPDATE meta SET home_region = 'Nowhere!'"] {
        let fixture = Fixture::new();
        fixture.database().execute_batch(statement).unwrap();
        let refused = LocalKms::open(&fixture.directory, &mut no_passphrase).unwrap_err();
        assert!(matches!(refused, StoreError::Damaged { .. }), "{statement}: {refused:?}");
    }
}

#[test]
fn a_database_that_was_cut_short_is_an_error_or_harmless_and_never_a_wrong_key() {
    let Fixture { kms, directory, dir: _dir, .. } = Fixture::new();
    let made = generate(&kms, &key("alias/default"), &no_context()).unwrap();
    drop(kms);
    let path = directory.join("kms.db");
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for len in (0..whole.len()).step_by(512) {
        fs::write(&path, &whole[..len]).unwrap();
        let opened = LocalKms::open(&directory, &mut no_passphrase);
        let decrypted = opened.ok().and_then(|kms| decrypt(&kms, &made.ciphertext_blob, &no_context(), None).ok());
        match decrypted {
            // Only an index that this needs not was cut off.
            Some(decrypted) => assert_eq!(decrypted.plaintext.expose(), made.plaintext.expose(), "{len} bytes"),
            None => refused += 1,
        }
    }
    assert!(refused > 40, "{refused}");
}

#[test]
fn damaged_pages_are_an_error_or_harmless_and_never_a_wrong_key() {
    let Fixture { kms, directory, dir: _dir, .. } = Fixture::new();
    let made = generate(&kms, &key("alias/default"), &no_context()).unwrap();
    drop(kms);
    let path = directory.join("kms.db");
    let whole = fs::read(&path).unwrap();
    for index in (0..whole.len()).step_by(61) {
        let mut flipped = whole.clone();
        flipped[index] ^= 0xFF;
        fs::write(&path, &flipped).unwrap();
        let Ok(kms) = LocalKms::open(&directory, &mut no_passphrase) else { continue };
        if let Ok(opened) = decrypt(&kms, &made.ciphertext_blob, &no_context(), None) {
            assert_eq!(opened.plaintext.expose(), made.plaintext.expose(), "byte {index}");
        }
    }
}

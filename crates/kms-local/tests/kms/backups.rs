//! Backup and restore.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};
use waxseal_key_service::{ErrorCode, KeyId};
use waxseal_kms_local::{
    CreateKeyRequest, DescribeKeyRequest, LocalKms, NewSeal, Overwrite, Region, StoreError, restore, status,
};

use crate::support::{
    Fixture, cheap, context, decrypt, encrypt, generate, key, names, no_context, no_passphrase, passphrase,
};

impl Fixture {
    fn backup(&self) -> PathBuf {
        let target = self.dir.path().join("store.backup");
        let report = self.kms.backup(&target, &passphrase("bp"), cheap(), Overwrite::Refuse).unwrap();
        assert!(report.not_recorded.is_none());
        target
    }
}

fn restored(backup: &Path, directory: &Path, text: &str) -> Result<LocalKms, StoreError> {
    restore(directory, backup, &mut || Ok(passphrase(text)), NewSeal::KeyFile)
}

#[test]
fn a_restored_store_opens_what_the_first_one_encrypted() {
    let fixture = Fixture::new();
    let disabled = fixture.new_key();
    let eu: Region = "eu-west-1".parse().unwrap();
    let in_eu = fixture.kms.create_key(&CreateKeyRequest { region: &eu, description: "ü" }).unwrap();
    let under_disabled = encrypt(&fixture.kms, &KeyId::Arn(disabled.clone()), b"x").unwrap();
    fixture.disable(&disabled);
    let made = generate(&fixture.kms, &key("alias/default"), &context(&["a=1"])).unwrap();
    let backup = fixture.backup();
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(names(fixture.dir.path()), ["kms", "store.backup"]);

    let elsewhere = tempfile::tempdir().unwrap();
    let kms = restored(&backup, &elsewhere.path().join("kms"), "bp").unwrap();
    let opened = decrypt(&kms, &made.ciphertext_blob, &context(&["a=1"]), None).unwrap();
    assert_eq!(opened.plaintext.expose(), made.plaintext.expose());
    assert_eq!((opened.key_id, opened.key_material_id), (made.key_id, made.key_material_id));
    assert_eq!(kms.default_key().unwrap(), Some(fixture.default_key()));
    let refused = decrypt(&kms, &under_disabled, &no_context(), None).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Disabled);
    let key_id = &KeyId::Arn(in_eu.arn.clone());
    assert_eq!(kms.describe_key(&DescribeKeyRequest { region: &eu, key_id }).unwrap(), in_eu);
    // It is sealed anew: neither the root key nor a wrapped material is the first store's.
    let wrapped = |directory: &Path| -> Vec<u8> {
        let database = Connection::open(directory.join("kms.db")).unwrap();
        let query = "SELECT wrapped FROM key_materials ORDER BY region, key_id";
        database.query_row(query, [], |row| row.get(0)).unwrap()
    };
    assert_ne!(wrapped(&fixture.directory), wrapped(kms.directory()));
}

#[test]
fn a_restored_store_has_tags_rotation_key_pairs_and_credentials() {
    let fixture = Fixture::new();
    let tags = json!([{"TagKey": "a", "TagValue": "ü"}]);
    let made = fixture.call("CreateKey", json!({"Tags": tags})).unwrap();
    let key = &made["KeyMetadata"]["KeyId"];
    fixture.call("EnableKeyRotation", json!({"KeyId": key, "RotationPeriodInDays": 100})).unwrap();
    let old = fixture.call("Encrypt", json!({"KeyId": key, "Plaintext": "b2xk"})).unwrap();
    fixture.call("RotateKeyOnDemand", json!({"KeyId": key})).unwrap();
    let pair = fixture.call("CreateKey", json!({"KeySpec": "ECC_NIST_P384", "KeyUsage": "SIGN_VERIFY"})).unwrap();
    let credential = fixture.kms.create_credential("client").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let kms = restored(&fixture.backup(), &elsewhere.path().join("kms"), "bp").unwrap();
    let again = |operation: &str, body: Value| -> Value {
        serde_json::from_slice(&kms.call(&fixture.region, operation, body.to_string().as_bytes()).unwrap()).unwrap()
    };
    for (operation, request) in [
        ("ListResourceTags", json!({"KeyId": key})),
        ("GetKeyRotationStatus", json!({"KeyId": key})),
        ("ListKeyRotations", json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"})),
        ("DescribeKey", json!({"KeyId": key})),
        ("DescribeKey", json!({"KeyId": pair["KeyMetadata"]["KeyId"]})),
        ("GetPublicKey", json!({"KeyId": pair["KeyMetadata"]["KeyId"]})),
        ("ListAliases", json!({})),
        ("Decrypt", json!({"CiphertextBlob": old["CiphertextBlob"]})),
    ] {
        assert_eq!(again(operation, request.clone()), fixture.call(operation, request).unwrap(), "{operation}");
    }
    let found = kms.credential(credential.access_key_id()).unwrap().unwrap();
    assert_eq!((found.name(), found.expose_secret()), ("client", credential.expose_secret()));
}

#[test]
fn the_time_of_a_backup_is_in_the_status_of_both_stores() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture.directory).unwrap().last_backup_at, None);
    let backup = fixture.backup();
    let at = status(&fixture.directory).unwrap().last_backup_at.unwrap();
    let directory = fixture.dir.path().join("again");
    drop(restored(&backup, &directory, "bp").unwrap());
    assert_eq!(status(&directory).unwrap().last_backup_at, Some(at));
    assert_eq!(status(&directory).unwrap().keys, 1);
}

#[test]
fn a_backup_restores_under_a_passphrase_too() {
    let fixture = Fixture::new();
    let made = generate(&fixture.kms, &key("alias/default"), &no_context()).unwrap();
    let directory = fixture.dir.path().join("again");
    let seal = NewSeal::Passphrase { passphrase: &passphrase("new"), cost: cheap() };
    drop(restore(&directory, &fixture.backup(), &mut || Ok(passphrase("bp")), seal).unwrap());
    let kms = LocalKms::open(&directory, &mut || Ok(passphrase("new"))).unwrap();
    assert!(decrypt(&kms, &made.ciphertext_blob, &no_context(), None).is_ok());
}

#[test]
fn an_existing_file_is_replaced_on_demand_only() {
    let fixture = Fixture::new();
    let target = fixture.dir.path().join("precious");
    fs::write(&target, b"precious").unwrap();
    let backup = |overwrite| fixture.kms.backup(&target, &passphrase("bp"), cheap(), overwrite);
    assert!(matches!(backup(Overwrite::Refuse), Err(StoreError::TargetExists { .. })));
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert_eq!(status(&fixture.directory).unwrap().last_backup_at, None);
    backup(Overwrite::Replace).unwrap();
    restored(&target, &fixture.dir.path().join("again"), "bp").unwrap();
    let link = fixture.dir.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    fixture.kms.backup(&link, &passphrase("bp"), cheap(), Overwrite::Replace).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let device = fixture.kms.backup(Path::new("/dev/null"), &passphrase("bp"), cheap(), Overwrite::Replace);
    assert!(matches!(device, Err(StoreError::Io { .. })));
    let nowhere = fixture.kms.backup(Path::new("/no/such/place"), &passphrase("bp"), cheap(), Overwrite::Refuse);
    assert!(matches!(nowhere, Err(StoreError::Io { .. })));
    assert_eq!(names(fixture.dir.path()), ["again", "kms", "link", "precious"]);
}

#[test]
fn a_restore_never_touches_a_store_that_is_there() {
    let fixture = Fixture::new();
    let backup = fixture.backup();
    let refused = restore(&fixture.directory, &backup, &mut no_passphrase, NewSeal::KeyFile);
    assert!(matches!(refused, Err(StoreError::AlreadyThere { .. })));
}

#[test]
fn a_failed_restore_leaves_nothing() {
    let fixture = Fixture::new();
    let backup = fixture.backup();
    let elsewhere = tempfile::tempdir().unwrap();
    let directory = elsewhere.path().join("kms");
    assert!(matches!(restored(&backup, &directory, "wrong"), Err(StoreError::WrongPassphrase { .. })));
    let whole = fs::read(&backup).unwrap();
    for (content, name) in [(&whole[..whole.len() - 1], "cut"), (&whole[1..], "shifted"), (&[][..], "empty")] {
        fs::write(&backup, content).unwrap();
        assert!(restored(&backup, &directory, "bp").is_err(), "{name}");
    }
    let absent = restored(&elsewhere.path().join("absent"), &directory, "bp");
    assert!(matches!(absent, Err(StoreError::Io { .. })));
    assert!(names(elsewhere.path()).is_empty());
}

#[test]
fn the_backup_of_a_damaged_store_is_refused_whole() {
    let fixture = Fixture::new();
    fixture.new_key();
    let database = Connection::open(fixture.directory.join("kms.db")).unwrap();
    database.execute("UPDATE key_materials SET wrapped = zeroblob(60)", []).unwrap();
    let target = fixture.dir.path().join("x");
    let refused = fixture.kms.backup(&target, &passphrase("bp"), cheap(), Overwrite::Refuse);
    assert!(matches!(refused, Err(StoreError::Damaged { .. })));
    assert!(!target.exists());
}

#[test]
fn a_backup_shows_nothing_of_what_it_holds() {
    let fixture = Fixture::new();
    let arn = fixture.default_key();
    let bytes = fs::read(fixture.backup()).unwrap();
    let shows = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(!shows(b"alias/") && !shows(b"us-east-1") && !shows(arn.key_id().as_bytes()));
}

//! Failures of the store, as whoever calls an operation sees them.

use rusqlite::Connection;
use serde_json::json;
use waxseal_key_service::{ErrorCode, KeyServiceError};
use waxseal_kms_local::LocalKms;

use crate::support::{Fixture, no_passphrase};

#[test]
fn a_store_that_another_process_holds_is_a_dependency_that_timed_out() {
    let fixture = Fixture::new();
    let other = Connection::open(fixture.directory.join("kms.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let key = fixture.default_key();
    let refused = fixture.call("UpdateKeyDescription", json!({"KeyId": key.as_str(), "Description": "x"})).unwrap_err();
    assert_eq!(refused.to_string(), "DependencyTimeoutException: The key store did not answer in time.");
    assert!(refused.code().is_transient());
    // Whoever only reads is not held up.
    fixture.call("GenerateDataKey", json!({"KeyId": "alias/default", "NumberOfBytes": 1})).unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    fixture.call("UpdateKeyDescription", json!({"KeyId": key.as_str(), "Description": "x"})).unwrap();
}

#[test]
fn a_damaged_store_is_an_internal_error_that_keeps_its_cause() {
    for (change, operation, request) in [
        ("UPDATE key_materials SET wrapped = zeroblob(60)", "GenerateDataKey", json!({"NumberOfBytes": 1})),
        ("UPDATE keys SET description = zeroblob(1)", "DescribeKey", json!({})),
        ("UPDATE keys SET description = replace(hex(zeroblob(5000)), '0', 'x')", "DescribeKey", json!({})),
        ("UPDATE tags SET tag_key = replace(hex(zeroblob(100)), '0', 'x')", "ListResourceTags", json!({})),
        ("UPDATE tags SET tag_value = replace(hex(zeroblob(200)), '0', 'x')", "ListResourceTags", json!({})),
        ("UPDATE rotation_schedules SET period_in_days = 1", "GetKeyRotationStatus", json!({})),
        ("UPDATE rotation_schedules SET next_at = -1", "GetKeyRotationStatus", json!({})),
        ("UPDATE rotations SET rotation_type = 'MONTHLY'", "ListKeyRotations", json!({})),
        ("UPDATE aliases SET name = 'x' || name", "ListAliases", json!({})),
    ] {
        let fixture = Fixture::new();
        let key = fixture.default_key();
        let with_key = |mut request: serde_json::Value| {
            request["KeyId"] = json!(key.as_str());
            request
        };
        let tags = json!([{"TagKey": "a", "TagValue": "b"}]);
        fixture.call("TagResource", with_key(json!({"Tags": tags}))).unwrap();
        fixture.call("EnableKeyRotation", with_key(json!({}))).unwrap();
        fixture.call("RotateKeyOnDemand", with_key(json!({}))).unwrap();
        let database = Connection::open(fixture.directory.join("kms.db")).unwrap();
        // The tables themselves refuse what is of another type.
        if database.execute(change, []).is_err() {
            assert!(change.contains("zeroblob(1)"), "{change}");
            continue;
        }
        let refused: KeyServiceError = fixture.call(operation, with_key(request)).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Internal, "{change}");
        assert_eq!(refused.message(), Some("The key store failed."));
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(cause.contains("damaged"), "{change}: {cause}");
    }
}

#[test]
fn a_store_whose_key_file_is_missing_is_a_key_that_is_unavailable() {
    let fixture = Fixture::new();
    std::fs::remove_file(fixture.directory.join("root.key")).unwrap();
    let locked = KeyServiceError::from(LocalKms::open(&fixture.directory, &mut no_passphrase).unwrap_err());
    assert_eq!(locked.to_string(), "KeyUnavailableException: The key store is locked.");
    assert!(locked.code().is_transient());
}

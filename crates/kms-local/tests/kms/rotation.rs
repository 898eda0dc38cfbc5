//! Rotation: old ciphertexts open for ever, new ones come of the newest material.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::Fixture;

impl Fixture {
    /// The material that encrypts now.
    fn material(&self, key: &str) -> Value {
        self.call("GenerateDataKey", json!({"KeyId": key, "NumberOfBytes": 1})).unwrap()["KeyMaterialId"].clone()
    }

    /// Lets the next rotation of every key have been due since 1970.
    fn let_rotations_be_due(&self) {
        let database = Connection::open(self.directory.join("kms.db")).unwrap();
        assert!(database.execute("UPDATE rotation_schedules SET next_at = 1", []).unwrap() > 0);
    }

    fn rotations(&self, key: &str, which: &str) -> Vec<Value> {
        let answer = self.call("ListKeyRotations", json!({"KeyId": key, "IncludeKeyMaterial": which})).unwrap();
        assert_eq!(answer["Truncated"], false);
        answer["Rotations"].as_array().unwrap().clone()
    }
}

const DAY: f64 = 86_400.0;

#[test]
fn rotation_on_demand_leaves_old_ciphertexts_readable_and_the_schedule_alone() {
    let fixture = Fixture::new();
    let (arn, region) = (fixture.default_key(), &fixture.region);
    let key = arn.key_id();
    fixture.call("EnableKeyRotation", json!({"KeyId": key, "RotationPeriodInDays": 90})).unwrap();
    let before = fixture.call("GetKeyRotationStatus", json!({"KeyId": key})).unwrap();
    let old = fixture.call("Encrypt", json!({"KeyId": key, "Plaintext": "b2xk"})).unwrap();
    let first = fixture.material(key);
    assert_eq!(fixture.call("RotateKeyOnDemand", json!({"KeyId": key})).unwrap(), json!({"KeyId": arn.as_str()}));
    let second = fixture.material(key);
    assert_ne!(first, second);
    assert_eq!(fixture.call("GetKeyRotationStatus", json!({"KeyId": key})).unwrap(), before);
    let opened = fixture.call("Decrypt", json!({"CiphertextBlob": old["CiphertextBlob"]})).unwrap();
    assert_eq!((&opened["Plaintext"], &opened["KeyMaterialId"]), (&json!("b2xk"), &first));
    let described = fixture.call("DescribeKey", json!({"KeyId": key})).unwrap();
    assert_eq!(described["KeyMetadata"]["CurrentKeyMaterialId"], second);
    let listed = fixture.rotations(key, "ALL_KEY_MATERIAL");
    assert_eq!(
        listed,
        [
            json!({"KeyId": arn.as_str(), "KeyMaterialId": first, "KeyMaterialState": "NON_CURRENT"}),
            json!({
                "KeyId": arn.as_str(), "KeyMaterialId": second, "KeyMaterialState": "CURRENT",
                "RotationDate": listed[1]["RotationDate"], "RotationType": "ON_DEMAND",
            }),
        ]
    );
    assert_eq!(fixture.rotations(key, "ROTATIONS_ONLY"), listed[1..]);
    // Another process sees it at once.
    let other = fixture.reopen();
    let body = json!({"KeyId": key, "NumberOfBytes": 1}).to_string();
    let answer = other.call(region, "GenerateDataKey", body.as_bytes()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap()["KeyMaterialId"], second);
}

#[test]
fn a_schedule_is_told_as_it_was_set() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    let status = || fixture.call("GetKeyRotationStatus", json!({"KeyId": arn.as_str()})).unwrap();
    let off = json!({"KeyRotationEnabled": false, "KeyId": arn.as_str()});
    assert_eq!(status(), off);
    for (days, expected) in [(Value::Null, 365), (json!(90), 90), (json!(2560), 2560)] {
        fixture.call("EnableKeyRotation", json!({"KeyId": arn.key_id(), "RotationPeriodInDays": days})).unwrap();
        let on = status();
        assert_eq!((&on["KeyRotationEnabled"], &on["RotationPeriodInDays"]), (&json!(true), &json!(expected)));
        let made = fixture.call("DescribeKey", json!({"KeyId": arn.as_str()})).unwrap();
        let made = made["KeyMetadata"]["CreationDate"].as_f64().unwrap();
        let wait = on["NextRotationDate"].as_f64().unwrap() - made - f64::from(expected) * DAY;
        assert!((0.0..DAY).contains(&wait), "{wait}");
    }
    fixture.call("DisableKeyRotation", json!({"KeyId": arn.key_id()})).unwrap();
    assert_eq!(status(), off);
}

#[test]
fn a_due_rotation_happens_before_the_key_encrypts_again() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    let key = arn.as_str();
    fixture.call("EnableKeyRotation", json!({"KeyId": key, "RotationPeriodInDays": 100})).unwrap();
    let old = fixture.call("Encrypt", json!({"KeyId": key, "Plaintext": "b2xk"})).unwrap();
    let first = fixture.material(key);
    fixture.let_rotations_be_due();
    let second = fixture.material(key);
    assert_ne!(first, second);
    assert_eq!(fixture.material(key), second);
    let rotations = fixture.rotations(key, "ROTATIONS_ONLY");
    assert_eq!((rotations.len(), &rotations[0]["RotationType"]), (1, &json!("AUTOMATIC")));
    let status = fixture.call("GetKeyRotationStatus", json!({"KeyId": key})).unwrap();
    let wait = status["NextRotationDate"].as_f64().unwrap() - rotations[0]["RotationDate"].as_f64().unwrap();
    assert!((wait - 100.0 * DAY).abs() < 60.0, "{wait}");
    assert_eq!(fixture.call("Decrypt", json!({"CiphertextBlob": old["CiphertextBlob"]})).unwrap()["Plaintext"], "b2xk");
    // Whoever only asks sees what the next request will find.
    fixture.let_rotations_be_due();
    let described = fixture.call("DescribeKey", json!({"KeyId": key})).unwrap();
    let third = &described["KeyMetadata"]["CurrentKeyMaterialId"];
    assert_ne!(*third, second);
    assert_eq!(fixture.material(key), *third);
}

#[test]
fn many_processes_rotate_a_due_key_once() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    fixture.call("EnableKeyRotation", json!({"KeyId": arn.as_str()})).unwrap();
    fixture.let_rotations_be_due();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let kms = fixture.reopen();
                let body = json!({"KeyId": arn.as_str(), "NumberOfBytes": 1}).to_string();
                kms.call(&fixture.region, "GenerateDataKey", body.as_bytes()).unwrap();
            });
        }
    });
    assert_eq!(fixture.rotations(arn.as_str(), "ROTATIONS_ONLY").len(), 1);
}

#[test]
fn a_key_that_is_not_enabled_waits_with_its_rotation() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    let key = arn.as_str();
    fixture.call("EnableKeyRotation", json!({"KeyId": key})).unwrap();
    fixture.call("DisableKey", json!({"KeyId": key})).unwrap();
    fixture.let_rotations_be_due();
    assert_eq!(fixture.call("GetKeyRotationStatus", json!({"KeyId": key})).unwrap()["KeyRotationEnabled"], true);
    assert_eq!(fixture.rotations(key, "ROTATIONS_ONLY").len(), 0);
    fixture.call("ScheduleKeyDeletion", json!({"KeyId": key})).unwrap();
    assert_eq!(fixture.call("GetKeyRotationStatus", json!({"KeyId": key})).unwrap()["KeyRotationEnabled"], false);
    fixture.call("CancelKeyDeletion", json!({"KeyId": key})).unwrap();
    fixture.call("EnableKey", json!({"KeyId": key})).unwrap();
    fixture.material(key);
    assert_eq!(fixture.rotations(key, "ROTATIONS_ONLY").len(), 1);
}

#[test]
fn a_key_rotates_25_times_on_demand_and_all_versions_open() {
    let fixture = Fixture::new();
    let arn = fixture.default_key();
    let key = arn.as_str();
    let mut blobs = Vec::new();
    for _ in 0..25 {
        let made = fixture.call("GenerateDataKey", json!({"KeyId": key, "NumberOfBytes": 16})).unwrap();
        blobs.push((made["CiphertextBlob"].clone(), made["Plaintext"].clone()));
        fixture.call("RotateKeyOnDemand", json!({"KeyId": key})).unwrap();
    }
    assert!(fixture.refused("RotateKeyOnDemand", json!({"KeyId": key})).starts_with("LimitExceededException: "));
    for (blob, plaintext) in blobs {
        assert_eq!(fixture.call("Decrypt", json!({"CiphertextBlob": blob})).unwrap()["Plaintext"], plaintext);
    }
    let mut marker = Value::Null;
    let mut seen = Vec::new();
    loop {
        let page = fixture.call("ListKeyRotations", json!({"KeyId": key, "Limit": 10, "Marker": marker})).unwrap();
        seen.extend(page["Rotations"].as_array().unwrap().iter().map(|entry| entry["KeyMaterialId"].clone()));
        if page["Truncated"] == false {
            assert_eq!(page.get("NextMarker"), None);
            break;
        }
        marker = page["NextMarker"].clone();
    }
    let all = fixture.rotations(key, "ROTATIONS_ONLY");
    assert_eq!(seen, all.iter().map(|entry| entry["KeyMaterialId"].clone()).collect::<Vec<_>>());
    assert_eq!(seen.len(), 25);
}

#[test]
fn who_is_in_haste_is_told_of_a_due_rotation_instead_of_making_it() {
    let fixture = Fixture::new();
    let arn = fixture.new_key();
    let key = arn.as_str();
    fixture.call("EnableKeyRotation", json!({"KeyId": key, "RotationPeriodInDays": 100})).unwrap();
    let first = fixture.material(key);
    let in_haste = |operation: &str, body: Value| {
        let answer = fixture.kms.call_in_haste(&fixture.region, operation, body.to_string().as_bytes());
        answer.map(|answer| serde_json::from_slice::<Value>(&answer.unwrap()).unwrap())
    };
    let data_key = json!({"KeyId": key, "NumberOfBytes": 1});
    assert_eq!(in_haste("GenerateDataKey", data_key.clone()).unwrap()["KeyMaterialId"], first);
    let sealed = fixture.call("Encrypt", json!({"KeyId": key, "Plaintext": "b2xk"})).unwrap();
    fixture.let_rotations_be_due();
    assert_eq!(in_haste("GenerateDataKey", data_key.clone()), None);
    assert_eq!(in_haste("DescribeKey", json!({"KeyId": key})), None);
    let database = Connection::open(fixture.directory.join("kms.db")).unwrap();
    let made: i64 = database.query_row("SELECT count(*) FROM rotations", [], |row| row.get(0)).unwrap();
    assert_eq!(made, 0);
    // Decrypting needs no new material.
    let opened = in_haste("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]})).unwrap();
    assert_eq!((&opened["Plaintext"], &opened["KeyMaterialId"]), (&json!("b2xk"), &first));
    let second = fixture.material(key);
    assert_ne!(first, second);
    assert_eq!(in_haste("GenerateDataKey", data_key).unwrap()["KeyMaterialId"], second);
    let refused = fixture.kms.call_in_haste(&fixture.region, "DescribeKey", br#"{"KeyId":"alias/nobody"}"#);
    assert!(refused.unwrap().unwrap_err().to_string().starts_with("NotFoundException"));
}

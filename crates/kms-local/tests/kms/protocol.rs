//! The JSON protocol: bodies in and out, and what is refused before an operation sees it.

use serde_json::{Value, json};
use waxseal_key_service::ErrorCode;

use crate::support::Fixture;

#[test]
fn a_data_key_comes_and_goes_in_the_words_of_the_protocol() {
    let fixture = Fixture::new();
    let context = json!({"a": "1", "b": ""});
    let request = json!({"KeyId": "alias/default", "KeySpec": "AES_256", "EncryptionContext": context});
    let made = fixture.call("GenerateDataKey", request).unwrap();
    assert_eq!(made["KeyId"], fixture.default_key().as_str());
    assert_eq!(made["Plaintext"].as_str().unwrap().len(), 44);
    let blob = &made["CiphertextBlob"];
    let opened = fixture.call("Decrypt", json!({"CiphertextBlob": blob, "EncryptionContext": context})).unwrap();
    assert_eq!(
        opened,
        json!({
            "KeyId": made["KeyId"], "Plaintext": made["Plaintext"], "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "KeyMaterialId": made["KeyMaterialId"],
        })
    );
    assert_eq!(fixture.refused("Decrypt", json!({"CiphertextBlob": blob})), "InvalidCiphertextException");
}

#[test]
fn key_metadata_is_exactly_that_of_aws() {
    let fixture = Fixture::new();
    let made = &fixture.call("CreateKey", json!({"Description": "ü \"x\""})).unwrap()["KeyMetadata"];
    let id = made["KeyId"].as_str().unwrap();
    assert!(made["CreationDate"].as_f64().unwrap() > 1.7e9);
    assert_eq!(
        *made,
        json!({
            "AWSAccountId": "000000000000", "KeyId": id, "Arn": format!("arn:aws:kms:us-east-1:000000000000:key/{id}"),
            "CreationDate": made["CreationDate"], "Enabled": true, "Description": "ü \"x\"",
            "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeySpec": "SYMMETRIC_DEFAULT",
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "MultiRegion": false,
            "CurrentKeyMaterialId": made["CurrentKeyMaterialId"],
        })
    );
    assert_eq!(fixture.call("DescribeKey", json!({"KeyId": id})).unwrap()["KeyMetadata"], *made);
    let scheduled = fixture.call("ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).unwrap();
    let described = &fixture.call("DescribeKey", json!({"KeyId": id})).unwrap()["KeyMetadata"];
    assert_eq!((&described["KeyState"], &described["Enabled"]), (&json!("PendingDeletion"), &json!(false)));
    assert_eq!(described["DeletionDate"], scheduled["DeletionDate"]);
}

#[test]
fn an_operation_without_output_answers_nothing() {
    let fixture = Fixture::new();
    assert_eq!(fixture.call("DisableKey", json!({"KeyId": fixture.default_key().key_id()})).unwrap(), Value::Null);
}

#[test]
fn names_are_known_before_bodies_are_read_and_bodies_before_constraints() {
    let fixture = Fixture::new();
    let call = |operation: &str, body: &str| fixture.kms.call(&fixture.region, operation, body.as_bytes()).unwrap_err();
    for name in ["Nothing", "", "generateDataKey", "TrentService.Encrypt"] {
        let refused = call(name, "no JSON");
        assert_eq!((refused.code(), refused.message()), (ErrorCode::UnknownOperation, None), "{name}");
    }
    for body in
        ["no JSON", "[]", "1", "\"x\"", "{} {}", "{\"KeyId\":", "{\"KeyId\":1}", "{\"KeyId\":{}}", "{\"KeyId\":[]}"]
    {
        assert_eq!(call("Sign", body).code(), ErrorCode::Serialization, "{body}");
    }
    for body in [
        "{\"KeySpec\":1}",
        "{\"NumberOfBytes\":\"1\"}",
        "{\"NumberOfBytes\":1.5}",
        "{\"NumberOfBytes\":4294967297}",
        "{\"DryRun\":\"true\"}",
        "{\"EncryptionContext\":[]}",
        "{\"EncryptionContext\":{\"a\":1}}",
        "{\"GrantTokens\":\"x\"}",
        "{\"GrantTokens\":[1]}",
    ] {
        assert_eq!(call("GenerateDataKey", body).code(), ErrorCode::Serialization, "{body}");
    }
    for text in ["x", "eA", "eA==x", "e A=", "eB==", "====", "ü"] {
        let refused = call("Encrypt", &json!({"KeyId": "x", "Plaintext": text}).to_string());
        assert_eq!(refused.code(), ErrorCode::Serialization, "{text}");
    }
    let both = "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; \
                Value at 'plaintext' failed to satisfy constraint: Member must not be null";
    for body in ["", "{}", "{\"KeyId\":null}", "{\"keyId\":\"x\"}"] {
        assert_eq!(call("Encrypt", body).message(), Some(both), "{body}");
    }
}

#[test]
fn of_two_members_of_one_name_the_last_counts_and_unknown_ones_are_passed_over() {
    let fixture = Fixture::new();
    let body = r#"{"KeyId":"x","KeyId":"alias/default","Unknown":{"a":[1]},"KeySpec":"AES_128",
                  "EncryptionContext":{"a":"1","a":"2"}}"#;
    let answer = fixture.kms.call(&fixture.region, "GenerateDataKey", body.as_bytes()).unwrap();
    let made: Value = serde_json::from_slice(&answer).unwrap();
    let body = json!({"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": {"a": "2"}});
    assert_eq!(fixture.call("Decrypt", body).unwrap()["Plaintext"], made["Plaintext"]);
}

#[test]
fn operations_of_aws_that_are_not_here_say_so() {
    let fixture = Fixture::new();
    let body = json!({"KeyId": "alias/default", "Message": "eA==", "SigningAlgorithm": "ECDSA_SHA_256"});
    assert_eq!(
        fixture.refused("Sign", body),
        "UnsupportedOperationException: Sign is not supported by the embedded key service."
    );
}

#[test]
fn what_asks_for_attestation_or_brings_a_grant_token_is_refused() {
    let fixture = Fixture::new();
    let with = |name: &str, value: Value| {
        let mut body = json!({"KeyId": "alias/default", "NumberOfBytes": 32});
        body[name] = value;
        fixture.call("GenerateDataKey", body)
    };
    assert_eq!(with("Recipient", json!({})).unwrap_err().code(), ErrorCode::UnsupportedOperation);
    assert_eq!(with("GrantTokens", json!(["x"])).unwrap_err().code(), ErrorCode::InvalidGrantToken);
    assert!(with("Recipient", Value::Null).is_ok() && with("GrantTokens", json!([])).is_ok());
    assert_eq!(
        with("GrantTokens", json!(["x", ""])).unwrap_err().message().unwrap(),
        "1 validation error detected: Value '[x, ]' at 'grantTokens' failed to satisfy constraint: Member must satisfy \
         constraint: [Member must have length less than or equal to 8192, Member must have length greater than or equal \
         to 1, Member must not be null]"
    );
}

#[test]
fn a_dry_run_is_refused_last() {
    let fixture = Fixture::new();
    let dry = |operation: &str, mut body: Value| {
        body["DryRun"] = json!(true);
        fixture.refused(operation, body)
    };
    let would = "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";
    assert_eq!(dry("GenerateDataKey", json!({"KeyId": "alias/default", "NumberOfBytes": 1})), would);
    assert_eq!(dry("Encrypt", json!({"KeyId": "alias/default", "Plaintext": "eA=="})), would);
    assert_eq!(dry("Decrypt", json!({"CiphertextBlob": "eA=="})), "InvalidCiphertextException");
    fixture.disable(&fixture.default_key());
    assert!(dry("Encrypt", json!({"KeyId": "alias/default", "Plaintext": "eA=="})).starts_with("DisabledException"));
}

#[test]
fn a_request_of_many_wrong_structures_gets_no_endless_answer() {
    let fixture = Fixture::new();
    let tags: Vec<Value> = (0..20_000).map(|_| json!({})).collect();
    let refused = fixture.refused("CreateKey", json!({ "Tags": tags }));
    assert!(refused.starts_with("ValidationException: 100 validation errors detected: "), "{}", &refused[..200]);
    assert!(refused.contains("'tags.50.member.tagValue'") && refused.len() < 20_000, "{}", refused.len());
}

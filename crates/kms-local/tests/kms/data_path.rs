//! The data path through the protocol: re-encryption, random bytes, algorithms and dry runs.

use serde_json::{Value, json};

use crate::support::{Fixture, base64};

#[test]
fn a_ciphertext_moves_to_another_key_and_context_without_showing_itself() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.default_key(), fixture.new_key());
    let (old, new) = (json!({"a": "1"}), json!({"b": "2"}));
    let request = json!({"KeyId": one.as_str(), "Plaintext": "c2VjcmV0", "EncryptionContext": old});
    let blob = fixture.call("Encrypt", request).unwrap()["CiphertextBlob"].clone();
    let moved = fixture
        .call(
            "ReEncrypt",
            json!({
                "CiphertextBlob": blob, "SourceEncryptionContext": old, "SourceKeyId": "alias/default",
                "DestinationKeyId": other.key_id(), "DestinationEncryptionContext": new,
            }),
        )
        .unwrap();
    let names: Vec<&String> = moved.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "CiphertextBlob",
            "DestinationEncryptionAlgorithm",
            "DestinationKeyMaterialId",
            "KeyId",
            "SourceEncryptionAlgorithm",
            "SourceKeyId",
            "SourceKeyMaterialId",
        ]
    );
    assert_eq!((&moved["SourceKeyId"], &moved["KeyId"]), (&json!(one.as_str()), &json!(other.as_str())));
    let open = |context: &Value| {
        fixture.call("Decrypt", json!({"CiphertextBlob": moved["CiphertextBlob"], "EncryptionContext": context}))
    };
    let opened = open(&new).unwrap();
    assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&json!("c2VjcmV0"), &json!(other.as_str())));
    assert_eq!(opened["KeyMaterialId"], moved["DestinationKeyMaterialId"]);
    assert_eq!(open(&old).unwrap_err().to_string(), "InvalidCiphertextException");
}

#[test]
fn re_encryption_refuses_what_decryption_and_encryption_refuse() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.default_key(), fixture.new_key());
    let blob = fixture.call("Encrypt", json!({"KeyId": one.as_str(), "Plaintext": "eA=="})).unwrap();
    let refused = |change: Value| {
        let mut request = json!({"CiphertextBlob": blob["CiphertextBlob"], "DestinationKeyId": other.as_str()});
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        fixture.refused("ReEncrypt", request)
    };
    assert!(refused(json!({"SourceKeyId": other.as_str()})).starts_with("IncorrectKeyException: The key ID"));
    assert_eq!(refused(json!({"SourceEncryptionContext": {"a": "1"}})), "InvalidCiphertextException");
    assert_eq!(refused(json!({"CiphertextBlob": "AAAA"})), "InvalidCiphertextException");
    assert!(
        refused(json!({"CiphertextBlob": null}))
            .ends_with("at 'ciphertextBlob' failed to satisfy constraint: Member must not be null")
    );
    assert!(refused(json!({"DestinationKeyId": "alias/x"})).starts_with("NotFoundException: Alias"));
    assert!(refused(json!({"DryRun": true})).starts_with("DryRunOperationException"));
    assert!(refused(json!({"SourceEncryptionAlgorithm": "SM2PKE"})).starts_with("InvalidKeyUsageException"));
    assert!(refused(json!({"DestinationEncryptionAlgorithm": "SM2PKE"})).starts_with("InvalidKeyUsageException"));
    fixture.disable(&other);
    // Whoever may not encrypt is told so, whatever the ciphertext.
    assert!(refused(json!({"SourceEncryptionContext": {"a": "1"}})).starts_with("DisabledException"));
}

#[test]
fn random_bytes_are_of_the_length_asked_for_and_never_the_same() {
    let fixture = Fixture::new();
    for number in [1, 32, 1024] {
        let make = || base64(&fixture.call("GenerateRandom", json!({"NumberOfBytes": number})).unwrap()["Plaintext"]);
        let (one, other) = (make(), make());
        assert_eq!(one.len(), number);
        assert!(number == 1 || one != other);
    }
    assert_eq!(fixture.refused("GenerateRandom", json!({})), "ValidationException: NumberOfBytes is required.");
    let elsewhere = json!({"NumberOfBytes": 1, "CustomKeyStoreId": "x"});
    assert!(fixture.refused("GenerateRandom", elsewhere).starts_with("UnsupportedOperationException"));
}

#[test]
fn a_data_key_has_one_length() {
    let fixture = Fixture::new();
    for operation in ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        for request in [json!({}), json!({"NumberOfBytes": 32, "KeySpec": "AES_256"})] {
            let mut request = request;
            request["KeyId"] = json!("alias/absent");
            assert_eq!(
                fixture.refused(operation, request),
                "ValidationException: Please specify either number of bytes or key spec."
            );
        }
    }
}

#[test]
fn an_algorithm_has_to_be_one_of_the_key() {
    let fixture = Fixture::new();
    let encrypt = |algorithm: &str| {
        let request = json!({"KeyId": "alias/default", "Plaintext": "eA==", "EncryptionAlgorithm": algorithm});
        fixture.call("Encrypt", request)
    };
    assert_eq!(encrypt("SYMMETRIC_DEFAULT").unwrap()["EncryptionAlgorithm"], "SYMMETRIC_DEFAULT");
    let refused = |algorithm: &str| {
        format!("InvalidKeyUsageException: Algorithm {algorithm} is incompatible with key spec SYMMETRIC_DEFAULT.")
    };
    assert_eq!(encrypt("RSAES_OAEP_SHA_256").unwrap_err().to_string(), refused("RSAES_OAEP_SHA_256"));
    let request = json!({"CiphertextBlob": "eA==", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"});
    assert_eq!(fixture.refused("Decrypt", request), refused("RSAES_OAEP_SHA_1"));
}

#[test]
fn a_dry_run_may_leave_the_ciphertext_out() {
    let fixture = Fixture::new();
    let run = |request: Value| fixture.refused("Decrypt", request);
    let modifiers = ["IGNORE_CIPHERTEXT"];
    let would = "DryRunOperationException: The request would have succeeded, but the DryRun option is set.";
    assert_eq!(run(json!({"DryRun": true, "DryRunModifiers": modifiers, "KeyId": "alias/default"})), would);
    let null = "failed to satisfy constraint: Member must not be null";
    assert!(run(json!({"DryRun": true, "DryRunModifiers": modifiers})).ends_with(&format!("'keyId' {null}")));
    assert!(run(json!({"DryRunModifiers": modifiers, "KeyId": "x"})).starts_with("NotFoundException: Invalid keyId"));
    let asked = json!({"DryRunModifiers": modifiers, "KeyId": "alias/default"});
    assert!(run(asked).ends_with(&format!("'ciphertextBlob' {null}")));
    let both = json!({
        "DryRun": true, "DryRunModifiers": modifiers, "SourceKeyId": "alias/default", "DestinationKeyId": "alias/default",
    });
    assert_eq!(fixture.refused("ReEncrypt", both), would);
    fixture.disable(&fixture.default_key());
    let disabled = json!({"DryRun": true, "DryRunModifiers": modifiers, "KeyId": "alias/default"});
    assert!(run(disabled).starts_with("DisabledException"));
}

#[test]
fn an_encryption_context_has_no_pair_without_a_name() {
    let fixture = Fixture::new();
    let request = json!({"KeyId": "alias/default", "NumberOfBytes": 1, "EncryptionContext": {"": "x"}});
    assert_eq!(
        fixture.refused("GenerateDataKey", request),
        "ValidationException: 1 validation error detected: Value at 'encryptionContext' failed to satisfy constraint: Map \
         keys must satisfy constraint: [Member must have length greater than or equal to 1]"
    );
    let request = json!({"KeyId": "alias/default", "NumberOfBytes": 1, "EncryptionContext": {"a": null}});
    assert_eq!(
        fixture.refused("GenerateDataKey", request),
        "ValidationException: 1 validation error detected: Value '{a=null}' at 'encryptionContext' failed to satisfy \
         constraint: Map value must satisfy constraint: [Member must not be null]"
    );
}

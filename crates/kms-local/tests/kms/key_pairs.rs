//! Asymmetric keys and data key pairs.

use p256::pkcs8::{DecodePrivateKey, DecodePublicKey};
use serde_json::{Value, json};

use crate::support::{Fixture, base64};

const DATA_KEY_OPERATIONS: [(&str, &str); 6] = [
    ("GenerateDataKey", r#"{"NumberOfBytes":32}"#),
    ("GenerateDataKeyWithoutPlaintext", r#"{"KeySpec":"AES_256"}"#),
    ("GenerateDataKeyPair", r#"{"KeyPairSpec":"ECC_NIST_P256"}"#),
    ("GenerateDataKeyPairWithoutPlaintext", r#"{"KeyPairSpec":"ECC_NIST_P256"}"#),
    ("Encrypt", r#"{"Plaintext":"eA=="}"#),
    ("Decrypt", r#"{"DryRun":true,"DryRunModifiers":["IGNORE_CIPHERTEXT"]}"#),
];

impl Fixture {
    fn new_pair(&self, spec: &str, usage: &str) -> Value {
        self.call("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage})).unwrap()["KeyMetadata"].clone()
    }
}

#[test]
fn a_data_key_pair_is_one_and_its_private_key_comes_back_from_decrypt() {
    let fixture = Fixture::new();
    let context = json!({"a": "1"});
    for spec in ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"] {
        let request = json!({"KeyId": "alias/default", "KeyPairSpec": spec, "EncryptionContext": context});
        let made = fixture.call("GenerateDataKeyPair", request.clone()).unwrap();
        assert_eq!((&made["KeyId"], &made["KeyPairSpec"]), (&json!(fixture.default_key().as_str()), &json!(spec)));
        let blob = &made["PrivateKeyCiphertextBlob"];
        let opened = fixture.call("Decrypt", json!({"CiphertextBlob": blob, "EncryptionContext": context})).unwrap();
        assert_eq!(opened["Plaintext"], made["PrivateKeyPlaintext"]);
        assert_eq!(opened["KeyMaterialId"], made["KeyMaterialId"]);
        let without = fixture.call("GenerateDataKeyPairWithoutPlaintext", request).unwrap();
        assert!(without.get("PrivateKeyPlaintext").is_none());
        assert_ne!(without["PublicKey"], made["PublicKey"]);
        if spec == "ECC_NIST_P256" {
            let secret = p256::SecretKey::from_pkcs8_der(&base64(&opened["Plaintext"])).unwrap();
            let public = p256::PublicKey::from_public_key_der(&base64(&made["PublicKey"])).unwrap();
            assert_eq!(secret.public_key(), public);
        }
    }
    for spec in ["SM2", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"] {
        let refused = fixture.refused("GenerateDataKeyPair", json!({"KeyId": "alias/default", "KeyPairSpec": spec}));
        assert!(refused.starts_with("UnsupportedOperationException: KeyPairSpec"), "{refused}");
    }
}

#[test]
fn an_rsa_key_is_described_gives_its_public_key_and_is_refused_for_data() {
    let fixture = Fixture::new();
    let metadata = fixture.new_pair("RSA_2048", "ENCRYPT_DECRYPT");
    let arn = metadata["Arn"].as_str().unwrap();
    assert_eq!(metadata["EncryptionAlgorithms"], json!(["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]));
    assert_eq!((&metadata["KeySpec"], metadata.get("CurrentKeyMaterialId")), (&json!("RSA_2048"), None));
    let public = fixture.call("GetPublicKey", json!({"KeyId": arn})).unwrap();
    assert_eq!(
        public,
        json!({
            "KeyId": arn, "PublicKey": public["PublicKey"], "CustomerMasterKeySpec": "RSA_2048", "KeySpec": "RSA_2048",
            "KeyUsage": "ENCRYPT_DECRYPT", "EncryptionAlgorithms": ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"],
        })
    );
    // The DER of a public key of 2048 bits.
    assert_eq!(base64(&public["PublicKey"]).len(), 294);
    for (operation, request) in DATA_KEY_OPERATIONS {
        let mut request: Value = serde_json::from_str(request).unwrap();
        request["KeyId"] = json!(arn);
        assert_eq!(
            fixture.refused(operation, request),
            format!("InvalidKeyUsageException: {arn} key spec is RSA_2048 which is not valid for {operation}.")
        );
    }
    // The public key is authentic or not given out at all, after a restart too.
    let again = fixture.reopen();
    let body = json!({"KeyId": arn}).to_string();
    let answer: Value =
        serde_json::from_slice(&again.call(&fixture.region, "GetPublicKey", body.as_bytes()).unwrap()).unwrap();
    assert_eq!(answer, public);
    let database = rusqlite::Connection::open(fixture.directory.join("kms.db")).unwrap();
    for change in ["UPDATE keys SET key_spec = 'RSA_3072'", "UPDATE key_materials SET wrapped = zeroblob(100)"] {
        let change = format!("{change} WHERE key_id = '{}'", metadata["KeyId"].as_str().unwrap());
        database.execute(&change, []).unwrap();
        assert!(fixture.refused("GetPublicKey", json!({"KeyId": arn})).starts_with("KMSInternalException"), "{change}");
    }
}

#[test]
fn keys_on_curves_are_for_signing_or_agreement_and_are_refused_for_data() {
    let fixture = Fixture::new();
    for (spec, usage, member, algorithms) in [
        ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", json!(["ECDSA_SHA_256"])),
        ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", json!(["ECDSA_SHA_384"])),
        ("ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", json!(["ECDSA_SHA_512"])),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", json!(["ECDSA_SHA_256"])),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms", json!(["ED25519_SHA_512", "ED25519_PH_SHA_512"])),
        ("ECC_NIST_P521", "KEY_AGREEMENT", "KeyAgreementAlgorithms", json!(["ECDH"])),
    ] {
        let metadata = fixture.new_pair(spec, usage);
        let arn = &metadata["Arn"];
        assert_eq!(metadata[member], algorithms, "{spec}");
        assert_eq!(fixture.call("GetPublicKey", json!({"KeyId": arn})).unwrap()[member], algorithms, "{spec}");
        for (operation, request) in DATA_KEY_OPERATIONS {
            let mut request: Value = serde_json::from_str(request).unwrap();
            request["KeyId"] = arn.clone();
            let arn = arn.as_str().unwrap();
            assert_eq!(
                fixture.refused(operation, request),
                format!("InvalidKeyUsageException: {arn} key usage is {usage} which is not valid for {operation}.")
            );
        }
        for operation in ["EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus", "RotateKeyOnDemand"] {
            let refused = fixture.refused(operation, json!({"KeyId": arn}));
            assert!(refused.starts_with("UnsupportedOperationException"), "{refused}");
        }
    }
    let refused = fixture.refused("GetPublicKey", json!({"KeyId": "alias/default"}));
    assert!(refused.starts_with("UnsupportedOperationException"), "{refused}");
}

#[test]
fn usage_comes_before_state() {
    let fixture = Fixture::new();
    let arn = fixture.new_pair("ECC_NIST_P256", "SIGN_VERIFY")["Arn"].clone();
    fixture.call("DisableKey", json!({"KeyId": arn})).unwrap();
    let refused = fixture.refused("GenerateDataKey", json!({"KeyId": arn, "NumberOfBytes": 1}));
    assert!(refused.starts_with("InvalidKeyUsageException"), "{refused}");
}

#[test]
fn keys_of_no_kind_that_is_here_are_refused() {
    let fixture = Fixture::new();
    for (request, text) in [
        (
            json!({"KeySpec": "RSA_2048"}),
            "ValidationException: You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        ),
        (
            json!({"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"}),
            "ValidationException: KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048",
        ),
        (
            json!({"KeyUsage": "SIGN_VERIFY"}),
            "ValidationException: KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT",
        ),
        (
            json!({"CustomerMasterKeySpec": "ECC_SECG_P256K1", "KeyUsage": "GENERATE_VERIFY_MAC"}),
            "ValidationException: KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec ECC_SECG_P256K1",
        ),
        (
            json!({"KeySpec": "RSA_2048", "CustomerMasterKeySpec": "RSA_2048"}),
            "ValidationException: You cannot specify KeySpec and CustomerMasterKeySpec in the same request. \
             CustomerMasterKeySpec is deprecated.",
        ),
        (
            json!({"KeySpec": "HMAC_256"}),
            "UnsupportedOperationException: KeySpec HMAC_256 is not supported by the embedded key service.",
        ),
        (
            json!({"Origin": "EXTERNAL"}),
            "UnsupportedOperationException: Origin EXTERNAL is not supported by the embedded key service.",
        ),
        (
            json!({"MultiRegion": true}),
            "UnsupportedOperationException: MultiRegion is not supported by the embedded key service.",
        ),
        (
            json!({"XksKeyId": "x"}),
            "UnsupportedOperationException: XksKeyId is not supported by the embedded key service.",
        ),
        (
            json!({"CustomKeyStoreId": "x"}),
            "UnsupportedOperationException: CustomKeyStoreId is not supported by the embedded key service.",
        ),
    ] {
        assert_eq!(fixture.refused("CreateKey", request), text);
    }
    let made = json!({"Origin": "AWS_KMS", "MultiRegion": false, "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"});
    assert_eq!(fixture.call("CreateKey", made).unwrap()["KeyMetadata"]["KeySpec"], "SYMMETRIC_DEFAULT");
}

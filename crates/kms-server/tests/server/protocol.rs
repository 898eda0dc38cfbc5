//! What is answered, with which status, headers and body.

use std::time::{Duration, SystemTime};

use crate::support::{Store, sign_request};

/// The request with one piece of it replaced.
fn changed(request: &[u8], find: &str, replace: &str) -> Vec<u8> {
    let text = String::from_utf8(request.to_vec()).unwrap();
    assert!(text.contains(find), "{text}");
    text.replacen(find, replace, 1).into_bytes()
}

#[test]
fn a_signed_call_is_carried_out_in_the_region_of_its_scope() {
    let store = Store::new();
    let served = store.served();
    let created = served.ask(&store.signed("CreateKey", r#"{"Description":"d"}"#));
    let arn = created.succeeds()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    assert!(arn.starts_with("arn:aws:kms:us-east-1:000000000000:key/"));
    assert_eq!(created.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(created.header("cache-control"), Some("no-store"));
    assert_eq!(created.header("x-amzn-requestid").map(str::len), Some(36));
    let data_key = served.ask(&store.signed("GenerateDataKey", &format!(r#"{{"KeyId":"{arn}","KeySpec":"AES_256"}}"#)));
    assert_eq!(data_key.succeeds()["KeyId"], arn);
}

#[test]
fn an_operation_without_output_answers_with_an_empty_body() {
    let store = Store::new();
    let served = store.served();
    let created = served.ask(&store.signed("CreateKey", "{}")).succeeds();
    let key = created["KeyMetadata"]["KeyId"].as_str().unwrap();
    let disabled = served.ask(&store.signed("DisableKey", &format!(r#"{{"KeyId":"{key}"}}"#)));
    assert_eq!((disabled.status, disabled.body.len()), (200, 0));
    served
        .ask(&store.signed("GenerateDataKey", &format!(r#"{{"KeyId":"{key}","KeySpec":"AES_256"}}"#)))
        .fails_with(400, "DisabledException");
}

#[test]
fn requests_that_are_not_signed_as_they_have_to_be_are_refused_with_aws_s_errors() {
    let store = Store::new();
    let served = store.served();
    let good = store.signed("ListAliases", "{}");
    let unsigned = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}";
    served.ask(unsigned.as_bytes()).fails_with(400, "MissingAuthenticationTokenException");
    let presigned = unsigned.replace("POST /", "POST /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=ab");
    served.ask(presigned.as_bytes()).fails_with(400, "MissingAuthenticationTokenException");
    served.ask(&changed(&good, "Credential=WAXK", "Credential=AKIA")).fails_with(400, "UnrecognizedClientException");
    served.ask(&changed(&good, "Signature=", "Signature=0")).fails_with(400, "InvalidSignatureException");
    served.ask(&changed(&good, "ListAliases", "CreateKey")).fails_with(400, "InvalidSignatureException");
    served.ask(&changed(&good, "\r\n\r\n{}", "\r\n\r\n[]")).fails_with(400, "InvalidSignatureException");
    served.ask(&changed(&good, "SignedHeaders=", "Headers=")).fails_with(400, "IncompleteSignatureException");
    let old = SystemTime::now() - Duration::from_secs(330);
    let replayed = sign_request(&store.credential, "ListAliases", b"{}", old);
    let text = served.ask(&replayed).fails_with(400, "InvalidSignatureException");
    assert!(text["message"].as_str().unwrap().starts_with("Signature expired: "), "{text}");
}

#[test]
fn operations_that_aws_does_not_have_are_unknown_after_the_signature_only() {
    let store = Store::new();
    let served = store.served();
    served.ask(&store.signed("Explode", "{}")).fails_with(400, "UnknownOperationException");
    let other_service = changed(&store.signed("ListKeys", "{}"), "TrentService.", "OtherService.");
    served.ask(&other_service).fails_with(400, "InvalidSignatureException");
    // What is no JSON is refused by the operation, and so after its name.
    served.ask(&store.signed("Explode", "{")).fails_with(400, "UnknownOperationException");
    served.ask(&store.signed("DescribeKey", "{")).fails_with(400, "SerializationException");
    let other_protocol = changed(&store.signed("DescribeKey", "{}"), "application/x-amz-json-1.1", "text/html");
    served.ask(&other_protocol).fails_with(400, "InvalidSignatureException");
}

#[test]
fn other_paths_and_methods_are_not_there() {
    let store = Store::new();
    let served = store.served();
    for line in
        ["GET /", "PUT /", "DELETE /metrics", "POST /healthz", "GET /x", "POST //", "OPTIONS *", "GET http://a/b"]
    {
        let answer = served.ask(format!("{line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").as_bytes());
        answer.fails_with(404, "UnknownOperationException");
        assert!(answer.header("x-amzn-requestid").is_some(), "{line}");
    }
}

#[test]
fn health_and_metrics_need_no_signature() {
    let store = Store::new();
    let served = store.served();
    served.ask(&store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#)).succeeds();
    let page = |path: &str| {
        let answer = served.ask(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap()
    };
    assert_eq!(page("/healthz"), "ok\n");
    let counted = "waxseal_kms_requests_total{operation=\"DescribeKey\",error=\"none\"} 1";
    assert!(page("/metrics").lines().any(|line| line == counted));
}

#[test]
fn one_connection_takes_many_requests() {
    let store = Store::new();
    let served = store.served();
    let mut connection = served.connect();
    let request = store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#);
    let mut ids = std::collections::HashSet::new();
    for _ in 0..50 {
        connection.send(&request);
        let answer = connection.answer();
        answer.succeeds();
        ids.insert(answer.header("x-amzn-requestid").unwrap().to_owned());
    }
    assert_eq!(ids.len(), 50);
}

#[test]
fn the_log_says_who_asked_for_what_and_nothing_secret() {
    let store = Store::new();
    let served = store.served();
    let body = r#"{"KeyId":"alias/default","Plaintext":"c2VjcmV0IHRleHQ=","EncryptionContext":{"a":"secret context"}}"#;
    let answer = served.ask(&store.signed("Encrypt", body));
    let logged = served.log.requests.lock().unwrap().join("\n");
    for expected in ["Encrypt", "tester", "us-east-1", "127.0.0.1:", answer.header("x-amzn-requestid").unwrap()] {
        assert!(logged.contains(expected), "{expected}: {logged}");
    }
    for secret in ["c2VjcmV0", "secret", store.credential.expose_secret(), "CiphertextBlob"] {
        assert!(!logged.contains(secret), "{secret}: {logged}");
    }
}

#[test]
fn a_deleted_credential_is_refused_from_the_next_request_on() {
    let store = Store::new();
    let served = store.served();
    let mut connection = served.connect();
    connection.send(&store.signed("ListAliases", "{}"));
    assert_ne!(connection.answer().json()["__type"], "UnrecognizedClientException");
    assert!(waxseal_kms_local::delete_credential(&store.directory(), store.credential.access_key_id()).unwrap());
    connection.send(&store.signed("ListAliases", "{}"));
    connection.answer().fails_with(400, "UnrecognizedClientException");
}

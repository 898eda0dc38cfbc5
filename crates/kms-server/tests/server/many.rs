//! Two servers on one store, and many clients.

use std::thread;

use waxseal_kms_server::{Config, Listen};

use crate::support::Store;

#[test]
fn what_one_server_changes_the_next_request_to_the_other_sees() {
    let store = Store::new();
    let (one, two) = (store.served(), store.served());
    let created = one.ask(&store.signed("CreateKey", "{}")).succeeds();
    let key = created["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let named = format!(r#"{{"KeyId":"{key}"}}"#);
    let data_key = format!(r#"{{"KeyId":"{key}","NumberOfBytes":32}}"#);
    for _ in 0..20 {
        two.ask(&store.signed("GenerateDataKey", &data_key)).succeeds();
        one.ask(&store.signed("DisableKey", &named)).succeeds();
        two.ask(&store.signed("GenerateDataKey", &data_key)).fails_with(400, "DisabledException");
        one.ask(&store.signed("EnableKey", &named)).succeeds();
    }
}

#[test]
fn keys_that_many_clients_make_at_two_servers_are_all_there() {
    let store = Store::new();
    let servers = [store.served(), store.served()];
    let made: Vec<String> = thread::scope(|scope| {
        let make = |client: usize| {
            let (server, store) = (&servers[client % 2], &store);
            scope.spawn(move || {
                let mut connection = server.connect();
                let mut made = Vec::new();
                for number in 0..10 {
                    connection.send(&store.signed("CreateKey", "{}"));
                    let key = connection.answer().succeeds()["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
                    let alias = format!(r#"{{"AliasName":"alias/{client}-{number}","TargetKeyId":"{key}"}}"#);
                    connection.send(&store.signed("CreateAlias", &alias));
                    connection.answer().succeeds();
                    made.push(key);
                }
                made
            })
        };
        let clients: Vec<_> = (0..6).map(make).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    for (index, key) in made.iter().enumerate() {
        let by_alias = format!(r#"{{"KeyId":"alias/{}-{}"}}"#, index / 10, index % 10);
        let answer = servers[(index / 10 + 1) % 2].ask(&store.signed("DescribeKey", &by_alias)).succeeds();
        assert_eq!(answer["KeyMetadata"]["KeyId"], key.as_str());
    }
}

#[test]
fn a_unix_socket_serves_the_same() {
    let store = Store::new();
    let path = store.scratch.path().join("kms.sock");
    let served = store.served_as(Config { listen: Listen::Unix(path.clone()), ..Config::default() });
    assert_eq!(served.endpoint, format!("unix:{}", path.display()));
    served.ask(&store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#)).succeeds();
}

#[test]
fn the_owner_of_a_unix_socket_need_not_sign_and_everybody_else_has_to() {
    let store = Store::new();
    let path = store.scratch.path().join("kms.sock");
    let at_socket = store.served_as(Config { listen: Listen::Unix(path), ..Config::default() });
    let body = r#"{"KeyId":"alias/default"}"#;
    let unsigned = |headers: &str| {
        let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.1\r\n";
        let target = "x-amz-target: TrentService.DescribeKey\r\ncontent-length: 25\r\n";
        format!("{head}{target}{headers}\r\n{body}").into_bytes()
    };
    let owner = unsigned("connection: x-waxseal-region\r\nx-waxseal-region: *\r\n");
    let found = at_socket.ask(&owner).succeeds();
    assert!(found["KeyMetadata"]["Arn"].as_str().unwrap().starts_with("arn:aws:kms:us-east-1:"));
    let elsewhere = unsigned("connection: x-waxseal-region\r\nx-waxseal-region: eu-west-1\r\n");
    at_socket.ask(&elsewhere).fails_with(400, "NotFoundException");
    let nowhere = unsigned("connection: x-waxseal-region\r\nx-waxseal-region: EU\r\n");
    at_socket.ask(&nowhere).fails_with(400, "ValidationException");
    // What came through a proxy has lost the mark of its connection.
    for handed_on in ["", "x-waxseal-region: *\r\n", "connection: close\r\nx-waxseal-region: *\r\n"] {
        at_socket.ask(&unsigned(handed_on)).fails_with(400, "MissingAuthenticationTokenException");
    }
    let signed_wrongly = unsigned("connection: x-waxseal-region\r\nx-waxseal-region: *\r\nauthorization: x\r\n");
    at_socket.ask(&signed_wrongly).fails_with(400, "IncompleteSignatureException");
    assert!(at_socket.log.requests.lock().unwrap()[0].contains("(owner)"));
    // An address belongs to whoever reaches it.
    store.served().ask(&owner).fails_with(400, "MissingAuthenticationTokenException");
}

#[test]
fn nobody_waits_for_a_call_that_waits_for_another_process() {
    let store = Store::new();
    let served = store.served();
    // Warm: keys and credentials are in memory. Then the store changes, so that all of it is read again.
    let data_key = r#"{"KeyId":"alias/default","NumberOfBytes":32}"#;
    served.ask(&store.signed("GenerateDataKey", data_key)).succeeds();
    served.ask(&store.signed("CreateKey", "{}")).succeeds();
    let database = rusqlite::Connection::open(store.directory().join("kms.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting: Vec<_> = (0..3).map(|_| served.connect()).collect();
    for connection in &mut waiting {
        connection.send(&store.signed("CreateKey", "{}"));
    }
    for _ in 0..50 {
        served.ask(&store.signed("GenerateDataKey", data_key)).succeeds();
        served.ask(&store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#)).succeeds();
        assert_eq!(served.ask(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").status, 200);
    }
    database.execute_batch("ROLLBACK").unwrap();
    // Had any of those waited, these would have given up.
    for connection in &mut waiting {
        connection.answer().succeeds();
    }
}

#[test]
fn nobody_waits_for_a_rotation_that_waits_for_another_process_but_who_uses_that_key() {
    let store = Store::new();
    let served = store.served();
    let created = served.ask(&store.signed("CreateKey", "{}")).succeeds();
    let key = created["KeyMetadata"]["KeyId"].as_str().unwrap();
    served.ask(&store.signed("EnableKeyRotation", &format!(r#"{{"KeyId":"{key}"}}"#))).succeeds();
    let of_key = store.signed("GenerateDataKey", &format!(r#"{{"KeyId":"{key}","NumberOfBytes":32}}"#));
    let before = served.ask(&of_key).succeeds()["KeyMaterialId"].clone();
    let database = rusqlite::Connection::open(store.directory().join("kms.db")).unwrap();
    assert_eq!(database.execute("UPDATE rotation_schedules SET next_at = 1", []).unwrap(), 1);
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    // More than the server has threads that read requests.
    let mut waiting: Vec<_> = (0..4).map(|_| served.connect()).collect();
    for connection in &mut waiting {
        connection.send(&of_key);
    }
    for _ in 0..50 {
        served.ask(&store.signed("GenerateDataKey", r#"{"KeyId":"alias/default","NumberOfBytes":32}"#)).succeeds();
        assert_eq!(served.ask(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").status, 200);
    }
    database.execute_batch("ROLLBACK").unwrap();
    // Had the rotation been given up, the old material would have answered.
    for connection in &mut waiting {
        assert_ne!(connection.answer().succeeds()["KeyMaterialId"], before);
    }
    let listed = served.ask(&store.signed("ListKeyRotations", &format!(r#"{{"KeyId":"{key}"}}"#))).succeeds();
    assert_eq!(listed["Rotations"].as_array().unwrap().len(), 1);
}

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
    let unsigned = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    served.ask(unsigned).fails_with(400, "MissingAuthenticationTokenException");
}

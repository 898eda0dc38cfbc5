//! The commands around a server: what they print, refuse and return.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::Value;

use super::support::{AccessKey, Served};
use crate::support::World;

#[test]
fn a_secret_access_key_is_printed_once_and_never_again() {
    let world = World::with_store();
    let made = world.run(["kms", "credentials", "create", "--name", "me"]).succeeds_silently();
    let made: Value = serde_json::from_str(made.text()).unwrap();
    let (id, secret) = (made["AccessKeyId"].as_str().unwrap(), made["SecretAccessKey"].as_str().unwrap());
    assert_eq!((id.len(), secret.len(), made["Version"].as_u64()), (20, 40, Some(1)));
    for arguments in [&["kms", "credentials", "list"][..], &["--json", "kms", "credentials", "list"]] {
        let listed = world.run(arguments).succeeds_silently();
        assert!(listed.text().contains(id) && !listed.text().contains(secret));
    }
    // However quiet it is to be: there is no other moment at which to have it.
    assert!(world.run(["-q", "kms", "credentials", "create", "--name", "you"]).succeeds().text().contains("Secret"));
    let json = world.run(["--json", "kms", "credentials", "create", "--name", "they"]).succeeds().json().remove(0);
    assert!(json["v"] == 1 && json["status"] == "ok" && json["SecretAccessKey"].is_string());
}

#[test]
fn credentials_that_cannot_be_made_or_deleted_say_why() {
    let world = World::with_store();
    let id = AccessKey::new(&world, "me").id;
    let create = |name: &str| world.run(["kms", "credentials", "create", "--name", name]);
    create("me").fails_with(4).says("there is a credential with the name me already").says("hint: ");
    create("a b").fails_with(2).says("is not a name of a credential");
    let delete = |id: &str| world.run(["kms", "credentials", "delete", id]);
    delete(&id).succeeds();
    delete(&id).fails_with(8).says("there is no access key").says("kms credentials list");
    world.run(["kms", "credentials", "list"]).succeeds().says("there are no access keys");
}

#[test]
fn a_server_ends_well_by_a_signal_and_gives_its_place_back() {
    let world = World::with_store();
    let key = AccessKey::new(&world, "me");
    for signal in [Signal::TERM, Signal::INT] {
        let served = Served::with(&world, key.clone(), &[]);
        let address = served.endpoint.strip_prefix("http://").unwrap().to_owned();
        served.end(signal);
        assert!(TcpListener::bind(&address).is_ok());
    }
    assert!(!std::fs::read_dir(world.home().join("kms")).unwrap().any(|entry| {
        let name = entry.unwrap().file_name();
        name.to_string_lossy().starts_with("control-")
    }));
}

#[test]
fn places_where_it_cannot_or_should_not_listen_are_refused() {
    let world = World::with_store();
    let serve = |options: &[&str]| world.run(["kms", "serve"].iter().chain(options));
    serve(&["--listen", "0.0.0.0:0"])
        .fails_with(2)
        .says("keys would cross the network in the clear")
        .says("--tls-cert");
    serve(&["--listen", "nonsense"]).fails_with(2).says("ADDRESS:PORT or unix:PATH");
    serve(&["--tls-cert", "x"]).fails_with(2).says("--tls-key");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    serve(&["--listen", &address]).fails_with(4).says("another program listens there");
    serve(&["--listen", "127.0.0.1:0", "--tls-cert", "no", "--tls-key", "no"]).fails_with(3).says("no: ");
    world.write("file", "precious");
    serve(&["--listen", "unix:file"]).fails_with(4).says("is no socket");
    assert_eq!(world.read("file"), b"precious");
}

#[test]
fn the_first_server_makes_the_store_and_says_so() {
    let world = World::new();
    let made = world.run(["kms", "credentials", "create", "--name", "me"]).succeeds();
    assert!(made.stderr.contains("made a key store in"), "{}", made.stderr);
    let served = Served::new(&world, "you");
    let mut stream = TcpStream::connect(served.endpoint.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

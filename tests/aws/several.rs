//! Files for several keys: each alone opens them, and what does not fit is refused before anything is written.

use std::fs;

use serde_json::json;

use super::moto::{moto, run};
use super::server::Server;
use crate::support::World;

#[test]
fn a_file_made_for_three_keys_opens_with_each_alone() {
    let Some(moto) = moto() else { return };
    let world = World::with_store();
    let (ireland, ohio) = (moto.key("eu-west-1"), moto.key("us-east-2"));
    world.write("f", "content");
    let made =
        run(&world, &moto.url(), &["encrypt", "--json", "-k", "alias/default", "-k", &ireland, "-k", &ohio, "f"]);
    let local = made.succeeds_silently().json()[0]["key_arns"].clone();
    assert_eq!(local.as_array().unwrap()[1..], [json!(ireland), json!(ohio)]);
    assert_eq!(run(&world, "http://127.0.0.1:9", &["cat", "f.wax"]).succeeds_silently().stdout, b"content");
    // Elsewhere there is no store, so only the named key can have opened it.
    let elsewhere = World::new();
    elsewhere.write("f.wax", world.read("f.wax"));
    for key in [&ireland, &ohio] {
        let read = run(&elsewhere, &moto.url(), &["decrypt", "--json", "-f", "-k", key, "f.wax"]).succeeds_silently();
        assert_eq!(read.json()[0]["key_arn"], json!(key));
        assert_eq!(elsewhere.read("f"), b"content");
    }
}

#[test]
fn a_key_that_is_refused_leaves_the_others_to_open_the_file() {
    let (server, other) = (Server::new(), Server::new());
    let world = World::with_store();
    world.write("f", "content");
    // Two keys of one service, of which the first is disabled later.
    let (first, second) = (server.key(), server.new_key());
    run(&world, &server.url(), &["encrypt", "-k", &first, "-k", &second, "f"]).succeeds_silently();
    server.call("DisableKey", &json!({ "KeyId": first.trim_start_matches("aws:") }));
    let read = run(&world, &server.url(), &["cat", "-v", "-k", &first, "-k", &second, "f.wax"]).succeeds();
    assert!(read.stderr.contains(&format!("key {}", second.trim_start_matches("aws:"))), "{read:?}");
    run(&world, &server.url(), &["cat", "-k", &first, "f.wax"]).fails_with(8).says("DisabledException");
    // A store that does not have its key says so, and the next key is tried.
    run(&world, &other.url(), &["cat", "-k", &first, "-k", &second, "f.wax"]).fails_with(8).says("NotFoundException");
}

#[test]
fn local_keys_are_tried_first_and_a_key_named_twice_counts_once() {
    let (server, world) = (Server::new(), World::with_store());
    world.write("f", "content");
    let key = server.key();
    let made = ["encrypt", "-k", &key, "-k", &key, "-k", "alias/default", "-k", "alias/default", "f"];
    run(&world, &server.url(), &made).succeeds_silently();
    assert_eq!(server.calls(), ["GenerateDataKey"]);
    assert_eq!(world.run(["inspect", "--keys", "f.wax"]).succeeds().text().lines().count(), 2);
    run(&world, &server.url(), &["cat", "-k", &key, "-k", "alias/default", "f.wax"]).succeeds_silently();
    assert!(server.calls().is_empty(), "the store's own key opened it");
}

#[test]
fn more_keys_than_the_header_holds_are_refused() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    world.write("f", "content");
    let keys: Vec<String> = (0..12).map(|_| moto.key("eu-west-1")).collect();
    let mut arguments = vec!["encrypt", "f"];
    for key in &keys {
        arguments.extend(["-k", key]);
    }
    run(&world, &moto.url(), &arguments).fails_with(2).says("12 encrypted data keys").says("hint: use fewer keys");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn the_configuration_adds_a_recovery_key_to_every_new_file() {
    let (server, world) = (Server::new(), World::with_store());
    fs::write(world.home().join("config.toml"), format!("always-keys = [{:?}]", server.key())).unwrap();
    world.write("f", "content");
    run(&world, &server.url(), &["encrypt", "f"]).succeeds_silently();
    assert_eq!(server.calls(), ["Encrypt"]);
    let keys = world.run(["inspect", "--keys", "f.wax"]).succeeds();
    assert!(keys.text().starts_with("local ") && keys.text().contains("\naws "), "{keys:?}");
    // It is named for writing only: nobody is asked to open with it until it is trusted or named.
    let elsewhere = World::new();
    elsewhere.write("f.wax", world.read("f.wax"));
    run(&elsewhere, &server.url(), &["cat", "f.wax"]).fails_with(8);
    assert_eq!(run(&elsewhere, &server.url(), &["cat", "-k", &server.key(), "f.wax"]).succeeds().stdout, b"content");
}

#[test]
fn a_file_of_another_store_says_which_key_of_aws_kms_would_open_it() {
    let (server, world) = (Server::new(), World::with_store());
    world.write("f", "content");
    let key = server.key();
    run(&world, &server.url(), &["encrypt", "-k", "alias/default", "-k", &key, "f"]).succeeds_silently();
    let elsewhere = World::with_store();
    elsewhere.write("f.wax", world.read("f.wax"));
    server.calls();
    let refused = run(&elsewhere, &server.url(), &["cat", "f.wax"]).fails_with(8);
    refused.says(&format!("hint: if you trust it, -k {key};"));
    assert!(server.calls().is_empty());
    assert_eq!(run(&elsewhere, &server.url(), &["cat", "-k", &key, "f.wax"]).succeeds_silently().stdout, b"content");
}

//! `waxseal doctor`: keys, permissions, the store and the backup.

use serde_json::{Value, json};

use super::moto::{moto, run};
use super::server::{Fault, Server};
use crate::support::{Run, World};

/// The findings about a subject.
fn findings(run: &Run, subject: &str) -> Vec<Value> {
    let report = run.json();
    let all = report[0]["findings"].as_array().unwrap();
    all.iter().filter(|finding| finding["subject"] == subject).cloned().collect()
}

#[test]
fn it_says_what_a_user_may_do_with_each_key() {
    let (server, world) = (Server::new(), World::with_store());
    let key = server.key();
    let run = run(&world, &server.url(), &["doctor", "--json", "-k", &key]);
    let keys = findings(&run, "key");
    assert_eq!(keys[0]["granted"], json!(["GenerateDataKey", "Encrypt", "Decrypt"]), "the store's: {run:?}");
    assert_eq!((&keys[1]["key"], &keys[1]["state"]), (&json!(key), &json!("good")));
    assert_eq!(keys[1]["granted"][0], "GenerateDataKey");
    assert_eq!(findings(&run, "backup")[0]["state"], "notice");
    assert_eq!(findings(&run, "key store")[0]["exists"], true);
}

#[test]
fn a_missing_permission_is_a_notice_and_a_key_that_does_not_answer_a_problem() {
    let (server, world) = (Server::new(), World::new());
    let key = server.key();
    let denied = Fault::Answer(400, r#"{"__type":"AccessDeniedException","message":"no"}"#);
    let granted = Fault::Answer(400, r#"{"__type":"DryRunOperationException","message":"would have"}"#);
    server.spoil(&[granted, granted, denied]);
    let writer = run(&world, &server.url(), &["doctor", "--json", "-k", &key]);
    let found = &findings(&writer, "key")[0];
    assert_eq!((&found["state"], &found["refused"]), (&json!("notice"), &json!(["Decrypt"])), "{writer:?}");
    assert!(found["hint"].as_str().unwrap().contains("kms:Decrypt"), "{found}");
    let disabled = Fault::Answer(400, r#"{"__type":"DisabledException","message":"it is disabled."}"#);
    server.always(Some(disabled));
    let run = run(&world, &server.url(), &["doctor", "-k", &key]).fails_with(1);
    assert!(run.text().contains("DisabledException") && run.text().contains("hint: 'aws kms enable-key"), "{run:?}");
}

#[test]
fn without_store_keys_and_configuration_it_says_so() {
    let world = World::new();
    let run = world.run(["doctor", "--json"]);
    assert_eq!(findings(&run, "key store")[0]["exists"], false);
    assert!(findings(&run, "key").is_empty());
    assert!(findings(&run, "configuration")[0]["file"].as_str().unwrap().ends_with("/home/config.toml"));
    assert!(!world.home().exists(), "nothing is made");
}

#[test]
fn a_service_without_dry_runs_is_judged_by_what_it_answers() {
    let Some(moto) = moto() else { return };
    let (world, key) = (World::new(), moto.key("eu-west-1"));
    let found = findings(&run(&world, &moto.url(), &["doctor", "--json", "-k", &key]), "key");
    assert_eq!(found[0]["granted"], json!(["GenerateDataKey", "Encrypt"]), "{found:?}");
}

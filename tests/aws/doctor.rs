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

#[test]
fn a_store_is_good_with_a_backup_and_says_what_seals_it() {
    let world = World::new();
    world.write("pw", "correct horse");
    world.run(["kms", "init", "--seal", "passphrase", "--passphrase-file", "pw"]).succeeds();
    let doctor = || world.run(["doctor", "--json", "--passphrase-file", "pw"]);
    let before = findings(&doctor(), "backup")[0].clone();
    assert_eq!(before["state"], "notice");
    assert!(before["hint"].as_str().unwrap().contains("waxseal kms backup FILE"), "{before}");
    world.run(["kms", "backup", "keys.backup", "--passphrase-file", "pw"]).succeeds();
    let run = doctor();
    assert_eq!(findings(&run, "backup")[0]["state"], "good");
    assert!(findings(&run, "key store")[0]["message"].as_str().unwrap().contains("sealed by a passphrase"));
    // Without the passphrase its keys are a problem, which says how to give it.
    let locked = world.run(["doctor", "--json"]).fails_with(1);
    let key = &findings(&locked, "key")[0];
    assert_eq!(key["state"], "problem");
    assert!(key["hint"].as_str().unwrap().contains("--passphrase-file"), "{key}");
    // A store that is damaged is one too.
    std::fs::write(world.home().join("kms/kms.db"), "no database").unwrap();
    assert_eq!(findings(&world.run(["doctor", "--json"]).fails_with(1), "key store")[0]["state"], "problem");
}

#[test]
fn memory_that_cannot_be_locked_is_a_notice() {
    let world = World::new();
    let state = |run: &Run| findings(run, "memory")[0]["state"].as_str().unwrap().to_owned();
    assert_eq!(state(&world.run(["doctor", "--json"])), "good");
    // Without the limit, and without the capability that goes over it.
    let plain = world.command(["doctor", "--json"]);
    let mut command = std::process::Command::new("prlimit");
    command.arg("--memlock=0:0");
    if rustix::process::geteuid().is_root() {
        command.args(["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]);
    }
    command.arg(plain.get_program()).args(plain.get_args()).env("WAXSEAL_HOME", world.home());
    let run = Run::from(command.output().unwrap());
    assert_eq!(state(&run), "notice");
    assert!(findings(&run, "memory")[0]["hint"].as_str().unwrap().contains("ulimit -l"), "{run:?}");
}

#[cfg(feature = "fuse")]
#[test]
fn whether_anything_can_be_mounted_is_found_out() {
    let world = World::new();
    let run = world.run(["doctor", "--json"]);
    let mount = &findings(&run, "mount")[0];
    let is_there = std::fs::File::options().read(true).write(true).open("/dev/fuse").is_ok();
    if is_there && rustix::process::geteuid().is_root() {
        assert_eq!(mount["state"], "good");
    } else if !is_there {
        assert_eq!(mount["state"], "problem");
        assert!(mount["hint"].as_str().unwrap().contains("fuse3"), "{mount}");
    }
}

#[test]
fn a_service_that_does_not_answer_is_a_problem_with_what_to_do() {
    let (server, world) = (Server::new(), World::new());
    let key = server.key();
    let run = run(&world, "http://127.0.0.1:9", &["doctor", "--json", "-k", &key]).fails_with(1);
    let found = &findings(&run, "key")[0];
    assert_eq!(found["state"], "problem");
    assert!(found["hint"].as_str().unwrap().contains("check the network"), "{found}");
}

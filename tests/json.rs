//! `--json`: one object a line and file.

use crate::support::{World, json_lines, noise};

#[test]
fn each_file_is_one_object() {
    let world = World::with_store();
    world.write("a", "aaa");
    let run = world.run(["encrypt", "--json", "-c", "k=v", "a"]).succeeds_silently();
    let [object] = run.json().try_into().unwrap();
    assert_eq!(object["v"], 1);
    assert_eq!(object["status"], "ok");
    assert_eq!(object["operation"], "encrypted");
    assert_eq!(object["file"], "a");
    assert_eq!(object["output"], "a.wax");
    assert_eq!(object["plaintext_bytes"], 3);
    assert_eq!(object["context"]["k"], "v");
    assert!(object["key_arn"].as_str().unwrap().starts_with("arn:aws:kms:us-east-1:000000000000:key/"));

    let run = world.run(["encrypt", "--json", "a", "missing"]).fails_with(10);
    let objects = run.json();
    assert_eq!(objects.len(), 2);
    let missing = objects.iter().find(|object| object["file"] == "missing").unwrap();
    assert_eq!((missing["status"].as_str(), missing["code"].as_u64()), (Some("error"), Some(3)));
    assert_eq!(missing["message"], "cannot be opened: no such file or directory");
    let exists = objects.iter().find(|object| object["file"] == "a.wax").unwrap();
    assert_eq!((exists["code"].as_u64(), exists["kind"].as_str()), (Some(4), Some("output")));
    assert!(exists["hint"].as_str().unwrap().contains("--force"));
    let summary = json_lines(&run.stderr).pop().unwrap();
    assert_eq!((summary["status"].as_str(), summary["failed"].as_u64()), (Some("summary"), Some(2)));
}

#[test]
fn damage_has_its_offset() {
    let world = World::with_store();
    world.container("f.wax", &noise(100_000, 1), "aes-256-gcm-siv");
    let mut bytes = world.read("f.wax");
    bytes[8192] ^= 1;
    world.write("f.wax", bytes);
    let run = world.run(["verify", "--json", "f.wax"]).fails_with(6);
    let [object] = run.json().try_into().unwrap();
    assert_eq!((object["code"].as_u64(), object["offset"].as_u64()), (Some(6), Some(8192)));
    assert_eq!(object["file"], "f.wax");
}

#[test]
fn objects_go_to_standard_error_when_standard_output_is_data() {
    let world = World::with_store();
    let run = world.pipe(["encrypt", "--json"], b"content").succeeds();
    assert_eq!(json_lines(&run.stderr)[0]["plaintext_bytes"], 7);
    let container = run.stdout;
    let run = world.pipe(["decrypt", "--json"], &container).succeeds();
    assert_eq!(run.stdout, b"content");
    assert_eq!(json_lines(&run.stderr)[0]["status"], "ok");
    let run = world.pipe(["decrypt", "--json"], b"none").fails_with(5);
    assert_eq!(json_lines(&run.stderr)[0]["code"], 5);
}

#[test]
fn usage_errors_and_notes_are_objects_too() {
    let world = World::new();
    let run = world.run(["encrypt", "--json", "--frobnicate"]).fails_with(2);
    let [usage] = run.json().try_into().unwrap();
    assert_eq!((usage["code"].as_u64(), usage["kind"].as_str()), (Some(2), Some("usage")));
    assert_eq!(usage["message"], "unexpected argument '--frobnicate' found");
    assert!(usage["hint"].is_string());
    let [none] = world.run(["--json"]).fails_with(2).json().try_into().unwrap();
    assert!(!none["message"].as_str().unwrap().contains('\n'));
    world.write("a", "x");
    let run = world.run(["encrypt", "--json", "a"]).succeeds();
    assert_eq!(run.json().len(), 1);
    let note = &json_lines(&run.stderr)[0];
    assert_eq!((note["v"].as_u64(), note["status"].as_str()), (Some(1), Some("note")));
}

#[test]
fn inspect_and_status_have_their_facts() {
    let world = World::with_store();
    world.container("f.wax", b"12345", "xchacha20-poly1305");
    let [object] = world.run(["inspect", "--json", "f.wax"]).succeeds().json().try_into().unwrap();
    assert_eq!((object["suite"].as_str(), object["plaintext_bytes"].as_u64()), (Some("xchacha20-poly1305"), Some(5)));
    assert_eq!(object["keys"][0]["provider"], "local");
    let [status] = world.run(["status", "--json"]).succeeds().json().try_into().unwrap();
    assert_eq!((status["exists"].as_bool(), status["seal"].as_str()), (Some(true), Some("keyfile")));
    assert_eq!(status["default_key"], object["keys"][0]["key_arn"]);
    let [status] = World::new().run(["status", "--json"]).succeeds().json().try_into().unwrap();
    assert_eq!(status["exists"], false);
}

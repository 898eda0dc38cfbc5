//! The key store behind the operations: made only for a data key, and where the options say.

use super::support::{Answers, DEFAULT, kms};
use crate::support::World;

#[test]
fn a_missing_store_is_made_for_a_data_key_only() {
    let world = World::new();
    for operation in [
        &["list-keys"][..],
        &["create-key"],
        &["describe-key", "--key-id", DEFAULT],
        &["encrypt", "--key-id", DEFAULT, "--plaintext", "eA=="],
        &["generate-data-key", "--key-id", "alias/other", "--key-spec", "AES_256"],
        &["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256", "--dry-run"],
        &["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256", "--region", "eu-west-1"],
        &["generate-data-key", "--key-id", DEFAULT, "--number-of-bytes", "0"],
    ] {
        let run = kms(&world, operation).writes_nothing();
        assert_ne!(run.code, Some(0), "{operation:?}");
        assert!(!world.home().exists(), "{operation:?}");
    }
    kms(&world, &["list-keys"])
        .fails_with(8)
        .says("there is no key store here\nhint: make one with 'waxseal kms init'");
    let run = kms(&world, &["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256"]).succeeds();
    assert!(run.text().contains("\"Plaintext\": \""));
    run.says("note: made a key store in ");
    assert_eq!(kms(&world, &["list-keys"]).answer()["Keys"].as_array().unwrap().len(), 1);
}

#[test]
fn home_is_the_option_s_wherever_it_stands() {
    let (world, other) = (World::new(), World::with_store());
    let home = other.home();
    let home = home.to_str().unwrap();
    kms(&world, &["list-keys", "--home", home]).answer();
    world.run(["--home", home, "kms", "list-keys"]).answer();
    kms(&world, &["--home", home, "list-keys"]).answer();
    kms(&world, &["list-keys"]).fails_with(8);
    kms(&world, &["list-keys", "--hom", home]).fails_with(2).says("Unknown options: --hom");
}

#[test]
fn json_makes_errors_objects_for_scripts() {
    let world = World::with_store();
    let run = kms(&world, &["describe-key", "--key-id", "alias/none", "--json"]).fails_with(8);
    assert_eq!(run.stderr, "");
    let [error] = run.json().try_into().unwrap();
    assert_eq!((error["v"].as_u64(), error["code"].as_u64()), (Some(1), Some(8)));
    assert_eq!((error["status"].as_str(), error["kind"].as_str()), (Some("error"), Some("key-refused")));
    assert_eq!(error["exception"], "NotFoundException");
    assert_eq!(error["operation"], "DescribeKey");
    let [error] = world.run(["--json", "kms", "describe-key"]).fails_with(2).json().try_into().unwrap();
    assert_eq!(error["message"], "the following arguments are required: --key-id");
}

#[test]
fn what_a_store_was_given_the_file_commands_use() {
    let world = World::with_store();
    let key = super::support::create_key(&world);
    kms(&world, &["create-alias", "--alias-name", "alias/reports", "--target-key-id", &key]).succeeds_silently();
    world.write("report", "content");
    world.run(["encrypt", "-k", "alias/reports", "report"]).succeeds_silently();
    assert_eq!(world.run(["cat", "report.wax"]).succeeds_silently().stdout, b"content");
    kms(&world, &["disable-key", "--key-id", "alias/reports"]).fails_with(8);
    kms(&world, &["disable-key", "--key-id", &key]).succeeds_silently();
    world.run(["cat", "report.wax"]).fails_with(8).says("DisabledException").writes_nothing();
    kms(&world, &["enable-key", "--key-id", &key]).succeeds_silently();
    assert_eq!(world.run(["cat", "report.wax"]).succeeds_silently().stdout, b"content");
}

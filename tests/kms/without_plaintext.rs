//! Every member and every error of GenerateDataKeyWithoutPlaintext
//! (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyWithoutPlaintext.html>).

use std::process::Command;

use super::support::{Answers, DEFAULT, create_key, decoded, kms};
use crate::support::{Run, World, needed};

const OPERATION: &str = "GenerateDataKeyWithoutPlaintext";

fn generate(world: &World, options: &[&str]) -> Run {
    kms(world, &[&["generate-data-key-without-plaintext"], options].concat())
}

#[test]
fn each_member_of_the_request_does_what_it_says() {
    let world = World::with_store();
    let run = generate(
        &world,
        &["--key-id", DEFAULT, "--encryption-context", "a=b", "--number-of-bytes", "100", "--no-dry-run"],
    );
    let names: Vec<String> = run.answer().as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["CiphertextBlob", "KeyId", "KeyMaterialId"]);
    let arn = kms(&world, &["describe-key", "--key-id", DEFAULT]).text_at("/KeyMetadata/Arn");
    assert_eq!(run.text_at("/KeyId"), arn);
    let material = kms(&world, &["describe-key", "--key-id", DEFAULT]).text_at("/KeyMetadata/CurrentKeyMaterialId");
    assert_eq!(run.text_at("/KeyMaterialId"), material);
    let decrypt = ["decrypt", "--ciphertext-blob", &run.text_at("/CiphertextBlob"), "--encryption-context", "a=b"];
    assert_eq!(decoded(&world, &kms(&world, &decrypt).text_at("/Plaintext")).len(), 100);
    for (spec, length) in [("AES_128", 16), ("AES_256", 32)] {
        let ciphertext = generate(&world, &["--key-id", DEFAULT, "--key-spec", spec]).text_at("/CiphertextBlob");
        let plaintext = kms(&world, &["decrypt", "--ciphertext-blob", &ciphertext]).text_at("/Plaintext");
        assert_eq!(decoded(&world, &plaintext).len(), length);
    }
    let choose = "Please specify either number of bytes or key spec.";
    generate(&world, &["--key-id", DEFAULT]).refuses_with("ValidationException", OPERATION, choose);
}

#[test]
fn a_request_that_only_asks_whether_it_would_succeed_makes_nothing() {
    let world = World::with_store();
    generate(&world, &["--key-id", DEFAULT, "--key-spec", "AES_256", "--dry-run"]).refuses_with(
        "DryRunOperationException",
        OPERATION,
        "The request would have succeeded, but the DryRun option is set.",
    );
}

#[test]
fn a_grant_token_refuses_with_for_there_are_no_grants() {
    let world = World::with_store();
    let run = generate(&world, &["--key-id", DEFAULT, "--key-spec", "AES_256", "--grant-tokens", "token"]);
    run.refuses_with("InvalidGrantTokenException", OPERATION, "");
}

#[test]
fn a_key_that_is_not_there_is_named() {
    let world = World::with_store();
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let arn = format!("arn:aws:kms:us-east-1:000000000000:key/{id}");
    let with = |key: &str| generate(&world, &["--key-id", key, "--key-spec", "AES_256"]);
    with(id).refuses_with("NotFoundException", OPERATION, &format!("Key '{arn}' does not exist"));
    with(&arn).refuses_with("NotFoundException", OPERATION, &format!("Key '{arn}' does not exist"));
    with("key").refuses_with("NotFoundException", OPERATION, "Invalid keyId 'key'");
    let alias = "Alias arn:aws:kms:us-east-1:000000000000:alias/nowhere is not found.";
    with("alias/nowhere").refuses_with("NotFoundException", OPERATION, alias);
}

#[test]
fn a_key_in_a_state_that_forbids_it_refuses_with() {
    let world = World::with_store();
    let key = create_key(&world);
    let arn = kms(&world, &["describe-key", "--key-id", &key]).text_at("/KeyMetadata/Arn");
    let with_key = || generate(&world, &["--key-id", &key, "--key-spec", "AES_256"]);
    kms(&world, &["disable-key", "--key-id", &key]).succeeds_silently().writes_nothing();
    with_key().refuses_with("DisabledException", OPERATION, &format!("{arn} is disabled."));
    kms(&world, &["enable-key", "--key-id", &key]).succeeds_silently().writes_nothing();
    with_key().answer();
    let scheduled = kms(&world, &["schedule-key-deletion", "--key-id", &key, "--pending-window-in-days", "7"]);
    assert_eq!(scheduled.text_at("/KeyState"), "PendingDeletion");
    with_key().refuses_with("KMSInvalidStateException", OPERATION, &format!("{arn} is pending deletion."));
}

#[test]
fn a_key_for_signatures_refuses_with() {
    let world = World::with_store();
    let create = ["create-key", "--key-spec", "ECC_NIST_P256", "--key-usage", "SIGN_VERIFY"];
    let arn = kms(&world, &create).text_at("/KeyMetadata/Arn");
    generate(&world, &["--key-id", &arn, "--key-spec", "AES_256"]).refuses_with(
        "InvalidKeyUsageException",
        OPERATION,
        &format!("{arn} key usage is SIGN_VERIFY which is not valid for {OPERATION}."),
    );
}

#[test]
fn a_key_store_that_stays_locked_is_unavailable() {
    let world = World::new();
    world.write("pw", "correct horse");
    world.write("wrong", "incorrect");
    world.run(["kms", "init", "--seal", "passphrase", "--passphrase-file", "pw"]).succeeds();
    let options = ["--key-id", DEFAULT, "--key-spec", "AES_256"];
    let locked = "The key store is locked.";
    generate(&world, &options)
        .refuses_with("KeyUnavailableException", OPERATION, locked)
        .says("hint: give it with --passphrase-file FILE or --passphrase-command COMMAND");
    generate(&world, &[&options[..], &["--passphrase-file", "wrong"]].concat())
        .refuses_with("KeyUnavailableException", OPERATION, locked)
        .says("the passphrase is wrong");
    generate(&world, &[&options[..], &["--passphrase-file", "pw"]].concat()).answer();
    generate(&world, &[&options[..], &["--passphrase-command", "cat pw"]].concat()).answer();
}

#[test]
fn a_key_store_that_is_damaged_is_an_internal_failure() {
    let Some(sqlite) = needed("sqlite3") else { return };
    let world = World::with_store();
    let database = world.home().join("kms/kms.db");
    let change = "UPDATE key_materials SET wrapped = randomblob(length(wrapped))";
    let output = Command::new(sqlite).arg(database).arg(change).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let run = generate(&world, &["--key-id", DEFAULT, "--key-spec", "AES_256"]);
    run.refuses_with("KMSInternalException", OPERATION, "The key store failed.").says("hint: ");
}

#[test]
fn a_key_store_that_another_process_holds_is_a_timeout() {
    let Some(sqlite) = needed("sqlite3") else { return };
    let world = World::with_store();
    // Whoever holds it like that lets nobody read.
    let database = world.home().join("kms/kms.db");
    let mut holder = Command::new(sqlite);
    holder.arg(&database).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    {
        use std::io::{BufRead as _, Write as _};
        let stdin = holder.stdin.as_mut().unwrap();
        writeln!(stdin, "PRAGMA locking_mode=EXCLUSIVE;\nBEGIN EXCLUSIVE;\nSELECT 'held';").unwrap();
        let mut lines = std::io::BufReader::new(holder.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "held"));
    }
    let options = ["--key-id", DEFAULT, "--key-spec", "AES_256"];
    let run = kms(&world, &[&["generate-data-key-without-plaintext"], &options[..]].concat());
    drop(holder.stdin.take());
    holder.wait().unwrap();
    run.fails_with(9)
        .writes_nothing()
        .says(&format!("An error occurred (DependencyTimeoutException) when calling the {OPERATION} operation: "))
        .says("The key store did not answer in time.")
        .says("hint: try again later");
    generate(&world, &options).answer();
}

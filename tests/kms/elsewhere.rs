//! The same commands to AWS or another endpoint: signed, and otherwise as they are.

use std::fs;

use serde_json::json;

use super::support::{Answers, DEFAULT, decoded};
use crate::aws::moto::{ACCOUNT, Moto, REGION, command, moto, run};
use crate::support::{Run, World};

/// Nothing listens there.
const NOBODY: &str = "http://127.0.0.1:9";

fn at(moto: &Moto, world: &World, arguments: &[&str]) -> Run {
    run(world, NOBODY, &[&["kms"], arguments, &["--endpoint-url", &moto.url()]].concat())
}

#[test]
fn an_operation_goes_to_the_endpoint_that_is_named() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    let created = at(moto, &world, &["create-key", "--description", "made elsewhere"]);
    let arn = created.text_at("/KeyMetadata/Arn");
    assert!(arn.starts_with(&format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/")), "{arn}");
    let asked = moto.call(REGION, "DescribeKey", &json!({ "KeyId": arn }));
    assert_eq!(asked["KeyMetadata"]["Description"], "made elsewhere");
    world.write("plain", [0, 255, 10]);
    let context = ["--encryption-context", "a=b"];
    let encrypt = ["encrypt", "--key-id", &arn, "--plaintext", "fileb://plain", "--query", "CiphertextBlob"];
    let ciphertext = at(moto, &world, &[&encrypt[..], &context, &["--output", "text"]].concat()).succeeds_silently();
    let decrypt = ["decrypt", "--ciphertext-blob", ciphertext.text().trim_end()];
    let plaintext = at(moto, &world, &[&decrypt[..], &context].concat()).text_at("/Plaintext");
    assert_eq!(decoded(&world, &plaintext), [0, 255, 10]);
    // moto takes an id only.
    let id = arn.rsplit('/').next().unwrap();
    let no_answer = at(moto, &world, &["disable-key", "--key-id", id]).succeeds_silently();
    assert_eq!(no_answer.text(), "");
    assert_eq!(moto.call(REGION, "DescribeKey", &json!({ "KeyId": arn }))["KeyMetadata"]["Enabled"], false);
    assert!(!world.home().exists(), "no key store is needed, and none is made");
}

#[test]
fn operations_that_the_key_store_does_not_have_go_there_too() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    let key = moto.made(REGION, &json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" }));
    let sign = ["sign", "--key-id", &key, "--message", "bWVzc2FnZQ==", "--signing-algorithm", "ECDSA_SHA_256"];
    let signature = at(moto, &world, &sign).text_at("/Signature");
    let verify = ["verify", "--key-id", &key, "--message", "bWVzc2FnZQ==", "--signing-algorithm", "ECDSA_SHA_256"];
    let verified = at(moto, &world, &[&verify[..], &["--signature", &signature]].concat()).answer();
    assert_eq!(verified["SignatureValid"], true);
}

#[test]
fn lists_are_followed_there_as_well() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    let region = "ap-south-2";
    let keys: Vec<String> = (0..5).map(|_| moto.key(region)).collect();
    let all = at(moto, &world, &["list-keys", "--region", region, "--page-size", "2"]).answer();
    let mut found: Vec<&str> =
        all["Keys"].as_array().unwrap().iter().filter_map(|key| key["KeyArn"].as_str()).collect();
    found.sort_unstable();
    let mut expected: Vec<&str> = keys.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn the_environment_alone_redirects_nothing_and_provider_aws_heeds_it() {
    let Some(moto) = moto() else { return };
    let world = World::with_store();
    let describe = ["kms", "describe-key", "--region", "us-east-1", "--key-id", DEFAULT];
    let local = run(&world, &moto.url(), &describe).text_at("/KeyMetadata/Arn");
    assert!(local.contains(":000000000000:"), "{local}");
    let key = moto.key(REGION);
    let there = run(&world, &moto.url(), &["kms", "describe-key", "--key-id", &key, "--provider", "aws"]);
    assert_eq!(there.text_at("/KeyMetadata/Arn"), key);
    let here = [&describe[..], &["--provider", "local", "--endpoint-url", NOBODY]].concat();
    assert_eq!(run(&world, NOBODY, &here).text_at("/KeyMetadata/Arn"), local);
}

#[test]
fn a_profile_names_region_and_credentials() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    world.write("config", "[profile other]\nregion = sa-east-1\n");
    world.write("credentials", "[other]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret\n");
    let arguments = ["kms", "create-key", "--profile", "other", "--endpoint-url", &moto.url()];
    let mut command = world.command(arguments);
    command.env("AWS_CONFIG_FILE", world.path("config")).env("AWS_SHARED_CREDENTIALS_FILE", world.path("credentials"));
    let arn = Run::from(command.output().unwrap()).text_at("/KeyMetadata/Arn");
    assert!(arn.starts_with("arn:aws:kms:sa-east-1:"), "{arn}");
}

#[test]
fn a_refusal_is_the_aws_cli_s_line_and_nothing_else() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let run = at(moto, &world, &["describe-key", "--key-id", id]).fails_with(8).writes_nothing();
    run.says_exactly(&format!(
        "\nAn error occurred (NotFoundException) when calling the DescribeKey operation: Key \
         'arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}' does not exist"
    ));
    let wrong = at(moto, &world, &["generate-data-key", "--key-id", id, "--number-of-bytes", "0"]).fails_with(2);
    wrong.says("Parameter validation failed:");
}

#[test]
fn what_cannot_be_reached_or_may_not_be_is_said() {
    let world = World::new();
    let list = ["kms", "list-keys", "--provider", "aws"];
    run(&world, NOBODY, &list).fails_with(9).says("The service cannot be reached.").writes_nothing();
    let plain = [&list[..], &["--endpoint-url", "http://192.0.2.1"]].concat();
    run(&world, NOBODY, &plain).fails_with(8).says("would show data keys to the network");
    for option in ["--no-verify-ssl", "--no-sign-request"] {
        run(&world, NOBODY, &[&list[..], &[option]].concat()).fails_with(2).says(&format!("{option} cannot be had"));
    }
    let mut nobody = world.command(list);
    nobody.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", REGION);
    let run = Run::from(nobody.output().unwrap()).fails_with(8);
    run.says("There are no AWS credentials that can be used.");
    let mut nowhere = command(&world, NOBODY, &list);
    let run = Run::from(nowhere.env_remove("AWS_REGION").output().unwrap()).fails_with(2);
    run.says("no AWS region is set\nhint: ");
    assert!(fs::read_dir(world.dir()).unwrap().next().is_none());
}

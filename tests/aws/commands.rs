//! The file commands with keys of AWS KMS: what is made under them opens with them, and errors say what to do.

use serde_json::json;

use super::moto::{REGION, moto, run};
use crate::support::{World, noise};

#[test]
fn files_are_encrypted_and_decrypted_under_a_key_of_aws_kms() {
    let Some(moto) = moto() else { return };
    let (world, key, content) = (World::new(), moto.key(REGION), noise(150_000, 1));
    world.write("f", &content);
    let made = run(&world, &moto.url(), &["encrypt", "--json", "-k", &key, "-c", "team=blue", "f"]).succeeds_silently();
    assert_eq!(made.json()[0]["key_arn"], json!(key));
    assert_eq!(run(&world, &moto.url(), &["cat", "-k", &key, "f.wax"]).succeeds_silently().stdout, content);
    let verified = run(&world, &moto.url(), &["verify", "-v", "-k", &key, "f.wax"]).succeeds();
    assert!(verified.text().contains(&format!("key {key}")), "{verified:?}");
    run(&world, &moto.url(), &["decrypt", "-k", &key, "-o", "plain", "f.wax"]).succeeds_silently();
    assert_eq!(world.read("plain"), content);
    assert!(!world.home().exists(), "no key store is needed, and none is made");
    let inspected = world.run(["inspect", "--keys", "f.wax"]).succeeds();
    assert_eq!(inspected.text(), format!("aws {key}\n"));
}

#[test]
fn a_key_may_be_named_by_alias_and_by_id() {
    let Some(moto) = moto() else { return };
    let (world, key) = (World::new(), moto.key(REGION));
    let id = key.rsplit('/').next().unwrap();
    let alias = format!("alias/named-{id}");
    moto.call(REGION, "CreateAlias", &json!({ "AliasName": alias, "TargetKeyId": id }));
    world.write("f", "content");
    let alias_arn = format!("arn:aws:kms:{REGION}:{}:{alias}", super::moto::ACCOUNT);
    for name in [format!("aws:{alias}"), format!("aws:{id}"), alias_arn] {
        let made = run(&world, &moto.url(), &["encrypt", "--json", "-f", "-k", &name, "f"]).succeeds_silently();
        assert_eq!(made.json()[0]["key_arn"], json!(key), "{name}");
        let read = run(&world, &moto.url(), &["cat", "-k", &name, "f.wax"]).succeeds_silently();
        assert_eq!(read.stdout, b"content", "{name}");
    }
}

#[test]
fn variables_of_aws_alone_redirect_nothing() {
    let world = World::new();
    world.write("f", "content");
    // Nothing listens there.
    run(&world, "http://127.0.0.1:9", &["encrypt", "f"]).succeeds();
    assert_eq!(run(&world, "http://127.0.0.1:9", &["cat", "f.wax"]).succeeds_silently().stdout, b"content");
    assert!(world.run(["inspect", "--keys", "f.wax"]).succeeds().text().starts_with("local "));
}

#[test]
fn an_endpoint_that_is_named_goes_before_the_environment() {
    let Some(moto) = moto() else { return };
    let (world, key) = (World::new(), moto.key(REGION));
    world.write("f", "content");
    let arguments = ["encrypt", "-k", &key, "--endpoint-url", &moto.url(), "f"];
    run(&world, "http://127.0.0.1:9", &arguments).succeeds_silently();
}

#[test]
fn a_key_that_cannot_be_used_is_refused_with_the_code_and_what_to_do() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    world.write("f", "content");
    let disabled = moto.key(REGION);
    moto.call(REGION, "DisableKey", &json!({ "KeyId": disabled }));
    let deleted = moto.key(REGION);
    moto.call(REGION, "ScheduleKeyDeletion", &json!({ "KeyId": deleted, "PendingWindowInDays": 7 }));
    let missing = format!("arn:aws:kms:us-east-2:{}:key/1234abcd-12ab-34cd-56ef-1234567890ab", super::moto::ACCOUNT);
    for (key, code, hint) in [
        (&disabled, "DisabledException", "hint: 'aws kms enable-key --key-id arn:"),
        (&deleted, "KMSInvalidStateException", "'aws kms cancel-key-deletion --key-id arn:"),
        (&missing, "NotFoundException", "hint: it was looked for in us-east-2"),
    ] {
        let refused = run(&world, &moto.url(), &["encrypt", "-k", key, "f"]).fails_with(8).says(code).says(hint);
        refused.says(&format!("caused by: kms:GenerateDataKey with {key} in ")).says(", request id ");
    }
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn a_key_that_is_disabled_opens_nothing_until_it_is_enabled() {
    let Some(moto) = moto() else { return };
    let (world, key) = (World::new(), moto.key(REGION));
    world.write("f", "content");
    run(&world, &moto.url(), &["encrypt", "-k", &key, "f"]).succeeds_silently();
    moto.call(REGION, "DisableKey", &json!({ "KeyId": key }));
    run(&world, &moto.url(), &["cat", "-k", &key, "f.wax"]).fails_with(8).says("DisabledException").writes_nothing();
    moto.call(REGION, "EnableKey", &json!({ "KeyId": key }));
    assert_eq!(run(&world, &moto.url(), &["cat", "-k", &key, "f.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn a_multi_region_key_opens_in_the_callers_region_too() {
    let Some(moto) = moto() else { return };
    let (world, key) = (World::new(), moto.made("us-east-1", &json!({ "MultiRegion": true })));
    world.write("f", "content");
    run(&world, &moto.url(), &["encrypt", "-k", &key, "f"]).succeeds_silently();
    // There is no replica in the caller's region, so it is opened where the ARN says; under its name in any region.
    let elsewhere = key.replace("us-east-1", "ap-south-1");
    for name in [&key, &elsewhere] {
        assert_eq!(run(&world, &moto.url(), &["cat", "-k", name, "f.wax"]).succeeds_silently().stdout, b"content");
    }
}

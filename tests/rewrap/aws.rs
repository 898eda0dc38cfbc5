//! Keys of AWS KMS: what each role may do and no more, and that nobody is asked about a stranger's key.

use std::fs;

use serde_json::json;
use waxseal_key_service::Provider;

use super::{arns, header, holds};
use crate::aws::moto::{moto, run};
use crate::aws::server::{Fault, Server};
use crate::support::World;

/// A file of a service's key, made there.
fn made(server: &Server) -> World {
    let world = World::with_store();
    world.write("f", "content");
    run(&world, &server.url(), &["encrypt", "-k", &server.key(), "f"]).succeeds_silently();
    server.calls();
    world
}

fn arn(key: &str) -> &str {
    key.trim_start_matches("aws:")
}

#[test]
fn a_rotator_who_may_only_re_encrypt_puts_files_under_another_key() {
    let server = Server::new();
    let (world, new) = (made(&server), server.new_key());
    let old = header(&world, "f.wax").encrypted_data_keys()[0].clone();
    server.allow_only(&["ReEncrypt"]);
    let rewrap = ["rewrap", "-k", &server.key(), "--to", &new, "f.wax"];
    run(&world, &server.url(), &rewrap).succeeds_silently();
    assert_eq!(server.calls(), ["ReEncrypt"]);
    assert!(arns(&world, "f.wax") == [arn(&new)] && !holds(&world, "f.wax", &old));
    // Everything else is refused to him.
    run(&world, &server.url(), &["cat", "-k", &new, "f.wax"]).fails_with(8).says("AccessDeniedException");
    run(&world, &server.url(), &["encrypt", "-k", &new, "-o", "g.wax", "f"]).fails_with(8);
    run(&world, &server.url(), &["prepare", "-k", &new, "p.wax"]).fails_with(8);
    assert_eq!(world.names(), ["f", "f.wax"]);
    // What has its key already costs no request, and neither does taking a key away.
    server.calls();
    run(&world, &server.url(), &rewrap).succeeds_silently();
    assert!(server.calls().is_empty());
    server.allow_only(&["Decrypt"]);
    assert_eq!(run(&world, &server.url(), &["cat", "-k", &new, "f.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn a_reader_who_may_only_decrypt_rewraps_nothing_but_fills_what_was_prepared() {
    let server = Server::new();
    let (world, new, key) = (made(&server), server.new_key(), server.key());
    server.allow_only(&["GenerateDataKeyWithoutPlaintext"]);
    run(&world, &server.url(), &["prepare", "-k", &key, "p.wax"]).succeeds_silently();
    run(&world, &server.url(), &["encrypt", "--into", "p.wax", "-k", &key, "f"]).fails_with(8);
    run(&world, &server.url(), &["rewrap", "-k", &key, "--to", &new, "p.wax"]).fails_with(8);
    run(&world, &server.url(), &["encrypt", "-k", &key, "-o", "g.wax", "f"]).fails_with(8);
    run(&world, &server.url(), &["cat", "-k", &key, "f.wax"]).fails_with(8);
    server.allow_only(&["Decrypt"]);
    let before = world.read("f.wax");
    run(&world, &server.url(), &["rewrap", "-k", &key, "--to", &new, "f.wax"])
        .fails_with(8)
        .says("AccessDeniedException")
        .says("kms:ReEncryptFrom on the old key and kms:ReEncryptTo on the new one");
    assert!(world.read("f.wax") == before);
    assert_eq!(world.run(["inspect", "--json", "p.wax"]).succeeds().json()[0]["state"], "prepared");
    run(&world, &server.url(), &["prepare", "-k", &key, "q.wax"]).fails_with(8);
    run(&world, &server.url(), &["encrypt", "--into", "p.wax", "-k", &key, "f"]).succeeds_silently();
    assert_eq!(run(&world, &server.url(), &["cat", "-k", &key, "p.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn after_a_rewrap_the_old_key_can_be_deleted_and_everything_opens() {
    let server = Server::new();
    let (world, key) = (made(&server), server.key());
    let (old, new) = (server.new_key(), server.new_key());
    run(&world, &server.url(), &["encrypt", "-k", &old, "-o", "late.wax", "f"]).succeeds_silently();
    run(&world, &server.url(), &["rewrap", "-k", &key, "--to", &old, "f.wax"]).succeeds_silently();
    run(&world, &server.url(), &["rewrap", "-k", &old, "--to", &new, "f.wax"]).succeeds_silently();
    server.call("ScheduleKeyDeletion", &json!({ "KeyId": arn(&old), "PendingWindowInDays": 7 }));
    if !super::window_is_over(&server.store()) {
        return;
    }
    run(&world, &server.url(), &["cat", "-k", &old, "late.wax"]).fails_with(8).says("NotFoundException");
    assert_eq!(run(&world, &server.url(), &["cat", "-k", &new, "f.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn a_key_that_is_not_trusted_is_not_asked() {
    let server = Server::new();
    let (world, new) = (made(&server), server.new_key());
    for options in [&[][..], &["-k", "alias/default"], &["-k", &new], &["--discovery", "111122223333"]] {
        let arguments = [&["rewrap", "--to", &new], options, &["f.wax"]].concat();
        run(&world, &server.url(), &arguments).fails_with(8).says("none of its keys may be used");
        run(&world, &server.url(), &[&arguments[..], &["--dry-run"]].concat()).fails_with(8);
    }
    assert!(server.calls().is_empty());
    run(&world, &server.url(), &["rewrap", "--to", &new, "--discovery", "000000000000", "f.wax"]).succeeds_silently();
    assert_eq!(server.calls(), ["ReEncrypt"]);
    fs::write(world.home().join("config.toml"), format!("trusted-keys = [{new:?}]")).unwrap();
    run(&world, &server.url(), &["rewrap", "--to", &server.key(), "f.wax"]).succeeds_silently();
    assert_eq!(server.calls(), ["ReEncrypt"]);
}

#[test]
fn an_answer_for_other_keys_than_those_that_were_named_changes_nothing() {
    let server = Server::new();
    let (world, new) = (made(&server), server.new_key());
    let before = world.read("f.wax");
    let other = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    for (member, value) in
        [("SourceKeyId", Some(other)), ("SourceKeyId", None), ("KeyId", Some(other)), ("CiphertextBlob", Some(""))]
    {
        server.spoil(&[Fault::Member(member, value)]);
        let rewrap = ["rewrap", "-k", &server.key(), "--to", &new, "f.wax"];
        run(&world, &server.url(), &rewrap).fails_with(8).says("the key service answers wrongly");
        assert!(world.read("f.wax") == before, "{member}");
    }
}

#[test]
fn files_go_between_the_embedded_kms_and_aws_by_decrypt_and_encrypt() {
    let (server, world) = (Server::new(), World::with_store());
    world.container("f.wax", b"content", crate::support::SUITES[0]);
    let key = server.key();
    run(&world, &server.url(), &["rewrap", "--add", &key, "f.wax"]).succeeds_silently();
    assert_eq!(server.calls(), ["Encrypt"]);
    run(&world, &server.url(), &["rewrap", "--remove", "alias/default", "f.wax"]).succeeds_silently();
    assert_eq!((arns(&world, "f.wax"), server.calls().len()), (vec![arn(&key).to_owned()], 0));
    assert_eq!(header(&world, "f.wax").encrypted_data_keys()[0].provider, Provider::Aws);
    run(&world, &server.url(), &["rewrap", "-k", &key, "--to", "alias/default", "f.wax"]).succeeds_silently();
    assert_eq!(server.calls(), ["Decrypt"]);
    assert_eq!(world.run(["cat", "f.wax"]).succeeds_silently().stdout, b"content");
    // From both at once the way is taken on which nobody sees the data key.
    run(&world, &server.url(), &["rewrap", "--add", &key, "f.wax"]).succeeds_silently();
    let new = server.new_key();
    fs::write(world.home().join("config.toml"), format!("trusted-keys = [{key:?}, {new:?}]")).unwrap();
    server.calls();
    run(&world, &server.url(), &["rewrap", "--to", &new, "f.wax"]).succeeds_silently();
    assert_eq!(server.calls(), ["ReEncrypt"]);
    run(&world, &server.url(), &["rewrap", "--to", &key, "--to", "alias/default", "f.wax"]).succeeds_silently();
    assert_eq!(server.calls(), ["Decrypt", "Encrypt"]);
    assert_eq!(world.run(["cat", "f.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn a_service_that_refuses_to_move_a_data_key_is_not_asked_to_show_it() {
    let server = Server::new();
    let (world, new) = (made(&server), server.new_key());
    server.allow_only(&["Decrypt", "Encrypt"]);
    run(&world, &server.url(), &["rewrap", "-k", &server.key(), "--to", &new, "f.wax"]).fails_with(8);
    assert_eq!(server.calls(), ["ReEncrypt"]);
}

#[test]
fn a_data_key_that_is_not_the_containers_is_not_put_under_other_keys() {
    let (server, world) = (Server::new(), World::with_store());
    let key = server.key();
    world.container("f.wax", b"content", crate::support::SUITES[0]);
    run(&world, &server.url(), &["rewrap", "--add", &key, "f.wax"]).succeeds_silently();
    let before = world.read("f.wax");
    // The service answers with a data key of the right length that is another one.
    server.always(Some(Fault::Member("Plaintext", Some("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="))));
    let rewrap = ["rewrap", "-k", &key, "--to", "alias/default", "f.wax"];
    run(&world, &server.url(), &rewrap).fails_with(6).says("does not verify under its data key");
    assert!(world.read("f.wax") == before);
}

#[test]
fn files_under_an_older_version_of_a_key_of_aws_are_found_by_one_request_each() {
    let server = Server::new();
    let (world, key) = (made(&server), server.key());
    let stale = |options: &[&str]| {
        let rewrap = [&["rewrap", "-k", &key, "--to", &key, "--stale"], options, &["f.wax"]].concat();
        run(&world, &server.url(), &rewrap)
    };
    let before = world.read("f.wax");
    stale(&[]).succeeds_silently();
    assert!(server.calls() == ["ReEncrypt"] && world.read("f.wax") == before);
    server.call("RotateKeyOnDemand", &json!({ "KeyId": arn(&key) }));
    assert_eq!(stale(&["--dry-run"]).succeeds_silently().text().lines().count(), 1);
    assert!(server.calls() == ["ReEncrypt"] && world.read("f.wax") == before);
    stale(&[]).succeeds_silently();
    assert!(server.calls() == ["ReEncrypt"; 2] && world.read("f.wax") != before);
    assert_eq!(stale(&["--dry-run"]).succeeds_silently().text(), "");
    // A service that does not name versions is not taken at its silence.
    server.spoil(&[Fault::Member("SourceKeyMaterialId", None)]);
    stale(&[]).fails_with(8).says("does not say which key material it used");
}

#[test]
fn a_multi_region_key_is_re_encrypted_where_the_new_key_is() {
    let server = Server::new();
    let world = World::new();
    world.write("f", "content");
    let source = "aws:arn:aws:kms:eu-west-1:000000000000:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    server.has_multi_region_key(&["eu-west-1", "us-east-1"]);
    run(&world, &server.url(), &["encrypt", "-k", source, "f"]).succeeds_silently();
    let new = server.new_key();
    server.calls();
    server.regions();
    run(&world, &server.url(), &["rewrap", "-k", source, "--to", &new, "f.wax"]).succeeds_silently();
    assert_eq!((server.calls(), server.regions()), (vec!["ReEncrypt".to_owned()], vec!["us-east-1".to_owned()]));
    assert_eq!(run(&world, &server.url(), &["cat", "-k", &new, "f.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn an_independent_service_re_encrypts_and_two_regions_take_decrypt_and_encrypt() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    world.write("f", "content");
    let (old, new, far) = (moto.key("eu-west-1"), moto.key("eu-west-1"), moto.key("us-east-2"));
    run(&world, &moto.url(), &["encrypt", "-k", &old, "-c", "project=x", "f"]).succeeds_silently();
    run(&world, &moto.url(), &["rewrap", "-k", &old, "--to", &new, "f.wax"]).succeeds_silently();
    assert_eq!(run(&world, &moto.url(), &["cat", "-k", &new, "f.wax"]).succeeds_silently().stdout, b"content");
    run(&world, &moto.url(), &["rewrap", "-k", &new, "--to", &far, "f.wax"]).succeeds_silently();
    assert_eq!(arns(&world, "f.wax"), std::slice::from_ref(&far));
    assert_eq!(run(&world, &moto.url(), &["cat", "-k", &far, "f.wax"]).succeeds_silently().stdout, b"content");
    let pending = json!({ "KeyId": crate::aws::moto::id_of(&old), "PendingWindowInDays": 7 });
    moto.call("eu-west-1", "ScheduleKeyDeletion", &pending);
    assert_eq!(run(&world, &moto.url(), &["cat", "-k", &far, "f.wax"]).succeeds_silently().stdout, b"content");
}

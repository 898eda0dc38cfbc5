//! A key store that a key of another KMS seals: of one that somebody serves, and of moto's.

use std::process::Command;

use super::clients::Moto;
use super::support::{AccessKey, Served};
use crate::support::{Run, World, needed};

/// A world whose key store is sealed by a key at an endpoint.
struct Sealed {
    world: World,
    endpoint: String,
    key: AccessKey,
}

impl Sealed {
    /// Makes one, sealed as `seal` says.
    fn new(endpoint: &str, key: AccessKey, seal: &str) -> Self {
        let sealed = Self { world: World::new(), endpoint: endpoint.to_owned(), key };
        sealed.run(&["kms", "init", "--seal", seal]).succeeds();
        sealed.world.write("plain", "content");
        sealed
    }

    /// A command that may ask for the key.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", &self.key.id).env("AWS_SECRET_ACCESS_KEY", &self.key.secret);
        command.env("AWS_ENDPOINT_URL_KMS", &self.endpoint).env("AWS_REGION", "us-east-1");
        command.env("AWS_MAX_ATTEMPTS", "1").env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }
}

#[test]
fn whoever_may_call_decrypt_opens_the_store_and_files_make_no_calls_of_their_own() {
    let owner = World::with_store();
    let key = AccessKey::new(&owner, "me");
    let served = Served::with(&owner, key.clone(), &[]);
    let sealed = Sealed::new(&served.endpoint, key.clone(), "aws:alias/default");
    let count = |operation: &str| served.log().matches(&format!("\"operation\":\"{operation}\"")).count();
    assert_eq!((count("GenerateDataKey"), count("Decrypt")), (1, 0));
    let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    names.iter().for_each(|name| sealed.world.write(name, name));
    let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
    sealed.run(&[&["encrypt", "--no-sync"], &inputs[..]].concat()).succeeds();
    // One to open the store; the files' keys are its own.
    assert_eq!((count("GenerateDataKey"), count("Decrypt")), (1, 1));
    assert_eq!(sealed.run(&["cat", "f7.wax"]).succeeds_silently().text(), "f7");
    let status = sealed.world.run(["--json", "status"]).succeeds().json().remove(0);
    assert_eq!(status["seal"], "kms");
    assert!(status["seal_key"].as_str().unwrap().starts_with("arn:aws:kms:us-east-1:000000000000:key/"), "{status}");
    let shown = sealed.world.run(["status"]).succeeds();
    assert!(shown.text().contains("by the key arn:aws:kms:us-east-1:000000000000:key/"), "{}", shown.text());
    assert!(!sealed.world.home().join("kms/root.key").exists());
    let mut stranger = sealed.command(&["cat", "f7.wax"]);
    let stranger = stranger.env("AWS_SECRET_ACCESS_KEY", "x".repeat(40)).output().unwrap();
    Run::from(stranger).fails_with(8).says("InvalidSignatureException");
    // Nothing is asked where nobody is told: the store stays shut.
    let mut nobody = sealed.world.command(["cat", "f7.wax"]);
    let nobody = nobody.env("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9").env("AWS_EC2_METADATA_DISABLED", "true");
    assert_ne!(Run::from(nobody.output().unwrap()).code, Some(0));
    owner.run(["kms", "credentials", "delete", &key.id]).succeeds();
    sealed.run(&["cat", "f7.wax"]).fails_with(8).says("UnrecognizedClientException");
}

#[test]
fn the_seal_is_changed_to_a_key_and_back_and_keys_and_files_stay() {
    let owner = World::with_store();
    let key = AccessKey::new(&owner, "me");
    let served = Served::with(&owner, key.clone(), &[]);
    let sealed = Sealed::new(&served.endpoint, key, "keyfile");
    sealed.world.run(["encrypt", "plain"]).succeeds_silently();
    let done = sealed.run(&["--json", "kms", "seal", "--seal", "aws:alias/default"]).succeeds().json().remove(0);
    assert_eq!(done["seal"], "kms");
    assert_eq!(sealed.run(&["cat", "plain.wax"]).succeeds_silently().text(), "content");
    assert_ne!(sealed.world.run(["cat", "plain.wax"]).code, Some(0));
    sealed.run(&["kms", "seal", "--seal", "keyfile"]).succeeds_silently();
    assert_eq!(sealed.world.run(["cat", "plain.wax"]).succeeds_silently().text(), "content");
    sealed.run(&["kms", "seal", "--seal", "aws:alias/nobody"]).fails_with(8).says("NotFoundException");
    assert_eq!(sealed.world.run(["cat", "plain.wax"]).succeeds_silently().text(), "content");
    sealed.world.run(["kms", "seal", "--seal", "alias/default"]).fails_with(2).says("a key of AWS KMS");
}

#[test]
fn a_server_whose_store_a_key_seals_asks_for_it_when_it_is_unlocked() {
    let owner = World::with_store();
    let key = AccessKey::new(&owner, "me");
    let outer = Served::with(&owner, key.clone(), &[]);
    let sealed = Sealed::new(&outer.endpoint, key, "aws:alias/default");
    let serve = ["--json", "kms", "serve", "--listen", "unix:kms.sock", "--locked"];
    let nobody = AccessKey { id: String::new(), secret: String::new() };
    let inner = Served::begin(sealed.command(&serve), &sealed.world, nobody);
    let describe = ["kms", "describe-key", "--key-id", "alias/default", "--kms", &inner.endpoint];
    sealed.world.run(describe).fails_with(9).says("KeyUnavailableException");
    sealed.world.run(["kms", "unlock"]).succeeds_silently();
    sealed.world.run(describe).succeeds();
    sealed.world.run(["kms", "lock"]).succeeds_silently();
    outer.kill();
    // Whoever took the key away has locked it for good.
    assert_ne!(sealed.world.run(["kms", "unlock"]).code, Some(0));
    sealed.world.run(describe).fails_with(9).says("KeyUnavailableException");
}

#[test]
fn a_key_of_moto_s_seals_a_store_and_a_backup_of_it_needs_its_own_passphrase_only() {
    let (Some(moto), Some(aws)) = (needed("moto_server"), needed("aws")) else { return };
    let world = World::new();
    let moto = Moto::new(&world, &moto);
    let key = AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: "x".repeat(40) };
    let mut create = super::support::client(&world, &aws, &moto.endpoint, &key);
    create.args(["kms", "create-key", "--query", "KeyMetadata.Arn", "--output", "text"]);
    let arn = Run::from(create.output().unwrap()).succeeds().text().trim().to_owned();
    let sealed = Sealed::new(&moto.endpoint, key, &format!("aws:{arn}"));
    sealed.run(&["encrypt", "plain"]).succeeds_silently();
    assert_eq!(sealed.run(&["cat", "plain.wax"]).succeeds_silently().text(), "content");
    sealed.world.write("words", "correct horse\n");
    sealed.run(&["kms", "backup", "keys.backup", "--backup-passphrase-file", "words"]).succeeds();
    let elsewhere = sealed.world.path("elsewhere");
    let home = ["--home", elsewhere.to_str().unwrap()];
    let restore = ["kms", "restore", "keys.backup", "--backup-passphrase-file", "words"];
    sealed.world.run([&restore[..], &home].concat()).succeeds();
    assert_eq!(sealed.world.run([&["cat", "plain.wax"][..], &home].concat()).succeeds_silently().text(), "content");
}

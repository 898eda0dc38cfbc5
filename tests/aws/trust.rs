//! The keys in a container are claims: nobody is asked about one that the user has not named, trusted or discovered.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;

use sha2::Digest as _;
use waxseal_container::{Core, Sealer, Sink, Source, Suite};
use waxseal_key_service::{DataKey, EncryptedDataKey, EncryptionContext, Provider};

use super::moto::{command, run};
use super::server::Server;
use crate::support::{Run, World};

/// A world with a container that opens under the service's key only.
fn foreign(server: &Server) -> World {
    let world = World::new();
    world.write("f", "content");
    run(&world, &server.url(), &["encrypt", "-k", &server.key(), "f"]).succeeds_silently();
    assert_eq!(server.calls().len(), 1);
    world
}

fn configure(world: &World, text: &str) {
    fs::create_dir_all(world.home()).unwrap();
    fs::write(world.home().join("config.toml"), text).unwrap();
}

/// A container that names these keys, with ciphertext blobs that are none.
fn naming(keys: &[&str]) -> Vec<u8> {
    let key = |arn: &&str| EncryptedDataKey {
        provider: Provider::Aws,
        key_arn: arn.parse().unwrap(),
        ciphertext_blob: vec![7],
    };
    let keys: Vec<_> = keys.iter().map(key).collect();
    let core = Core::new(Suite::default(), EncryptionContext::new(), None).unwrap();
    let sealer = Sealer::new(core, &keys, &DataKey::take(&mut [7; 32])).unwrap();
    let mut container = Vec::new();
    sealer.seal(Source::Stream(&mut &b"x"[..]), Sink::Stream(&mut container), NonZeroUsize::MIN).unwrap();
    container
}

#[test]
fn an_untrusted_key_is_refused_without_a_call_and_the_hint_says_how_to_trust_it() {
    let server = Server::new();
    let world = foreign(&server);
    fs::remove_file(world.path("f")).unwrap();
    let key = server.key();
    let arn = key.trim_start_matches("aws:");
    for command in ["decrypt", "cat", "verify"] {
        run(&world, &server.url(), &[command, "f.wax"])
            .fails_with(8)
            .says(&format!("none of its keys may be used: {arn}"))
            .says(&format!("-k {key};"))
            .says(&format!("trusted-keys = [\"{key}\"]"))
            .writes_nothing();
    }
    assert!(server.calls().is_empty());
}

#[test]
fn a_trusted_key_opens() {
    let server = Server::new();
    let world = foreign(&server);
    configure(&world, &format!("trusted-keys = [{:?}]", server.key()));
    assert_eq!(run(&world, &server.url(), &["cat", "f.wax"]).succeeds_silently().stdout, b"content");
    assert_eq!(server.calls(), ["Decrypt"]);
    // Keys that are named exclude those that are trusted.
    let other = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    run(&world, &server.url(), &["cat", "-k", other, "f.wax"]).fails_with(8);
    assert!(server.calls().is_empty());
}

#[test]
fn a_key_that_new_files_are_made_under_opens_them_without_being_named() {
    let (server, world) = (Server::new(), World::new());
    world.write("f", "content");
    configure(&world, &format!("key = {:?}", server.key()));
    run(&world, &server.url(), &["encrypt", "f"]).succeeds_silently();
    assert_eq!(run(&world, &server.url(), &["cat", "f.wax"]).succeeds_silently().stdout, b"content");
    configure(&world, &format!("[[rules]]\npath = \"/x\"\nkey = {:?}", server.key()));
    assert_eq!(run(&world, &server.url(), &["cat", "f.wax"]).succeeds_silently().stdout, b"content");
    // Without any of these nobody is asked.
    configure(&world, "");
    server.calls();
    run(&world, &server.url(), &["cat", "f.wax"]).fails_with(8);
    assert!(server.calls().is_empty());
    let mut command = command(&world, &server.url(), &["cat", "f.wax"]);
    let read = Run::from(command.env("WAXSEAL_KEY", server.key()).output().unwrap());
    assert_eq!(read.succeeds_silently().stdout, b"content");
}

#[test]
fn discovery_opens_with_any_key_of_one_account() {
    let server = Server::new();
    let world = foreign(&server);
    run(&world, &server.url(), &["cat", "--discovery", "111122223333", "f.wax"]).fails_with(8);
    run(&world, &server.url(), &["cat", "--discovery", "aws-cn:000000000000", "f.wax"]).fails_with(8);
    assert!(server.calls().is_empty());
    let read = run(&world, &server.url(), &["cat", "--discovery", "000000000000", "f.wax"]).succeeds_silently();
    assert_eq!((read.stdout.as_slice(), server.calls().len()), (&b"content"[..], 1));
    world.run(["cat", "--discovery", "acme", "f.wax"]).fails_with(2).says("is not an AWS account");
}

#[test]
fn as_many_keys_as_a_header_holds_cause_no_call() {
    let server = Server::new();
    let world = World::with_store();
    let arns: Vec<String> = (0..15)
        .map(|number| format!("arn:aws:kms:us-east-1:666666666666:key/1234abcd-12ab-34cd-56ef-{number:012x}"))
        .collect();
    let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
    world.write("f.wax", naming(&arns));
    let key = server.key();
    configure(&world, &format!("trusted-keys = [{key:?}]"));
    for options in [&["cat"][..], &["cat", "-k", &key], &["cat", "--discovery", "000000000000"]] {
        run(&world, &server.url(), &[options, &["f.wax"]].concat()).fails_with(8).writes_nothing();
    }
    assert!(server.calls().is_empty());
}

#[test]
fn a_header_that_claims_a_hundred_keys_causes_no_call() {
    let server = Server::new();
    let world = World::with_store();
    let key = server.key();
    // A slot that says so, with a checksum that agrees: there is no room for them, and what is not whole counts for nothing.
    let mut container = naming(&[key.trim_start_matches("aws:")]);
    let slot = (80 + usize::from(u16::from_le_bytes([container[10], container[11]]))).next_multiple_of(8);
    let payload = slot + 16..slot + 16 + usize::from(u16::from_le_bytes([container[slot + 4], container[slot + 5]]));
    container[slot + 7] = 100;
    let sum = sha2::Sha256::new().chain_update(&container[slot..slot + 8]).chain_update(&container[payload]).finalize();
    container[slot + 8..slot + 16].copy_from_slice(&sum[..8]);
    world.write("f.wax", &container);
    for options in [&["cat"][..], &["cat", "-k", &key], &["cat", "--discovery", "000000000000"]] {
        run(&world, &server.url(), &[options, &["f.wax"]].concat()).fails_with(6).writes_nothing();
    }
    for change in ["--add", "--to"] {
        run(&world, &server.url(), &["rewrap", "-k", &key, change, &key, "f.wax"]).fails_with(6);
    }
    assert!(server.calls().is_empty());
}

#[test]
fn a_trusted_key_that_is_named_again_and_again_is_asked_twice_at_most() {
    let server = Server::new();
    let world = World::new();
    let key = server.key();
    world.write("f.wax", naming(&[key.trim_start_matches("aws:"); 15]));
    run(&world, &server.url(), &["cat", "-k", &key, "f.wax"]).fails_with(6).writes_nothing();
    assert_eq!(server.calls(), ["Decrypt"; 2]);
}

#[test]
fn a_configuration_that_is_not_understood_or_not_the_users_own_is_refused() {
    let world = World::with_store();
    world.write("f", "content");
    configure(&world, "trusted-key = []\n");
    for arguments in [&["encrypt", "f"][..], &["cat", "f"]] {
        world.run(arguments).fails_with(2).says("config.toml: line 1: unknown field `trusted-key`");
    }
    configure(&world, "");
    world.run(["encrypt", "f"]).succeeds_silently();
    fs::set_permissions(world.home().join("config.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    world.run(["cat", "f.wax"]).fails_with(2).says("could be changed by others").says("hint: chmod go-w it");
}

#[test]
fn a_multi_region_key_is_asked_for_where_it_was_named_and_not_where_a_file_says() {
    let (server, world) = (Server::new(), World::new());
    let key = |region: &str| format!("arn:aws:kms:{region}:000000000000:key/mrk-1234abcd12ab34cd56ef1234567890ab");
    world.write("f.wax", naming(&[&key("ap-south-1")]));
    let named = format!("aws:{}", key("us-east-1"));
    run(&world, &server.url(), &["cat", "-k", &named, "f.wax"]).fails_with(8).writes_nothing();
    assert_eq!(server.regions(), [super::moto::REGION, "us-east-1"]);
    run(&world, &server.url(), &["rewrap", "-k", &named, "--to", &server.key(), "f.wax"]).fails_with(8);
    let regions = server.regions();
    assert!(!regions.is_empty() && !regions.iter().any(|region| region == "ap-south-1"), "{regions:?}");
    // The same material opens wherever it is.
    server.has_multi_region_key(&["ap-south-1"]);
    world.write("g", "content");
    run(&world, &server.url(), &["encrypt", "-k", &format!("aws:{}", key("ap-south-1")), "g"]).succeeds_silently();
    server.has_multi_region_key(&["us-east-1"]);
    assert_eq!(run(&world, &server.url(), &["cat", "-k", &named, "g.wax"]).succeeds_silently().stdout, b"content");
}

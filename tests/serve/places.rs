//! What commands say when the key store is served elsewhere: `status`, those on a store itself, and errors of a server.

use super::support::Served;
use crate::support::{Run, World};

/// Runs a command that the environment tells where the key store is served.
fn run_at(world: &World, place: &str, arguments: &[&str]) -> Run {
    let mut command = world.command(arguments);
    command.env("WAXSEAL_KMS", place).env("AWS_EC2_METADATA_DISABLED", "true");
    Run::from(command.output().unwrap())
}

#[test]
fn status_tells_of_the_key_store_that_is_served() {
    let owner = World::with_store();
    let served = Served::listening(&owner, "unix:kms.sock", &[]);
    let place = format!("unix:{}", owner.path("kms.sock").display());
    let own = owner.run(["--json", "status"]).succeeds().json().remove(0);
    let world = World::new();
    let status = run_at(&world, &place, &["--json", "status"]).succeeds_silently().json().remove(0);
    assert_eq!((&status["served"], &status["default_key"]), (&place.as_str().into(), &own["default_key"]));
    let shown = world.run(["status", "--kms", &place]).succeeds_silently();
    let key = own["default_key"].as_str().unwrap();
    assert_eq!(shown.text(), format!("key store    served at {place}\nanswers      yes\ndefault key  {key}\n"));
    owner.run(["kms", "delete-alias", "--alias-name", "alias/default"]).succeeds();
    assert!(run_at(&world, &place, &["status"]).succeeds().text().contains("none: there is no alias/default"));
    owner.run(["kms", "lock"]).succeeds();
    run_at(&world, &place, &["status"]).fails_with(9).says(&place).says("KeyUnavailableException");
    drop(served);
    run_at(&world, &place, &["status"]).fails_with(9).says("There is no served key store at");
    assert!(!world.home().exists());
}

#[test]
fn a_command_on_a_key_store_itself_is_not_carried_out_on_another_one_than_is_meant() {
    let world = World::with_store();
    let before = world.run(["status"]).succeeds();
    let create = ["kms", "credentials", "create", "--name", "me"];
    for (name, arguments) in [
        ("init", &["kms", "init"][..]),
        ("backup", &["kms", "backup", "file"]),
        ("restore", &["kms", "restore", "file"]),
        ("seal", &["kms", "seal", "--seal", "passphrase"]),
        ("credentials", &create),
        ("credentials", &["kms", "credentials", "list"]),
    ] {
        let refused = run_at(&world, "unix:/run/kms.sock", arguments).fails_with(2);
        refused
            .says(&format!("'waxseal kms {name}' works on a key store itself"))
            .says("unix:/run/kms.sock")
            .says("hint: ");
    }
    assert_eq!(world.run(["status"]).succeeds().text(), before.text());
    // An empty variable says nothing, and servers and what concerns them are always those of this machine.
    run_at(&world, "", &create).succeeds();
    run_at(&world, "unix:/run/kms.sock", &["kms", "lock"]).fails_with(9).says("no server of this key store is running");
}

#[cfg(feature = "aws")]
#[test]
fn errors_of_a_key_store_at_a_url_say_what_helps_there() {
    let owner = World::with_store();
    let served = Served::new(&owner, "me");
    let endpoint = served.endpoint.clone();
    let world = World::new();
    world.write("plain", "content");
    let run = |key: Option<(&str, &str)>, arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("WAXSEAL_KMS", &endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some((id, secret)) = key {
            command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
        }
        Run::from(command.output().unwrap())
    };
    for arguments in [&["encrypt", "plain"][..], &["status"], &["kms", "list-keys"]] {
        let unsigned = run(None, arguments).fails_with(8).says("waxseal kms credentials create --name NAME");
        assert!(!unsigned.stderr.contains("sso"), "{}", unsigned.stderr);
    }
    let stranger = Some(("AKIAIOSFODNN7EXAMPLE", "secret"));
    run(stranger, &["encrypt", "plain"]).fails_with(8).says("waxseal kms credentials list");
    served.kill();
    let gone = run(stranger, &["encrypt", "plain"]).fails_with(9).says("waxseal kms serve");
    assert!(!gone.stderr.contains("AWS_ENDPOINT_URL_KMS"), "{}", gone.stderr);
}

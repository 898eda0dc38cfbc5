//! `waxseal kms lock` and `unlock`, on servers that run.

use super::support::{AccessKey, Served};
use crate::support::{World, needed};

#[test]
fn a_server_that_begins_locked_answers_once_it_is_unlocked() {
    let Some(aws) = needed("aws") else { return };
    let world = World::new();
    world.write("right", "correct horse\n");
    world.write("wrong", "battery staple\n");
    world.run(["kms", "init", "--seal", "passphrase", "--passphrase-file", "right"]).succeeds();
    let create = ["kms", "credentials", "create", "--name", "me", "--passphrase-file", "right", "--json"];
    let made = world.run(create).succeeds().json().remove(0);
    let member = |name: &str| made[name].as_str().unwrap().to_owned();
    let key = AccessKey { id: member("AccessKeyId"), secret: member("SecretAccessKey") };

    let served = Served::with(&world, key, &["--locked"]);
    let describe = ["kms", "describe-key", "--key-id", "alias/default"];
    served.aws(&aws, &describe).fails_with(255).says("(KeyUnavailableException)");
    let unlock = |file: &str| world.run(["kms", "unlock", "--passphrase-file", file]);
    unlock("wrong").fails_with(8).says("the passphrase is wrong");
    served.aws(&aws, &describe).fails_with(255).says("(KeyUnavailableException)");
    unlock("right").succeeds_silently();
    served.aws(&aws, &describe).succeeds_silently();
    world.run(["kms", "lock"]).succeeds_silently();
    served.aws(&aws, &describe).fails_with(255).says("(KeyUnavailableException)");
    // Commands that open the store themselves are not locked out: they ask for the passphrase.
    world.run(["kms", "credentials", "create", "--name", "you", "--passphrase-file", "right"]).succeeds();
    let log = served.log();
    assert!(log.contains("locked: keys are out of memory") && !log.contains("battery") && !log.contains("correct"));
}

#[test]
fn without_a_server_there_is_nothing_to_lock() {
    let world = World::with_store();
    world.run(["kms", "lock"]).fails_with(9).says("no server of this key store is running").says("kms serve");
    World::new().run(["kms", "lock"]).fails_with(8).says("there is no key store here");
}

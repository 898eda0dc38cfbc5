//! Two servers on one key store, each a process of its own.

use super::support::Served;
use crate::support::{Run, World};

#[test]
fn what_one_server_has_acknowledged_holds_at_the_other_at_once() {
    let world = World::with_store();
    let servers = ["unix:one.sock", "unix:two.sock"].map(|place| Served::listening(&world, place, &[]));
    let at = |server: usize, arguments: &[&str]| -> Run {
        world.run(["kms"].iter().chain(arguments).chain(&["--kms", &servers[server % 2].endpoint]))
    };
    let created = at(0, &["create-key", "--query", "KeyMetadata.KeyId", "--output", "text"]).succeeds();
    let key = created.text().trim();
    let data_key = |server: usize| at(server, &["generate-data-key", "--key-id", key, "--number-of-bytes", "16"]);
    // Both have it in memory before each change.
    data_key(1).succeeds();
    for round in 0..6 {
        at(round, &["disable-key", "--key-id", key]).succeeds();
        for server in [round + 1, round] {
            data_key(server).fails_with(8).says("DisabledException");
        }
        at(round + 1, &["enable-key", "--key-id", key]).succeeds();
        for server in [round, round + 1] {
            data_key(server).succeeds();
        }
    }
    at(1, &["create-alias", "--alias-name", "alias/one", "--target-key-id", key]).succeeds();
    at(0, &["generate-data-key", "--key-id", "alias/one", "--number-of-bytes", "16"]).succeeds();
    // What changes the store by itself is seen as well.
    world.run(["kms", "delete-alias", "--alias-name", "alias/one"]).succeeds();
    for server in [0, 1] {
        at(server, &["generate-data-key", "--key-id", "alias/one", "--number-of-bytes", "16"])
            .fails_with(8)
            .says("NotFoundException");
    }
}

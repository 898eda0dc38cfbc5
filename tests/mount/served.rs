//! A mount whose keys are served at a Unix socket.

use std::fs;

use super::support::{Mounted, mountable};
use crate::serve::support::Served;
use crate::support::World;

#[test]
fn a_mount_makes_and_opens_files_with_a_key_store_at_a_unix_socket() {
    let Some(world) = mountable() else { return };
    let owner = World::with_store();
    let served = Served::listening(&owner, "unix:kms.sock", &[]);
    let place = format!("unix:{}", owner.path("kms.sock").display());
    let mounted = Mounted::new(&world, &["--kms", &place]);
    for number in 0..20 {
        fs::write(mounted.path(&format!("f{number}")), "content").unwrap();
    }
    assert_eq!(fs::read(mounted.path("f7")).unwrap(), b"content");
    let container = mounted.container("f7");
    mounted.unmount();
    // The keys are the owner's, not those of the world's own store.
    world.run(["cat", container.to_str().unwrap()]).fails_with(8).says("made by another store");
    assert_eq!(owner.run(["cat", container.to_str().unwrap()]).succeeds_silently().text(), "content");
    let mounted = Mounted::new(&world, &["--kms", &place]);
    assert_eq!(fs::read(mounted.path("f3")).unwrap(), b"content");
    mounted.unmount();
    assert!(served.log().contains("\"operation\":\"Decrypt\""));
}

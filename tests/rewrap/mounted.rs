//! A rewrap beside a mount of the same directory.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};

use super::{default_key, new_key};
use crate::mount::support::{Mounted, VAULT, eventually, mountable};
use crate::support::SUITES;

#[test]
fn a_vault_goes_to_another_key_while_it_is_mounted_but_for_the_files_that_are_open() {
    let Some(world) = mountable() else { return };
    let (old, _) = (default_key(&world), new_key(&world, "alias/new"));
    for name in ["open", "read", "unread"] {
        world.container(&format!("{VAULT}/{name}.wax"), name.as_bytes(), SUITES[0]);
    }
    let mounted = Mounted::new(&world, &[]);
    let content = |name: &str| fs::read_to_string(mounted.root().join(name)).unwrap();
    assert_eq!(content("read"), "read");
    let mut open = File::options().read(true).append(true).open(mounted.root().join("open")).unwrap();
    let rewrap = || world.run(["rewrap", "-r", "--to", "alias/new", VAULT]);
    rewrap().fails_with(10).says("open.wax: another process is using it");
    open.write_all(b" and written").unwrap();
    open.sync_all().unwrap();
    drop(open);
    eventually("the file is let go", || rewrap().code == Some(0));
    world.run(["kms", "disable-key", "--key-id", &old]).succeeds_silently();
    for (name, expected) in [("open", "open and written"), ("read", "read"), ("unread", "unread")] {
        assert_eq!(content(name), expected);
    }
    let mut again = File::options().read(true).append(true).open(mounted.root().join("read")).unwrap();
    again.write_all(b" again").unwrap();
    let mut text = String::new();
    File::open(mounted.root().join("read")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "read again");
    drop(again);
    mounted.unmount();
    world.run(["verify", "-q", "-r", VAULT]).succeeds_silently();
}

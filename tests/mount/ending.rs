//! The end of a mount: what could not be written is told, by `waxseal umount` and by the exit code.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use super::failing::Failing;
use super::support::{CLEAR, Mounted, VAULT, containers_hold, eventually, mount_in_background, mountable, runs};
use crate::support::{World, noise};

/// What is on the disk, and what is written over it.
const LEN: usize = 100_000;

/// Makes a file whose content is on the disk for certain, and returns it.
fn synced(world: &World) -> Vec<u8> {
    let content = noise(LEN, 1);
    let mut file = File::create(world.path(CLEAR).join("f")).unwrap();
    file.write_all(&content).unwrap();
    file.sync_all().unwrap();
    content
}

/// Writes over a chunk in the middle of it while the disk takes nothing, and closes it: an error may be told by now or not.
fn overwrite(world: &World) -> Vec<u8> {
    let piece = noise(4096, 2);
    let file = File::options().write(true).open(world.path(CLEAR).join("f")).unwrap();
    file.write_all_at(&piece, 40_960).unwrap();
    piece
}

#[test]
fn what_cannot_be_brought_to_the_disk_is_told_by_umount_and_by_the_exit_code() {
    let Some(world) = mountable() else { return };
    let Some(failing) = Failing::new(&world) else { return };
    let mounted = Mounted::new(&world, &[]);
    let content = synced(&world);
    failing.fails("write error 1");
    overwrite(&world);
    world
        .run(["umount", CLEAR])
        .fails_with(1)
        .says("is unmounted, but not everything that was written there could be brought to the disk\nhint: ");
    let log = mounted.log();
    assert_eq!(mounted.ended().code, Some(1));
    assert!(log.contains("f.wax: what was written last is not on the disk"), "{log}");
    failing.works();
    // What was synced is there.
    let mounted = Mounted::new(&world, &[]);
    assert!(fs::read(mounted.path("f")).unwrap() == content);
    mounted.unmount();
}

#[test]
fn a_mount_in_the_background_tells_it_too_and_a_fault_that_is_gone_by_then_is_none() {
    let Some(world) = mountable() else { return };
    let Some(failing) = Failing::new(&world) else { return };
    let process = mount_in_background(&world, &["--log", "mount.log"])["process"].as_u64().unwrap();
    let mut content = synced(&world);
    failing.fails("sync error 1");
    let piece = overwrite(&world);
    content[40_960..][..piece.len()].copy_from_slice(&piece);
    let log = || String::from_utf8(world.read("mount.log")).unwrap();
    eventually("it was tried in vain", || log().contains("f.wax"));
    failing.works();
    world.run(["umount", CLEAR]).succeeds_silently();
    eventually("the process has ended", || !runs(process));
    containers_hold(&world, &[("f".to_owned(), content)]);

    mount_in_background(&world, &["--log", "mount.log"]);
    failing.fails("write error 1");
    overwrite(&world);
    let run = world.run(["--json", "umount", CLEAR]).fails_with(1);
    let answer = run.json().pop().unwrap();
    assert_eq!((answer["status"].as_str(), answer["kind"].as_str()), (Some("error"), Some("other")), "{answer}");
    assert!(log().contains("error: not everything that was written could be brought to the disk"), "{}", log());
    failing.works();
    assert!(world.path(VAULT).join("f.wax").exists());
}

#[test]
fn a_mount_whose_process_cannot_be_asked_is_unmounted_with_a_warning() {
    let Some(world) = mountable() else { return };
    // In a network namespace of its own nobody outside can talk to it.
    let Some(unshare) = crate::support::needed("unshare") else { return };
    if !rustix::process::geteuid().is_root() {
        return crate::support::skipped("another network namespace needs root");
    }
    let mut command = std::process::Command::new(unshare);
    command.args(["-n", env!("CARGO_BIN_EXE_waxseal"), "mount", VAULT, CLEAR]).current_dir(world.dir());
    super::support::succeeds(command.env("WAXSEAL_HOME", world.home()));
    fs::write(world.path("clear/f"), "content").unwrap();
    world.run(["umount", CLEAR]).succeeds().says("whether everything is written cannot be told").says("hint: ");
    containers_hold(&world, &[("f".to_owned(), b"content".to_vec())]);
}

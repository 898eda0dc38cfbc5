//! The power fails: the file system below stops between two moments, with what it had not written yet lost.
//!
//! ext4 on a loop device, shut down by `xfs_io -x -c shutdown` without writing its journal. That needs root.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::killed::history::History;
use super::killed::{Fate, Replaced, change_in_place};
use super::random::operation::Random;
use super::support::{Mounted, VAULT, containers_hold, contents, detach, mountable, scale, succeeds};
use crate::support::{SUITES, World, needed, skipped};

/// Power cuts when nothing longer is asked for.
const ROUNDS: u64 = 6;

/// Blocks that hold a page whole. Without being asked, ext4 makes smaller ones on a disk as small as these.
const WHOLE_PAGES: u64 = 4096;

/// A disk of its own below the vault. It is gone when dropped.
struct Disk<'a> {
    world: &'a World,
}

impl<'a> Disk<'a> {
    /// Makes one with blocks of as many bytes.
    fn new(world: &'a World, mebibytes: u64, block: u64) -> Self {
        let image = world.path("disk");
        File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        succeeds(Command::new("mkfs.ext4").args(["-q", "-F", "-b", &block.to_string()]).arg(&image));
        let disk = Self { world };
        disk.attach();
        disk
    }

    fn attach(&self) {
        succeeds(Command::new("mount").args(["-o", "loop"]).arg(self.world.path("disk")).arg(self.world.path(VAULT)));
    }

    /// What was not on the disk at this moment never gets there.
    fn cut_power(&self) {
        succeeds(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(self.world.path(VAULT)));
    }

    /// The machine starts again.
    fn restart(&self) {
        succeeds(Command::new("umount").arg(self.world.path(VAULT)));
        self.attach();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let gone = Command::new("umount")
            .arg("-l")
            .arg(self.world.path(VAULT))
            .output()
            .is_ok_and(|done| done.status.success());
        assert!(gone || std::thread::panicking());
    }
}

/// A world in which disks can be made and mounted on, if there can be one here.
fn with_disks() -> Option<World> {
    if !rustix::process::geteuid().is_root() {
        skipped("disks can be attached and shut down by root only");
        return None;
    }
    needed("mkfs.ext4").and(needed("xfs_io")).and_then(|_| mountable())
}

#[test]
fn a_power_cut_loses_nothing_that_was_synced_and_tears_no_chunk() {
    for seed in 1..=scale() {
        rounds(seed);
    }
}

fn rounds(seed: u64) {
    let Some(world) = with_disks() else { return };
    let disk = Disk::new(&world, 160, WHOLE_PAGES);
    let suite = SUITES[usize::from(seed.is_multiple_of(2))];
    let mut random = Random::new(seed);
    let (mut history, mut replaced) = (History::default(), Replaced::default());
    let mut mounted = Mounted::new(&world, &["--suite", suite]);
    // A name is there after a power cut once it was synced.
    File::create(mounted.path("in place")).unwrap().sync_all().unwrap();
    for round in 0..ROUNDS {
        let fate = Fate::default();
        let pause = Duration::from_millis(50 + random.below(2500));
        std::thread::scope(|scope| {
            let (history, replaced, fate) = (&mut history, &mut replaced, &fate);
            let (path, root) = (mounted.path("in place"), mounted.root());
            let mut random = Random::new(seed * 1000 + round);
            scope.spawn(move || change_in_place(&path, history, &mut random, fate));
            scope.spawn(move || replaced.go_on(&root, round, fate));
            std::thread::sleep(pause);
            // A file system that is shut down answers syncfs(2) as if all were well.
            fate.power_fails.store(true, Ordering::SeqCst);
            disk.cut_power();
            fate.stop.store(true, Ordering::Relaxed);
            mounted.kill();
        });
        detach(&world.path(super::support::CLEAR));
        disk.restart();
        mounted = Mounted::new(&world, &["--suite", suite]);
        let when = format!("seed {seed}, round {round}");
        let found = fs::read(mounted.path("in place"));
        let found = found.unwrap_or_else(|error| panic!("{when}: {error}\n{}", mounted.log()));
        history.allows(&found).unwrap_or_else(|why| panic!("{when}: {why}\n{}", mounted.log()));
        history.begin_again_with(found);
        replaced.check_after_power_cut(&mounted.root(), &format!("{when}\n{}", mounted.log()));
    }
    for unfinished in ["aside 0", "aside 1", "aside 2"] {
        fs::remove_file(mounted.path(unfinished)).ok();
    }
    let expected = contents(&mounted.root());
    mounted.unmount();
    containers_hold(&world, &expected);
}

/// "fsync(2) of a directory makes its names durable" (SEMANTICS.md): at once, and not when ext4 writes its journal anyway, five
/// seconds later.
#[test]
fn names_outlast_a_power_cut_once_their_folder_was_synced() {
    let Some(world) = with_disks() else { return };
    let disk = Disk::new(&world, 64, WHOLE_PAGES);
    let mounted = Mounted::new(&world, &[]);
    let sync = |name: &str| File::open(mounted.path(name)).unwrap().sync_all().unwrap();
    fs::create_dir(mounted.path("folder")).unwrap();
    for name in ["folder/removed", "folder/renamed"] {
        fs::write(mounted.path(name), name).unwrap();
        sync(name);
    }
    sync(".");
    fs::remove_file(mounted.path("folder/removed")).unwrap();
    fs::rename(mounted.path("folder/renamed"), mounted.path("folder/file")).unwrap();
    fs::hard_link(mounted.path("folder/file"), mounted.path("folder/second name")).unwrap();
    std::os::unix::fs::symlink("file", mounted.path("folder/link")).unwrap();
    fs::create_dir(mounted.path("folder/inner")).unwrap();
    sync("folder");
    disk.cut_power();
    mounted.kill();
    detach(&world.path(super::support::CLEAR));
    disk.restart();
    let mounted = Mounted::new(&world, &[]);
    let mut names: Vec<_> =
        fs::read_dir(mounted.path("folder")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["file", "inner", "link", "second name"], "{}", mounted.log());
    for name in ["file", "link", "second name"] {
        assert_eq!(fs::read(mounted.path("folder").join(name)).unwrap(), b"folder/renamed", "{name}");
    }
    mounted.unmount();
}

#[test]
fn blocks_that_tear_pages_are_warned_of() {
    for (block, warns) in [(1024, true), (WHOLE_PAGES, false)] {
        let Some(world) = with_disks() else { return };
        let _disk = Disk::new(&world, 24, block);
        let mounted = Mounted::new(&world, &[]);
        let log = mounted.log();
        assert_eq!(log.contains("a power cut can tear a page of 4096"), warns, "{block}: {log}");
        mounted.unmount();
    }
}

#[test]
fn a_full_disk_refuses_what_has_no_room_and_keeps_everything_else() {
    let Some(world) = with_disks() else { return };
    let _disk = Disk::new(&world, 24, WHOLE_PAGES);
    let mounted = Mounted::new(&world, &[]);
    let kept = crate::support::noise(1 << 20, 1);
    fs::write(mounted.path("kept"), &kept).unwrap();
    File::open(mounted.path("kept")).unwrap().sync_all().unwrap();
    let filled = fill(&mounted.path("filler"));
    assert!(filled > 4 << 20, "only {filled} bytes went onto an empty disk");
    // In place there is still room, and reading goes on.
    let mut changed = kept.clone();
    changed[8192..12288].fill(7);
    let file = File::options().write(true).open(mounted.path("kept")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &changed[8192..12288], 8192).unwrap();
    file.sync_all().unwrap();
    drop(file);
    assert!(fs::read(mounted.path("kept")).unwrap() == changed);
    // With room again everything goes on.
    fs::remove_file(mounted.path("filler")).unwrap();
    fs::write(mounted.path("after"), b"there is room again").unwrap();
    mounted.unmount();
    containers_hold(&world, &[("kept".into(), changed), ("after".into(), b"there is room again".to_vec())]);
}

/// Writes until there is no more room. Nothing that was acknowledged is missing then.
fn fill(path: &Path) -> usize {
    use std::io::Write as _;
    let mut file = File::create(path).unwrap();
    let piece = crate::support::noise(100_000, 2);
    let mut written = 0;
    loop {
        match file.write(&piece) {
            Ok(length) => written += length,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
                break;
            }
        }
    }
    file.sync_all().unwrap();
    drop(file);
    let found = fs::read(path).unwrap();
    assert_eq!(found.len(), written, "acknowledged, and not there");
    assert!(found.chunks(piece.len()).all(|part| part == &piece[..part.len()]));
    written
}

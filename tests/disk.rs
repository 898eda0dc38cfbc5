//! Disks that are full, and folders that may not be written.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Run, World, names_in, needed, noise, skipped};

/// A small file system of its own, unmounted when dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one in memory; none where that is not allowed.
    pub(crate) fn mount(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// Mounts an ext4 of so many MiB, which is kept in the new file `image`; none where that is not allowed.
    pub(crate) fn mount_ext4(at: &Path, image: &Path, mebibytes: u64) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        fs::File::create(image).unwrap().set_len(mebibytes << 20).unwrap();
        let made = Command::new(needed("mkfs.ext4")?).args(["-q", "-F", "-m", "0"]).arg(image).status();
        assert!(made.is_ok_and(|status| status.success()));
        let mounted = Command::new("mount").args(["-o", "loop"]).arg(image).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left_on_it() {
    let world = World::with_store();
    let Some(_disk) = SmallDisk::mount(&world.path("small"), "size=1m") else {
        return skipped("a small file system cannot be mounted here");
    };
    world.write("f", noise(3_000_000, 1));
    world.write("small/kept", noise(300_000, 2));
    world
        .run(["encrypt", "f", "-o", "small/f.wax"])
        .fails_with(4)
        .says("error: small/f.wax: cannot be written: no space left on device\nhint: free some space");
    world.pipe(["encrypt", "-o", "small/f.wax"], &world.read("f")).fails_with(4).says("no space left");
    world.run(["encrypt", "f"]).succeeds();
    world.run(["decrypt", "f.wax", "-o", "small/f"]).fails_with(4).says("small/f: cannot be written: no space left");
    world.run(["decrypt", "-f", "f.wax", "-o", "small/kept"]).fails_with(4);
    assert_eq!(names_in(&world.path("small")), ["kept"]);
    assert!(world.read("small/kept") == noise(300_000, 2), "what was there stays");
}

#[test]
fn a_full_disk_fails_the_files_that_do_not_fit_and_keeps_the_others() {
    let world = World::with_store();
    let Some(_disk) = SmallDisk::mount(&world.path("small"), "size=1m") else {
        return skipped("a small file system cannot be mounted here");
    };
    let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    for name in &names {
        world.write(name, noise(100_000, 1));
    }
    let arguments = ["encrypt", "-o", "small"].into_iter().chain(names.iter().map(String::as_str));
    world.run(arguments).fails_with(10).says("no space left");
    let left = names_in(&world.path("small"));
    assert!(!left.is_empty() && left.iter().all(|name| name.ends_with(".wax")), "{left:?}");
    world.run(["verify".to_owned()].into_iter().chain(left.iter().map(|name| format!("small/{name}")))).succeeds();
}

#[test]
fn a_full_disk_under_the_key_store_is_named() {
    let world = World::new();
    let Some(_disk) = SmallDisk::mount(&world.home(), "size=8k") else {
        return skipped("a small file system cannot be mounted here");
    };
    world.write("f", "x");
    world.run(["encrypt", "f"]).fails_with(9).says("no space left");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn a_limit_on_the_size_of_files_is_like_a_full_disk() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let world = World::with_store();
    world.write("f", noise(3_000_000, 1));
    let mut command = world.command(["encrypt", "f"]);
    let limit = || {
        setrlimit(Resource::Fsize, Rlimit { current: Some(1 << 20), maximum: Some(1 << 20) })?;
        Ok(())
    };
    // SAFETY: setrlimit(2) may be called between fork and exec.
    unsafe { command.pre_exec(limit) };
    let run = Run::from(command.output().unwrap());
    run.fails_with(4).says("error: f.wax: cannot be written: file too large");
    assert_eq!(world.names(), ["f"]);
}

/// Runs the program as somebody who is not root, if this is root; folders have no secrets from root.
fn as_nobody(world: &World, arguments: &[&str]) -> Option<Run> {
    as_nobody_with(world, arguments, || Ok(()))
}

/// The same, with something done between fork and exec.
fn as_nobody_with(
    world: &World,
    arguments: &[&str],
    prepare: impl Fn() -> std::io::Result<()> + Send + Sync + 'static,
) -> Option<Run> {
    let mut command = nobodys(world, arguments);
    // SAFETY: the callers do system calls only, which may be done between fork and exec.
    unsafe { command.pre_exec(prepare) };
    start(|| command.output()).ok().map(Run::from)
}

/// Starts what runs a copy of the program that was made just now: a child that another test is starting holds it open for
/// writing until it has begun its own program.
pub(crate) fn start<T>(mut start: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match start() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            started => return started,
        }
    }
}

/// Who is not root.
pub(crate) const NOBODY: u32 = 65_534;

/// A command line of the program for somebody who is not root. Everything in the world is theirs from the first one on.
pub(crate) fn nobodys(world: &World, arguments: &[&str]) -> Command {
    let program = world.dir().parent().unwrap().join("waxseal");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_waxseal"), &program).unwrap();
        if rustix::process::geteuid().is_root() {
            chown_all(world.dir().parent().unwrap(), NOBODY);
        }
    }
    let mut command = Command::new(&program);
    command.args(arguments).current_dir(world.dir()).env_clear().env("WAXSEAL_HOME", world.home());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn chown_all(path: &Path, owner: u32) {
    chown(path, Some(owner), Some(owner)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| chown_all(&entry.unwrap().path(), owner));
    }
}

#[test]
fn a_read_only_folder_is_named() {
    let world = World::with_store();
    fs::create_dir(world.path("locked")).unwrap();
    world.write("locked/f", "x");
    world.write("f", "x");
    fs::set_permissions(world.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let Some(run) = as_nobody(&world, &["encrypt", "locked/f"]) else {
        return skipped("the program cannot be run as another user");
    };
    run.fails_with(4).says_exactly("error: locked/f.wax: cannot be written: permission denied");
    as_nobody(&world, &["encrypt", "f"]).unwrap().succeeds_silently();
    as_nobody(&world, &["decrypt", "f.wax", "-o", "locked/g"]).unwrap().fails_with(4).says("permission denied");
    assert_eq!(names_in(&world.path("locked")), ["f"]);
}

#[test]
fn a_key_store_of_somebody_else_is_named() {
    let world = World::with_store();
    world.write("f", "x");
    world.run(["encrypt", "f"]).succeeds_silently();
    // Done once to hand everything over, and then the store is closed.
    if as_nobody(&world, &["status"]).is_none() {
        return skipped("the program cannot be run as another user");
    }
    fs::set_permissions(world.home().join("kms/root.key"), fs::Permissions::from_mode(0o000)).unwrap();
    let closed = as_nobody(&world, &["cat", "f.wax"]).unwrap().fails_with(8);
    closed.says("root.key: cannot open the key file: permission denied\nhint: it has to be a directory of your own");
    fs::set_permissions(world.home(), fs::Permissions::from_mode(0o000)).unwrap();
    for arguments in [&["status"][..], &["kms", "init"]] {
        as_nobody(&world, arguments).unwrap().fails_with(8).says("cannot look at the directory: permission denied");
    }
    // What the configuration says of keys is not passed over.
    for arguments in [&["cat", "f.wax"][..], &["encrypt", "-f", "f"]] {
        as_nobody(&world, arguments).unwrap().fails_with(2).says("config.toml: cannot be read: permission denied");
    }
    fs::set_permissions(world.home(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(world.names(), ["f", "f.wax"]);
}

#[test]
fn a_system_that_gives_no_thread_is_named() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let world = World::with_store();
    world.write("f", "x");
    let no_threads = || {
        setrlimit(Resource::Nproc, Rlimit { current: Some(0), maximum: Some(0) })?;
        Ok(())
    };
    let Some(run) = as_nobody_with(&world, &["encrypt", "f"], no_threads) else {
        return skipped("the program cannot be run as another user");
    };
    run.fails_with(1).says("error: cannot watch for interrupts: resource temporarily unavailable");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn an_unreadable_input_is_named() {
    let world = World::with_store();
    world.write("f", "x");
    fs::set_permissions(world.path("f"), fs::Permissions::from_mode(0o000)).unwrap();
    let Some(run) = as_nobody(&world, &["encrypt", "f"]) else {
        return skipped("the program cannot be run as another user");
    };
    run.fails_with(3).says_exactly("error: f: cannot be opened: permission denied");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn a_folder_that_can_be_written_but_not_read_is_written() {
    let world = World::with_store();
    fs::create_dir(world.path("drop")).unwrap();
    for name in ["f", "g"] {
        world.write(name, name);
    }
    fs::set_permissions(world.path("drop"), fs::Permissions::from_mode(0o333)).unwrap();
    let Some(run) = as_nobody(&world, &["encrypt", "f", "-o", "drop/one.wax"]) else {
        return skipped("the program cannot be run as another user");
    };
    run.succeeds_silently();
    as_nobody(&world, &["encrypt", "-q", "f", "g", "-o", "drop"]).unwrap().succeeds_silently();
    fs::set_permissions(world.path("drop"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(names_in(&world.path("drop")), ["f.wax", "g.wax", "one.wax"]);
}

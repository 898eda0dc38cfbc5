//! The ways in which mount(8) calls the program.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::support::{CLEAR, VAULT, is_mounted, mountable, succeeds};
use crate::support::{Run, World, needed, skipped};

/// Calls the program by another name, without the environment that names its home.
fn called(world: &World, name: &str, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    command.arg0(name).args(arguments).current_dir(world.dir()).env_clear().env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null());
    Run::from(command.output().unwrap())
}

#[test]
fn the_helper_of_mount_understands_its_options() {
    let Some(world) = mountable() else { return };
    let (vault, clear) = (world.path(VAULT), world.path(CLEAR));
    let (vault, clear) = (vault.to_str().unwrap(), clear.to_str().unwrap());
    let home = world.home();
    let options = format!("rw,nosuid,nodev,noatime,user=me,x-systemd.automount,home={}", home.display());
    for (name, order) in [("/sbin/mount.fuse.waxseal", "-sn"), ("waxseal", "-n")] {
        called(&world, name, &[vault, clear, order, "-o", &format!("{options},encryption_context=team=a")]).succeeds();
        fs::write(world.path("clear/f"), "content").unwrap();
        world.run(["umount", CLEAR]).succeeds_silently();
        world.run(["cat", "-c", "team=a", "vault/f.wax"]).succeeds_silently();
    }
    called(&world, "mount.fuse.waxseal", &[vault, clear, "-o", &format!("{options},ro")]).succeeds();
    assert_eq!(fs::write(world.path("clear/g"), "x").unwrap_err().raw_os_error(), Some(30));
    world.run(["umount", CLEAR]).succeeds_silently();
}

#[test]
fn what_the_helper_does_not_understand_is_refused() {
    let Some(world) = mountable() else { return };
    let (vault, clear) = (world.path(VAULT), world.path(CLEAR));
    let (vault, clear) = (vault.to_str().unwrap(), clear.to_str().unwrap());
    for (options, text) in [("sync", "unknown option sync"), ("key", "option key needs a value")] {
        let run = called(&world, "mount.fuse.waxseal", &[vault, clear, "-o", options]).fails_with(2);
        run.says(text).says("hint: called like this, waxseal expects what mount(8) gives it");
    }
    called(&world, "mount.fuse.waxseal", &[vault, clear, "-f", "-o", "ro"]).succeeds_silently();
    assert!(!is_mounted(&world.path(CLEAR)));
}

/// mount(8) gives its helpers no environment, so the program has to be where every shell looks. A directory of this tree of
/// mounts only is put there.
const SCRIPT: &str = r#"
set -eu
mount --make-rslave /
mount -t tmpfs tmpfs /usr/local/sbin
ln -s "$WAXSEAL" /usr/local/sbin/waxseal
mount -t fuse.waxseal -o "noatime,noexec,home=$WAXSEAL_HOME" "$PWD/vault" "$PWD/clear"
echo content > clear/f
grep -o " $PWD/clear .*noexec.* - fuse.waxseal" /proc/self/mountinfo | sed 's/.* - //'
"$WAXSEAL" umount clear
"$WAXSEAL" cat vault/f.wax
"#;

#[test]
fn mount_finds_the_program_by_the_type() {
    let Some(world) = mountable() else { return };
    if !rustix::process::geteuid().is_root() {
        return skipped("mount(8) needs root");
    }
    if ["mount", "mount.fuse3", "unshare"].iter().any(|name| needed(name).is_none()) {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", SCRIPT]).current_dir(world.dir());
    command.env("WAXSEAL", env!("CARGO_BIN_EXE_waxseal")).env("WAXSEAL_HOME", world.home());
    assert_eq!(succeeds(&mut command), "fuse.waxseal\ncontent\n");
}

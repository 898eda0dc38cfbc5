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
    let Some(mut script) = with_mounts_of_its_own(&world, SCRIPT) else { return };
    assert_eq!(succeeds(&mut script), "fuse.waxseal\ncontent\n");
}

/// A script that root runs in a tree of mounts of its own, where the programs that mount(8) calls are installed; none, said
/// loudly, where that cannot be.
fn with_mounts_of_its_own(world: &World, script: &str) -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        skipped("mount(8) needs root");
        return None;
    }
    for name in ["mount", "mount.fuse3", "unshare"] {
        needed(name)?;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).current_dir(world.dir());
    command.env("WAXSEAL", env!("CARGO_BIN_EXE_waxseal")).env("WAXSEAL_HOME", world.home());
    Some(command)
}

/// Lines of fstab(5): one that is mounted by its mount point, one by its source, and one for both at once with `mount -a`.
const FSTAB: &str = r#"
set -eu
mount --make-rslave /
mount -t tmpfs tmpfs /usr/local/sbin
ln -s "$WAXSEAL" /usr/local/sbin/waxseal
mkdir vault2 clear2
cat > fstab <<END
# source mount-point type options dump pass
$PWD/vault $PWD/clear fuse.waxseal home=$WAXSEAL_HOME,log=$PWD/mount.log,allow_other,key_ttl=90s,threads=3,noauto 0 0
$PWD/vault2 $PWD/clear2 fuse.waxseal home=$WAXSEAL_HOME,encryption_context=team=a,noatime,x-systemd.requires=network.target,_netdev 0 0
END
shown() { grep -o " $1 .* - fuse.waxseal .*" /proc/self/mountinfo | grep -o "allow_other" || echo "for one"; }
mount -T "$PWD/fstab" "$PWD/clear"
echo one > clear/f
shown "$PWD/clear"
mount -a -T "$PWD/fstab"
echo two > clear2/f
shown "$PWD/clear2"
mount -a -T "$PWD/fstab"
if mount -T "$PWD/fstab" "$PWD/clear" 2> refused; then exit 99; fi
grep -o "a waxseal mount is there already" refused
# Other options hold once it is mounted anew: a helper cannot change what another process serves.
if mount -T "$PWD/fstab" -o remount,ro "$PWD/clear" 2> refused; then echo remounted; else grep -o "unknown option remount" refused; fi
echo three > clear/g
umount "$PWD/clear"
mount -T "$PWD/fstab" -o ro "$PWD/clear"
cat clear/f clear/g
if echo x > clear/f; then exit 99; fi
"$WAXSEAL" umount clear
"$WAXSEAL" umount clear2
"$WAXSEAL" cat -c team=a vault2/f.wax
test -s mount.log
"#;

#[test]
fn lines_of_fstab_are_mounted_by_mount() {
    let Some(world) = mountable() else { return };
    let Some(mut script) = with_mounts_of_its_own(&world, FSTAB) else { return };
    assert_eq!(
        succeeds(&mut script),
        "allow_other\nfor one\na waxseal mount is there already\nunknown option remount\none\nthree\ntwo\n"
    );
}

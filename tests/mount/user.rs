//! A mount of an ordinary user, through `fusermount3`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Stdio};

use super::support::{CLEAR, Mounted, VAULT, mountable};
use crate::support::{Run, needed, skipped};

/// What an ordinary user does with a mount, in a tree of mounts of its own in which everybody may use /dev/fuse.
const SCRIPT: &str = r#"
set -eu
mount --make-rslave /
mount -t tmpfs -o dev tmpfs device
mknod -m 666 device/fuse c 10 229
mount --bind device/fuse /dev/fuse
as_user() { setpriv --reuid nobody --regid nogroup --clear-groups env HOME=/nonexistent WAXSEAL_HOME="$PWD/own" "$@"; }
refused() { if "$@"; then echo "not refused: $*"; exit 99; fi; }
as_user "$WAXSEAL" mount vault clear
as_user sh -c 'echo content > clear/f; mkdir clear/d; touch -d @1000000000.123456789 clear/f; cat clear/f'
as_user stat -c '%U %Y %n' clear/f
# Nobody else gets in, not even root.
refused ls clear
grep -c " $PWD/clear .* - fuse.waxseal .*user_id=65534" /proc/self/mountinfo
refused as_user "$WAXSEAL" mount vault clear
# A program that has a file open.
as_user sh -c 'exec 3< clear/f; touch own/open; while [ -e own/open ]; do sleep 0.05; done' &
until [ -e own/open ]; do sleep 0.05; done
refused as_user "$WAXSEAL" umount clear
rm own/open
wait
as_user "$WAXSEAL" umount clear
refused grep " $PWD/clear " /proc/self/mountinfo
as_user "$WAXSEAL" cat vault/f.wax
# Killed and replaced.
process=$(as_user "$WAXSEAL" --json mount vault clear | sed 's/.*"process":\([0-9]*\).*/\1/')
kill -9 "$process"
until ! as_user ls clear; do sleep 0.05; done
as_user "$WAXSEAL" mount vault clear
as_user cat clear/f
as_user "$WAXSEAL" umount clear
refused as_user "$WAXSEAL" mount --allow-other vault clear
"#;

#[test]
fn an_ordinary_user_mounts_uses_and_unmounts() {
    let Some(world) = mountable() else { return };
    if !rustix::process::geteuid().is_root() {
        return skipped("becoming another user needs root");
    }
    for name in ["fusermount3", "setpriv", "unshare"] {
        if needed(name).is_none() {
            return;
        }
    }
    const NOBODY: u32 = 65534;
    fs::create_dir(world.path("device")).unwrap();
    fs::create_dir(world.path("own")).unwrap();
    for name in [VAULT, CLEAR, "own"] {
        chown(world.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let home = world.dir();
    fs::set_permissions(home.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    // The build may lie where others may not look.
    fs::copy(env!("CARGO_BIN_EXE_waxseal"), world.path("program")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", SCRIPT]).current_dir(&home).env("WAXSEAL", world.path("program"));
    command.stdin(Stdio::null()).env_remove("WAXSEAL_HOME");
    let run = Run::from(command.output().unwrap()).succeeds();
    assert_eq!(run.text(), "content\nnobody 1000000000 clear/f\n1\ncontent\ncontent\n");
    run.says("option allow_other only allowed if 'user_allow_other' is set").says("hint: --allow-other needs the line");
}

#[test]
fn others_get_in_only_if_root_lets_them_and_as_far_as_modes_go() {
    let Some(world) = mountable() else { return };
    if !rustix::process::geteuid().is_root() {
        return skipped("becoming another user needs root");
    }
    let Some(setpriv) = needed("setpriv") else { return };
    fs::set_permissions(world.dir().parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |line: &str| {
        let mut command = Command::new(&setpriv);
        command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "sh", "-c", line]);
        Run::from(command.current_dir(world.dir()).stdin(Stdio::null()).output().unwrap())
    };
    for allowed in [false, true] {
        let mounted = Mounted::new(&world, if allowed { &["--allow-other"] } else { &[] });
        for (name, mode) in [("open", 0o644), ("closed", 0o600), ("shared", 0o666)] {
            fs::write(mounted.path(name), name).unwrap();
            fs::set_permissions(mounted.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(mounted.path("anybodys")).ok();
        fs::set_permissions(mounted.path("anybodys"), fs::Permissions::from_mode(0o1777)).unwrap();
        if allowed {
            assert_eq!(as_nobody("cat clear/open; echo more >> clear/shared").succeeds().text(), "open");
            as_nobody("cat clear/closed").fails_with(1).says("Permission denied");
            as_nobody("echo x > clear/open").fails_with(2);
            as_nobody("echo x > clear/new").fails_with(2);
            // What somebody makes is his, and in a sticky directory others leave it alone.
            fs::write(mounted.path("anybodys/roots"), "x").unwrap();
            as_nobody("rm -f clear/anybodys/roots").fails_with(1).says("Operation not permitted");
            as_nobody("mv clear/anybodys/roots clear/anybodys/mine").fails_with(1);
            let made = as_nobody("echo x > clear/anybodys/mine && stat -c '%U %G' clear/anybodys/mine").succeeds();
            assert_eq!(made.text(), "nobody nogroup\n");
            assert_eq!(fs::read(mounted.path("shared")).unwrap(), b"sharedmore\n");
        } else {
            as_nobody("ls clear").fails_with(2).says("Permission denied");
            as_nobody("cat clear/open").fails_with(1).says("Permission denied");
        }
        mounted.unmount();
    }
}

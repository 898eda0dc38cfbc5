//! The unit `docs/waxseal@.service`: systemd takes it, and what it says mounts and unmounts.

use std::fs;
use std::process::Command;

use super::support::{mountable, succeeds};
use crate::support::{needed, program, skipped};

/// The unit as it is shipped.
const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/waxseal@.service");

/// The values that the unit gives a key, with `papers` as its instance.
fn values(key: &str) -> Vec<String> {
    let unit = fs::read_to_string(UNIT).unwrap();
    let lines = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.map(|value| value.replace("%i", "papers")).collect()
}

/// The one value of a key.
#[track_caller]
fn value(key: &str) -> String {
    let [value] = <[String; 1]>::try_from(values(key)).unwrap();
    value
}

/// What systemd does with the unit, in a tree of mounts of its own in which the places that the unit names are empty: it calls
/// the commands with the unit's environment and its own path, and of a command of the type `forking` the process goes on.
const SCRIPT: &str = r#"
set -eu
mount --make-rslave /
for place in /usr/local/bin /var/lib /srv; do mount -t tmpfs tmpfs "$place"; done
ln -s "$WAXSEAL" /usr/local/bin/waxseal
mkdir /srv/papers.vault /srv/papers
run() { env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin "$ENVIRONMENT" sh -c "$1"; }
run "$START"
echo content > /srv/papers/f
grep -o " /srv/papers .* - fuse.waxseal .*allow_other" /proc/self/mountinfo | grep -o "^ [^ ]*"
# Started again, it says that it is there, and changes nothing.
if run "$START" 2> /dev/null; then exit 99; fi
cat /srv/papers/f
run "$STOP"
# Killed, and started again as `Restart=on-failure` asks for.
kill -9 "$(run "$START --json" | sed 's/.*"process":\([0-9]*\).*/\1/')"
until ! ls /srv/papers > /dev/null 2>&1; do sleep 0.05; done
run "$START" 2> /dev/null
cat /srv/papers/f
run "$STOP"
if grep " /srv/papers " /proc/self/mountinfo; then exit 99; fi
ls /srv/papers.vault
run "waxseal cat /srv/papers.vault/f.wax"
"#;

#[test]
fn what_the_unit_says_mounts_and_unmounts() {
    let Some(world) = mountable() else { return };
    if !rustix::process::geteuid().is_root() {
        return skipped("the unit is run by root");
    }
    if needed("unshare").is_none() {
        return;
    }
    assert_eq!(value("Type"), "forking", "the command returns when the mount is ready, and the process goes on");
    let mut script = Command::new("unshare");
    script.args(["-m", "sh", "-c", SCRIPT]).current_dir(world.dir()).env("WAXSEAL", env!("CARGO_BIN_EXE_waxseal"));
    // A hyphen says that systemd does not mind if the command fails.
    let stop = value("ExecStop").trim_start_matches('-').to_owned();
    script.env("ENVIRONMENT", value("Environment")).env("START", value("ExecStart")).env("STOP", stop);
    assert_eq!(succeeds(&mut script), " /srv/papers\ncontent\ncontent\nf.wax\ncontent\n");
}

#[test]
fn systemd_understands_the_units() {
    let Some(analyze) = program("systemd-analyze") else {
        return skipped("systemd-analyze is not installed");
    };
    let Some(world) = mountable() else { return };
    // It wants to find the command, and an instance.
    let command = format!("={} ", env!("CARGO_BIN_EXE_waxseal"));
    let unit = fs::read_to_string(UNIT).unwrap();
    let unit = unit.replace("=waxseal ", &command).replace("=-waxseal ", &command.replace('=', "=-"));
    world.write("waxseal@papers.service", unit);
    let told = Command::new(&analyze).arg("verify").arg(world.path("waxseal@papers.service")).output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    // Of units of the system's own it may say something too.
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("waxseal")).collect();
    assert!(ours.is_empty(), "{}", ours.join("\n"));
}

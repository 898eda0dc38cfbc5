//! pjdfstest: what POSIX says of names, modes, owners, times and errors.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::support::{Mounted, mountable};
use crate::support::{Run, needed, skipped};

/// As many tests as a plain passthrough over FUSE passes, on which nothing fails either.
const PASSED_BY_A_PASSTHROUGH: usize = 384;

#[test]
fn pjdfstest_finds_no_failure_that_a_passthrough_does_not_have() {
    let (Some(world), Some(pjdfstest)) = (mountable(), needed("pjdfstest")) else { return };
    if !rustix::process::geteuid().is_root() {
        return skipped("pjdfstest needs root to become other users");
    }
    // Other users have to come in, and what they make they have to be able to remove.
    fs::set_permissions(world.dir().parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let mounted = Mounted::new(&world, &["--allow-other"]);
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/full/pjdfstest.toml");
    let mut command = Command::new(pjdfstest);
    command.args(["-c", config, "-p"]).arg(mounted.root());
    // Links and renames from one file system to another need another one.
    if fs::metadata("/dev/shm").is_ok() {
        command.args(["-s", "/dev/shm"]);
    }
    let run = Run::from(command.output().unwrap());
    // A failure is followed by its reason, as far as the next result.
    let told: Vec<&str> =
        run.text().lines().filter(|line| !line.ends_with(" ok") && !line.ends_with("skipped")).collect();
    assert!(run.code == Some(0), "{}\n{}\n{}", told.join("\n"), run.stderr, mounted.log());
    // Summary: 0 failed, 14 skipped, 384 passed, 0 expected failures, 398 total
    let summary = run.text().lines().rfind(|line| line.starts_with("Summary: ")).unwrap();
    let count = |what: &str| {
        let part = summary.trim_start_matches("Summary: ").split(", ").find(|part| part.ends_with(what)).unwrap();
        part.split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(count(" failed"), 0, "{summary}");
    assert!(count(" passed") >= PASSED_BY_A_PASSTHROUGH, "{summary}");
    mounted.unmount();
}

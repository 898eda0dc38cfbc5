//! fsx: random operations on one file, every kind of them, each read compared with what was written.

use std::fs;
use std::process::Command;

use super::support::{Mounted, containers_hold, mountable, scale, succeeds};
use crate::support::{SUITES, needed};

/// How many operations a seed gets when nothing longer is asked for.
const OPERATIONS: u64 = 2000;

#[test]
fn fsx_finds_no_difference() {
    let Some(fsx) = needed("fsx") else { return };
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/full/fsx.toml");
    for (seed, suite) in [1, 42, 4711].into_iter().zip(SUITES.into_iter().cycle()) {
        let Some(world) = mountable() else { return };
        let mounted = Mounted::new(&world, &["--suite", suite]);
        let mut command = Command::new(&fsx);
        command.args(["-q", "-f", config, "-S", &seed.to_string(), "-N", &(OPERATIONS * scale()).to_string()]);
        succeeds(command.arg("-P").arg(world.dir()).arg(mounted.path("f")));
        let content = fs::read(mounted.path("f")).unwrap();
        mounted.unmount();
        containers_hold(&world, &[("f".to_owned(), content)]);
    }
}

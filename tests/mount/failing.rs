//! A file system below that fails on demand: `fuse/examples/passthrough`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::support::{VAULT, detach, is_mounted};
use crate::support::{World, skipped};

/// A directory that fails when it is told to, mounted where the containers are.
pub(super) struct Failing<'a> {
    world: &'a World,
    server: Child,
}

impl<'a> Failing<'a> {
    /// Serves it; none, said loudly, where the program that fails is not built.
    pub(super) fn new(world: &'a World) -> Option<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_waxseal")).parent().unwrap().join("examples/passthrough");
        if !program.is_file() {
            skipped("the passthrough is not built: cargo build -p waxseal-fuse --examples");
            return None;
        }
        fs::create_dir(world.path("disk")).unwrap();
        let mut command = Command::new(program);
        command.args([world.path("disk"), world.path(VAULT), world.path("faults")]).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Some(Self { world, server })
    }

    /// From now on, every so many calls of this name meet this fault.
    pub(super) fn fails(&self, fault: &str) {
        // In one step: a file that is half written would be half believed.
        fs::write(self.world.path("told"), fault).unwrap();
        fs::rename(self.world.path("told"), self.world.path("faults")).unwrap();
    }

    /// Nothing fails any more.
    pub(super) fn works(&self) {
        fs::remove_file(self.world.path("faults")).unwrap();
    }
}

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        let below: PathBuf = self.world.path(VAULT);
        if is_mounted(&below) {
            detach(&below);
        }
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

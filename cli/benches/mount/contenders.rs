//! The contenders: the plain directory and three file systems on such a directory, each served by a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::daemon::{CpuTime, Daemon};
use crate::scratch::Scratch;

/// After this time without a request Waxseal has settled what was closed.
const SETTLES_AFTER: Duration = Duration::from_millis(1500);

/// How a directory is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// As it is.
    Plain,
    /// Through a file system that passes everything on (`fuse/examples/passthrough`).
    Passthrough,
    /// Through gocryptfs.
    Gocryptfs,
    /// Through Waxseal.
    Waxseal,
}

impl Contender {
    /// The name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain directory",
            Self::Passthrough => "passthrough",
            Self::Gocryptfs => "gocryptfs",
            Self::Waxseal => "waxseal",
        }
    }
}

/// The programs that are here.
#[derive(Debug)]
pub(crate) struct Tools {
    /// What `gocryptfs -version` says, if it is installed.
    gocryptfs: Option<String>,
}

impl Tools {
    /// Builds the passthrough, and looks for gocryptfs. Says loudly if it is not installed.
    pub(crate) fn find() -> Outcome<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = ["build", "--quiet", "--release", "--package", "waxseal-fuse", "--example", "passthrough"];
        run(Command::new(cargo).args(build).current_dir(env!("CARGO_MANIFEST_DIR")))?;
        let found = Command::new("gocryptfs").arg("-version").output().ok();
        let gocryptfs = found.map(|output| {
            let text = String::from_utf8_lossy(&output.stdout);
            text.split(';').next().unwrap_or("gocryptfs").trim().to_owned()
        });
        if gocryptfs.is_none() {
            eprintln!("SKIPPED: gocryptfs is not installed and is left out of the comparison");
        }
        Ok(Self { gocryptfs })
    }

    /// The contenders that are here.
    pub(crate) fn present(&self) -> impl Iterator<Item = Contender> + '_ {
        let all = [Contender::Plain, Contender::Passthrough, Contender::Gocryptfs, Contender::Waxseal];
        all.into_iter().filter(|contender| *contender != Contender::Gocryptfs || self.gocryptfs.is_some())
    }

    /// What each program calls its version.
    pub(crate) fn versions(&self) -> String {
        let ours = format!("waxseal {}", env!("CARGO_PKG_VERSION"));
        [Some(ours), self.gocryptfs.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// A directory that is ready to be used by one contender. Its mount is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    contender: Contender,
    root: PathBuf,
    daemon: Option<Daemon>,
}

impl Mounted {
    /// Makes an empty directory, and mounts it.
    pub(crate) fn new(contender: Contender, scratch: &Scratch) -> Outcome<Self> {
        let below = backing(contender, scratch);
        fs::create_dir_all(&below)?;
        let beside = |suffix: &str| {
            let mut path = below.clone().into_os_string();
            path.push(suffix);
            PathBuf::from(path)
        };
        let (root, log) = (beside("-mount"), beside("-log"));
        let command = match contender {
            Contender::Plain => return Ok(Self { contender, root: below, daemon: None }),
            Contender::Passthrough => passthrough(&below, &root),
            Contender::Gocryptfs => gocryptfs(&below, &root, &beside("-password"))?,
            Contender::Waxseal => waxseal(&below, &root, &beside("-home"))?,
        };
        fs::create_dir_all(&root)?;
        let mut command = command;
        let daemon = Daemon::start(&mut command, &root, &log)?;
        Ok(Self { contender, root, daemon: Some(daemon) })
    }

    /// Who uses it.
    pub(crate) fn contender(&self) -> Contender {
        self.contender
    }

    /// A path in what it shows.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The CPU time that its process has used so far; none for the plain directory.
    pub(crate) fn cpu_time(&self) -> Outcome<CpuTime> {
        self.daemon.as_ref().map_or(Ok(CpuTime::default()), Daemon::cpu_time)
    }

    /// The largest resident memory that its process has had, in MiB; none for the plain directory.
    pub(crate) fn peak(&self) -> Outcome<Option<f64>> {
        self.daemon.as_ref().map(Daemon::peak).transpose()
    }

    /// Waits until its process has done what it does after the last close.
    pub(crate) fn rest(&self) {
        if self.contender == Contender::Waxseal {
            thread::sleep(SETTLES_AFTER);
        }
    }
}

/// The directory below a contender's mount.
pub(crate) fn backing(contender: Contender, scratch: &Scratch) -> PathBuf {
    scratch.path(contender.name().split(' ').next().unwrap_or_default())
}

fn passthrough(below: &Path, root: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_waxseal")).with_file_name("examples").join("passthrough");
    let mut command = Command::new(program);
    command.arg(below).arg(root);
    command
}

fn gocryptfs(below: &Path, root: &Path, password: &Path) -> Outcome<Command> {
    if !password.exists() {
        fs::write(password, "not a secret\n")?;
        // The password is not what is measured: its key derivation is the cheapest there is.
        let init = ["-q", "-init", "-scryptn", "10", "-passfile"];
        run(Command::new("gocryptfs").args(init).arg(password).arg(below))?;
    }
    let mut command = Command::new("gocryptfs");
    command.args(["-q", "-fg", "-passfile"]).arg(password).arg(below).arg(root);
    Ok(command)
}

fn waxseal(below: &Path, root: &Path, home: &Path) -> Outcome<Command> {
    let program = env!("CARGO_BIN_EXE_waxseal");
    if !home.exists() {
        run(Command::new(program).args(["kms", "init", "-q", "--home"]).arg(home))?;
    }
    let mut command = Command::new(program);
    // As a mount in the background has it.
    command.env("MALLOC_ARENA_MAX", "2");
    command.args(["mount", "-q", "--foreground", "--home"]).arg(home).arg(below).arg(root);
    Ok(command)
}

/// Runs a command that is not measured.
fn run(command: &mut Command) -> Outcome<()> {
    let output = command.output().map_err(|error| format!("{command:?} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

//! The harness: the real program, in a directory and an environment of its own for each test.

pub(crate) mod traced;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use waxseal_container::{Editor, Header};
use waxseal_envelope::{Envelope, Reading};
use waxseal_kms_local::LocalKms;

/// A scratch directory with a home of its own in `home/` and a working directory in `work/`.
pub(crate) struct World {
    scratch: TempDir,
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Standard error, as text.
    pub(crate) stderr: String,
}

impl World {
    /// Makes an empty one; no key store exists yet.
    pub(crate) fn new() -> Self {
        let scratch = tempfile::Builder::new().prefix("waxseal-test-").tempdir().unwrap();
        fs::create_dir(scratch.path().join("work")).unwrap();
        Self { scratch }
    }

    /// Makes one with a key store in it.
    pub(crate) fn with_store() -> Self {
        let world = Self::new();
        world.run(["kms", "init"]).succeeds();
        world
    }

    /// The directory in which the program runs.
    pub(crate) fn dir(&self) -> PathBuf {
        self.scratch.path().join("work")
    }

    /// The home that the program is given.
    pub(crate) fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    /// A path in the working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Writes a file in the working directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Reads a file in the working directory.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names in the working directory, sorted; temporary files would be among them.
    pub(crate) fn names(&self) -> Vec<String> {
        names_in(&self.dir())
    }

    /// A command line of the program, with nothing in its environment but the home.
    pub(crate) fn command<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = with_default_signals();
        command.arg(env!("CARGO_BIN_EXE_waxseal")).args(arguments).current_dir(self.dir()).env_clear();
        command.env("WAXSEAL_HOME", self.home()).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: setsid(2) may be called between fork and exec.
        unsafe { command.pre_exec(leave_the_terminal) };
        command
    }

    /// A command line of the program, as a shell reads it, on a terminal of its own: what is written to it is typed, and what
    /// it writes is shown. None, said loudly, where script(1) is missing.
    pub(crate) fn on_terminal(&self, arguments: &str) -> Option<Command> {
        let mut command = with_default_signals();
        command.arg(needed("script")?).arg("-qec");
        command.arg(format!("{} {arguments}", env!("CARGO_BIN_EXE_waxseal"))).arg("/dev/null");
        command.current_dir(self.dir()).env("WAXSEAL_HOME", self.home());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Some(command)
    }

    /// Runs the program without input.
    pub(crate) fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }

    /// Runs the program with `input` on standard input, through a pipe.
    pub(crate) fn pipe<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>, input: &[u8]) -> Run {
        feed(self.command(arguments).stdin(Stdio::piped()), input)
    }

    /// Encrypts `content` in `suite` to `name`, which ends in `.wax`; the plaintext is not kept.
    pub(crate) fn container(&self, name: &str, content: &[u8], suite: &str) {
        self.pipe(["encrypt", "--suite", suite, "-o", name], content).succeeds();
    }
}

impl Run {
    /// Asserts exit code 0 and silence on standard error.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Asserts exit code 0 and nothing on standard error.
    #[track_caller]
    pub(crate) fn succeeds_silently(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self
    }

    /// Asserts an exit code.
    #[track_caller]
    pub(crate) fn fails_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Asserts that standard error is exactly `text`.
    #[track_caller]
    pub(crate) fn says_exactly(self, text: &str) -> Self {
        assert_eq!(self.stderr.trim_end(), text.trim_end());
        self
    }

    /// Asserts that standard error holds `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        self
    }

    /// Asserts that nothing was written to standard output.
    #[track_caller]
    pub(crate) fn writes_nothing(self) -> Self {
        assert!(self.stdout.is_empty(), "{} bytes on standard output", self.stdout.len());
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json_text(&self) -> Value {
        serde_json::from_str(self.text()).unwrap()
    }

    /// The JSON objects on standard output, one a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        json_lines(self.text())
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self { code: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
    }
}

/// Opens a container of the world's own store for writing in place, as a mount does.
pub(crate) fn edited(world: &World, name: &str) -> Editor<File> {
    let mut no_passphrase = || Err("no passphrase is needed".into());
    let kms = LocalKms::open(&world.home().join("kms"), &mut no_passphrase).unwrap();
    let file = File::options().read(true).write(true).open(world.path(name)).unwrap();
    let header = Header::read_from(&mut &file).unwrap();
    let envelope = Envelope::new(vec![Arc::new(kms)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let opened = runtime.block_on(envelope.open(header, &Reading::default())).unwrap();
    Editor::open(opened.unlocked, file).unwrap()
}

/// Gives up the terminal that the tests may have been started from: nobody is there to type a passphrase.
fn leave_the_terminal() -> std::io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// Parses JSON objects, one a line.
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// Runs a command with `input` through a pipe.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Run {
    let mut child: Child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that refuses its input closes the pipe early.
            stdin.write_all(input).ok();
        });
        Run::from(child.wait_with_output().unwrap())
    })
}

/// The names in a directory, sorted.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Bytes that look random, the same for the same seed.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Starts what follows with the signals that a program begins with: whoever runs the tests may ignore some (nohup does, and
/// so does a shell in the background), and a program inherits that.
fn with_default_signals() -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal=HUP,INT,TERM,QUIT,XFSZ");
    command
}

/// Says loudly that a test could not run here, and fails where everything has to run.
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "this test has to run in CI: {why}");
    // Written past the test harness, which keeps what a passing test prints to itself.
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

/// Finds a program: on the path, or among those that `.ci/run` installs beside the build.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let build = Path::new(env!("CARGO_BIN_EXE_waxseal")).parent().and_then(Path::parent);
    let tools = build.into_iter().flat_map(|path| [path.join("tools/bin"), path.join("tools/venv/bin")]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = tools.chain(std::env::split_paths(&path)).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Finds a program, or says loudly that the test is skipped.
pub(crate) fn needed(name: &str) -> Option<PathBuf> {
    let found = program(name);
    if found.is_none() {
        skipped(&format!("{name} is not installed"));
    }
    found
}

/// How much longer than usual the random tests are to be.
pub(crate) fn scale() -> u64 {
    let asked = std::env::var("WAXSEAL_TEST_SCALE").ok();
    asked.map_or(1, |text| text.parse().expect("WAXSEAL_TEST_SCALE is a whole number"))
}

/// Both suites by name.
pub(crate) const SUITES: [&str; 2] = ["aes-256-gcm-siv", "xchacha20-poly1305"];

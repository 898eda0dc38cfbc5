//! A served key store, and the programs of AWS that are pointed at it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Run, World, json_lines, needed, skipped};

/// A server that is a child of the test, with a credential. It is killed when dropped.
pub(crate) struct Served<'a> {
    world: &'a World,
    process: Option<Child>,
    /// Where it listens, as it says itself.
    pub(crate) endpoint: String,
    access_key: AccessKey,
}

/// An access key.
#[derive(Clone, Debug)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl AccessKey {
    /// Makes one with the program.
    pub(crate) fn new(world: &World, name: &str) -> Self {
        let made = world.run(["kms", "credentials", "create", "--name", name]).succeeds();
        let made: Value = serde_json::from_str(made.text()).unwrap();
        let member = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { id: member("AccessKeyId"), secret: member("SecretAccessKey") }
    }
}

impl<'a> Served<'a> {
    /// Serves the world's store at any free port, with a new credential.
    pub(crate) fn new(world: &'a World, name: &str) -> Self {
        let access_key = AccessKey::new(world, name);
        Self::with(world, access_key, &[])
    }

    /// Serves the world's store with more options.
    pub(crate) fn with(world: &'a World, access_key: AccessKey, options: &[&str]) -> Self {
        Self::begin(
            world.command(["--json", "kms", "serve", "--listen", "127.0.0.1:0"].iter().chain(options)),
            world,
            access_key,
        )
    }

    /// Serves the world's store at a Unix socket in its working directory, where nobody signs.
    pub(crate) fn listening(world: &'a World, place: &str, options: &[&str]) -> Self {
        let nobody = AccessKey { id: String::new(), secret: String::new() };
        Self::begin(world.command(["--json", "kms", "serve", "--listen", place].iter().chain(options)), world, nobody)
    }

    /// Starts a server with such a command line, and returns when it listens.
    pub(crate) fn begin(mut command: Command, world: &'a World, access_key: AccessKey) -> Self {
        let log = File::options().append(true).create(true).open(world.path("server.log")).unwrap();
        let mut process = command.stderr(log).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let ready = json_lines(&ready).pop().unwrap();
        assert_eq!(ready["operation"], "serve", "{ready}");
        let endpoint = ready["endpoint"].as_str().unwrap().to_owned();
        Self { world, process: Some(process), endpoint, access_key }
    }

    /// What the server has said so far, a JSON object a line.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.world.path("server.log")).unwrap()
    }

    /// Runs the AWS CLI on it.
    pub(crate) fn aws(&self, aws: &Path, arguments: &[&str]) -> Run {
        Run::from(self.client(aws).args(arguments).output().unwrap())
    }

    /// A program with nothing in its environment but where the KMS is, and how to sign for it.
    pub(crate) fn client(&self, program: &Path) -> Command {
        client(self.world, program, &self.endpoint, &self.access_key)
    }

    /// The environment of a program that is to use it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        let AccessKey { id, secret } = &self.access_key;
        [
            ("AWS_ENDPOINT_URL_KMS", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", id.clone()),
            ("AWS_SECRET_ACCESS_KEY", secret.clone()),
        ]
    }

    /// Ends it with a signal; it ends well.
    pub(crate) fn end(mut self, signal: Signal) {
        let process = self.process.take().unwrap();
        kill_process(Pid::from_child(&process), signal).unwrap();
        assert_eq!(Run::from(process.wait_with_output().unwrap()).code, Some(0));
    }

    /// Kills it as the kernel does when memory runs out.
    pub(crate) fn kill(mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// A program of AWS's that is to use the KMS at `endpoint`.
pub(crate) fn client(world: &World, program: &Path, endpoint: &str, key: &AccessKey) -> Command {
    let mut command = Command::new(program);
    command.current_dir(world.dir()).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", world.dir());
    command.env("AWS_ENDPOINT_URL_KMS", endpoint).env("AWS_DEFAULT_REGION", "us-east-1").env("AWS_MAX_ATTEMPTS", "1");
    command.env("AWS_ACCESS_KEY_ID", &key.id).env("AWS_SECRET_ACCESS_KEY", &key.secret);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A script of these tests.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/serve").join(name)
}

/// Node with the AWS SDK for JavaScript, or says loudly that the test is skipped.
pub(crate) fn node() -> Option<Command> {
    let program = needed("node")?;
    let build = Path::new(env!("CARGO_BIN_EXE_waxseal")).parent().and_then(Path::parent)?;
    let modules = build.join("tools/js/node_modules");
    if !modules.join("@aws-sdk/client-kms").is_dir() {
        skipped("the AWS SDK for JavaScript is not installed: see tests/package.json");
        return None;
    }
    let mut command = Command::new(program);
    command.env("NODE_PATH", modules);
    Some(command)
}

/// The Python that has the AWS SDKs, or says loudly that the test is skipped.
pub(crate) fn python() -> Option<PathBuf> {
    // Another Python on the path would not have them: it is the one beside the AWS CLI.
    let aws = needed("moto_server")?;
    Some(aws.with_file_name("python3"))
}

//! The contenders: where their programs are, and how each is asked to do the same thing.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::measure::Stage;
use crate::place::Place;

/// Encrypting or decrypting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Plaintext to container.
    Encrypt,
    /// Container to plaintext.
    Decrypt,
}

impl Direction {
    /// The word for it, in commands and in the report.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
        }
    }
}

/// A program that copies a file from one name to another, encrypting it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// This project.
    Waxseal,
    /// The floor: what copying costs without any cryptography.
    Cp,
    /// age, written in Go.
    Age,
    /// rage, age's format in Rust.
    Rage,
}

impl Tool {
    /// The name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waxseal => "waxseal",
            Self::Cp => "cp",
            Self::Age => "age",
            Self::Rage => "rage",
        }
    }
}

/// The programs on this machine, and the keys made for them.
#[derive(Debug)]
pub(crate) struct Tools {
    home: PathBuf,
    identity: PathBuf,
    recipient: String,
    present: Vec<(Tool, String)>,
}

impl Tools {
    /// Looks for the programs and makes their keys. Says loudly which are not installed.
    pub(crate) fn find(place: &Place) -> Outcome<Self> {
        let mut present = Vec::new();
        for tool in [Tool::Waxseal, Tool::Cp, Tool::Age, Tool::Rage] {
            match version(&program(tool)) {
                Some(version) => present.push((tool, version)),
                None => eprintln!("SKIPPED: {} is not installed and is left out of the comparison", tool.name()),
            }
        }
        let home = place.path("home");
        run(Command::new(program(Tool::Waxseal)).arg("kms").arg("init").arg("-q").arg("--home").arg(&home))?;

        let mut tools = Self { home, identity: place.path("identity"), recipient: String::new(), present };
        tools.make_identity()?;
        Ok(tools)
    }

    /// The programs that are here.
    pub(crate) fn present(&self) -> impl Iterator<Item = Tool> + '_ {
        self.present.iter().map(|(tool, _)| *tool)
    }

    /// What each program calls its version.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &str> {
        self.present.iter().map(|(_, version)| version.as_str())
    }

    /// The command of one tool from a file to a file.
    pub(crate) fn file_to_file(&self, tool: Tool, direction: Direction, input: &Path, output: &Path) -> Stage {
        let stage = Stage::new(program(tool));
        match tool {
            Tool::Cp => stage.args([input, output]),
            Tool::Waxseal => self.waxseal(direction.word()).args(["-q", "-o"]).args([output, input]),
            Tool::Age | Tool::Rage => {
                let (side, key) = match direction {
                    Direction::Encrypt => (["-e", "-r"], OsStr::new(&self.recipient)),
                    Direction::Decrypt => (["-d", "-i"], self.identity.as_os_str()),
                };
                stage.args(side).args([key]).args(["-o"]).args([output, input])
            }
        }
    }

    /// `waxseal` with one subcommand and the benchmark's own home.
    pub(crate) fn waxseal(&self, subcommand: &str) -> Stage {
        Stage::new(program(Tool::Waxseal)).args([subcommand, "--home"]).args([&self.home])
    }

    /// Makes one X25519 identity for age and rage, whose files are the same.
    fn make_identity(&mut self) -> Outcome<()> {
        let Some(tool) = self.present().find(|tool| matches!(tool, Tool::Age | Tool::Rage)) else { return Ok(()) };
        let keygen = format!("{}-keygen", tool.name());
        run(Command::new(keygen).arg("-o").arg(&self.identity))?;
        let text = fs::read_to_string(&self.identity)?;
        let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: "));
        self.recipient = recipient.ok_or("the identity file names no public key")?.to_owned();
        Ok(())
    }
}

fn program(tool: Tool) -> PathBuf {
    match tool {
        Tool::Waxseal => PathBuf::from(env!("CARGO_BIN_EXE_waxseal")),
        other => PathBuf::from(other.name()),
    }
}

/// The first line of what `--version` prints, or nothing if the program does not start.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let line = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    let name = program.file_name()?.to_string_lossy().into_owned();
    Some(if line.contains(name.as_str()) { line } else { format!("{name} {line}") })
}

/// Runs a command that is not measured.
fn run(command: &mut Command) -> Outcome<()> {
    let output = command.output().map_err(|error| format!("{command:?} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}

//! The harness of the operations' tests.

use serde_json::Value;

use crate::support::{Run, World};

/// The alias that every store begins with.
pub(super) const DEFAULT: &str = "alias/default";

/// What the tests ask of a run of the program.
pub(super) trait Answers {
    /// The answer, printed as one JSON text.
    fn answer(&self) -> Value;
    /// A member of the answer that is a text.
    fn text_at(&self, pointer: &str) -> String;
    /// Asserts the AWS CLI's line, and the exit code of a refusal.
    fn refuses_with(self, exception: &str, operation: &str, message: &str) -> Self;
}

impl Answers for Run {
    #[track_caller]
    fn answer(&self) -> Value {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    fn text_at(&self, pointer: &str) -> String {
        let answer = self.answer();
        let found = answer.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text {pointer} in {answer}")).to_owned()
    }

    #[track_caller]
    fn refuses_with(self, exception: &str, operation: &str, message: &str) -> Self {
        let line = format!("\nAn error occurred ({exception}) when calling the {operation} operation: {message}");
        let run = self.fails_with(8).writes_nothing();
        assert!(run.stderr.starts_with(&line), "{line:?} does not begin:\n{:?}", run.stderr);
        run
    }
}

/// Runs an operation.
pub(super) fn kms(world: &World, arguments: &[&str]) -> Run {
    world.run(["kms"].iter().chain(arguments))
}

/// Makes a symmetric key, and gives its id.
pub(super) fn create_key(world: &World) -> String {
    kms(world, &["create-key"]).text_at("/KeyMetadata/KeyId")
}

/// Decodes base64 as the answers have it, by a program that is not ours.
pub(super) fn decoded(world: &World, base64: &str) -> Vec<u8> {
    let mut command = std::process::Command::new("base64");
    command.args(["-d"]).current_dir(world.dir());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    crate::support::feed(&mut command, base64.as_bytes()).succeeds().stdout
}

//! What is said about one file that was worked on.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde_json::{Map, Value, json};
use waxseal_key_service::EncryptionContext;

use crate::atomic::cannot_write;
use crate::error::{Class, CliError};
use crate::shown::shown;

/// The longest first line of a report that is looked at, in bytes.
const MAX_FIRST_LINE: u64 = 1 << 20;

/// A file to which every failure of a run is written, and at the end its summary: without that line the run did not end.
#[derive(Debug)]
pub(crate) struct FailureLog {
    file: File,
    path: PathBuf,
}

impl FailureLog {
    /// Makes the file, or empties that of an earlier run. Nothing else is touched: whoever gets the words of a command
    /// line into a wrong order loses no file by it.
    pub(crate) fn create(path: &Path) -> Result<Self, CliError> {
        let cannot = |error: Errno| cannot_write(path, error.into());
        let flags =
            OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = |more| rustix::fs::open(path, flags | more, Mode::from_raw_mode(0o666)).map(File::from);
        let file = match open(OFlags::CREATE | OFlags::EXCL) {
            Ok(file) => file,
            Err(Errno::EXIST) => match open(OFlags::empty()) {
                Ok(file) => {
                    if !is_replaceable(&file).map_err(|error| cannot_write(path, error))? {
                        return Err(no_report(path));
                    }
                    file.set_len(0).map_err(|error| cannot_write(path, error))?;
                    file
                }
                Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(no_report(path)),
                Err(error) => return Err(cannot(error)),
            },
            Err(error) => return Err(cannot(error)),
        };
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes one object, as one line.
    pub(crate) fn write(&self, object: &Value) -> Result<(), CliError> {
        let line = format!("{object}\n");
        (&self.file).write_all(line.as_bytes()).map_err(|error| cannot_write(&self.path, error).fatal())
    }
}

/// Whether a file may be emptied for a report: a regular file that has nothing in it, or an earlier report, which begins with
/// an object of ours.
fn is_replaceable(file: &File) -> io::Result<bool> {
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut line = Vec::new();
    BufReader::new(file).take(MAX_FIRST_LINE).read_until(b'\n', &mut line)?;
    let is_ours = |object: Value| object["v"] == 1 && (object["status"] == "error" || object["status"] == "summary");
    Ok(line.is_empty() || serde_json::from_slice(&line).is_ok_and(is_ours))
}

/// The error of a report that would take the place of something else.
fn no_report(path: &Path) -> CliError {
    CliError::new(Class::Output, "is there already, and is no report of an earlier run")
        .file(path)
        .hint("name a new file with --report FILE, or remove this one")
}

/// The facts of a success.
#[derive(Clone, Debug)]
pub(crate) struct FileReport {
    /// The input.
    pub(crate) file: PathBuf,
    /// The output; none is standard output, or no output at all.
    pub(crate) output: Option<PathBuf>,
    /// Size of the plaintext that was read or written.
    pub(crate) plaintext_bytes: u64,
    /// The KMS keys that open a file that was made; the one that opened a file that was read.
    pub(crate) keys: Vec<String>,
    /// The encryption context, in the order of its names.
    pub(crate) context: Vec<(String, String)>,
    /// What only this command says.
    pub(crate) details: Details,
}

impl FileReport {
    /// What all commands say of a container; these are the keys that open it, or the one that did.
    pub(crate) fn new(
        file: &Path,
        plaintext_bytes: u64,
        keys: impl IntoIterator<Item = impl ToString>,
        context: &EncryptionContext,
    ) -> Self {
        Self {
            file: file.to_owned(),
            output: None,
            plaintext_bytes,
            keys: keys.into_iter().map(|key| key.to_string()).collect(),
            context: context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            details: Details::default(),
        }
    }
}

/// What a command says of a file beyond what all commands say, be it a success or a failure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// Lines for a person, fit to be shown.
    pub(crate) lines: Vec<String>,
    /// Members of the object for a script.
    pub(crate) members: Map<String, Value>,
}

impl Details {
    /// Adds the lines to a text, indented.
    pub(crate) fn append_to(&self, text: &mut String) {
        for line in &self.lines {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
}

impl FileReport {
    /// The line a person reads.
    pub(crate) fn text(&self, verb: &str) -> String {
        let mut text = shown(&self.file.to_string_lossy());
        if let Some(output) = &self.output {
            text.push_str(" -> ");
            text.push_str(&shown(&output.to_string_lossy()));
        }
        text.push_str(&format!(": {verb}, {} bytes", self.plaintext_bytes));
        for key in &self.keys {
            text.push_str(&format!(", key {}", shown(key)));
        }
        for (name, value) in &self.context {
            text.push_str(&format!(", {}={}", shown(name), shown(value)));
        }
        self.details.append_to(&mut text);
        text
    }

    /// The object a script reads.
    pub(crate) fn json(&self, verb: &str) -> Value {
        let mut object = json!({
            "v": 1,
            "status": "ok",
            "operation": verb,
            "file": self.file.to_string_lossy(),
            "output": self.output.as_ref().map(|output| output.to_string_lossy()),
            "plaintext_bytes": self.plaintext_bytes,
            "key_arn": self.keys.first(),
            "key_arns": self.keys,
            "context": context_json(self.context.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        });
        if let Some(members) = object.as_object_mut() {
            members.extend(self.details.members.clone());
        }
        object
    }
}

/// An encryption context as a JSON object.
pub(crate) fn context_json<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    Value::Object(pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>())
}

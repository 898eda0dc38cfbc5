//! What is said about one file that was worked on.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::shown::shown;

/// The facts of a success.
#[derive(Clone, Debug)]
pub(crate) struct FileReport {
    /// The input.
    pub(crate) file: PathBuf,
    /// The output; none is standard output, or no output at all.
    pub(crate) output: Option<PathBuf>,
    /// Size of the plaintext that was read or written.
    pub(crate) plaintext_bytes: u64,
    /// The KMS key that protects the file's data key.
    pub(crate) key_arn: Option<String>,
    /// The encryption context, in the order of its names.
    pub(crate) context: Vec<(String, String)>,
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
        if let Some(key) = &self.key_arn {
            text.push_str(&format!(", key {}", shown(key)));
        }
        for (name, value) in &self.context {
            text.push_str(&format!(", {}={}", shown(name), shown(value)));
        }
        text
    }

    /// The object a script reads.
    pub(crate) fn json(&self, verb: &str) -> Value {
        json!({
            "v": 1,
            "status": "ok",
            "operation": verb,
            "file": self.file.to_string_lossy(),
            "output": self.output.as_ref().map(|output| output.to_string_lossy()),
            "plaintext_bytes": self.plaintext_bytes,
            "key_arn": self.key_arn,
            "context": context_json(self.context.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        })
    }
}

/// An encryption context as a JSON object.
pub(crate) fn context_json<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    Value::Object(pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>())
}

//! The request: its parameters checked as the AWS CLI checks them before it sends anything, and written as JSON.
//!
//! The client looks at names, types and least lengths; everything else is the service's to refuse.

use base64ct::{Base64, Encoding as _};
use serde_json::Number;
use waxseal_kms_local::model::{Member, Shape};
use zeroize::Zeroizing;

use super::data::Data;
use super::time;
use crate::error::CliError;
use crate::shown::shown;

/// How blobs are written in a request that was typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BinaryFormat {
    /// In base64.
    #[default]
    Base64,
    /// As they are.
    Raw,
}

/// Writes the body of a request.
///
/// # Errors
/// Parameters are missing, unknown, of another type or too short: all of them are named, in the AWS CLI's words.
pub(super) fn body(
    members: &[Member],
    params: &[(String, Data)],
    format: BinaryFormat,
) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let mut writer = Writer { format, problems: Vec::new(), body: Zeroizing::new(Vec::with_capacity(room(params))) };
    writer.structure(members, params, "");
    if writer.problems.is_empty() {
        return Ok(writer.body);
    }
    Err(CliError::usage(format!("Parameter validation failed:\n{}", writer.problems.join("\n"))).verbatim())
}

/// At most so many bytes do the parameters take in JSON, where a character becomes `\u0000` at most: the buffer with the
/// secrets among them is never outgrown, and no copy of it stays behind.
fn room(params: &[(String, Data)]) -> usize {
    fn of(param: &Data) -> usize {
        match param {
            Data::Null | Data::Bool(_) => 8,
            Data::Number(_) => 32,
            Data::Text(text) => text.len() * 6 + 8,
            Data::Bytes(bytes) => bytes.len() * 2 + 8,
            Data::List(values) => values.iter().map(of).sum::<usize>() + 8,
            Data::Map(pairs) => room(pairs),
        }
    }
    params.iter().map(|(name, param)| name.len() * 6 + 8 + of(param)).sum::<usize>() + 8
}

/// Writes parameters, and notes what is wrong with them.
struct Writer {
    format: BinaryFormat,
    problems: Vec<String>,
    body: Zeroizing<Vec<u8>>,
}

impl Writer {
    fn structure(&mut self, members: &[Member], params: &[(String, Data)], place: &str) {
        let shown_place = if place.is_empty() { "input" } else { place };
        for member in members.iter().filter(|member| member.required) {
            if !params.iter().any(|(name, _)| name == member.name) {
                self.problem(format!("Missing required parameter in {shown_place}: \"{}\"", member.name));
            }
        }
        let known = |name: &str| members.iter().find(|member| member.name == name);
        for (name, _) in params.iter().filter(|(name, _)| known(name).is_none()) {
            let names: Vec<_> = members.iter().map(|member| member.name).collect();
            let (name, names) = (shown(name), names.join(", "));
            self.problem(format!("Unknown parameter in {shown_place}: \"{name}\", must be one of: {names}"));
        }
        self.body.push(b'{');
        let mut separator = Separator::default();
        for (name, param) in params {
            let Some(member) = known(name) else { continue };
            separator.write(&mut self.body);
            self.text(name);
            self.body.push(b':');
            let inner = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            self.value(member.shape, param, &inner);
        }
        self.body.push(b'}');
    }

    fn value(&mut self, shape: &Shape, param: &Data, place: &str) {
        match (shape, param) {
            (Shape::Blob { .. }, Data::Bytes(bytes)) => self.blob(bytes),
            (Shape::Blob { .. }, Data::Text(text)) => self.typed_blob(text, place),
            (Shape::Boolean, Data::Bool(value)) => self.body.extend(value.to_string().bytes()),
            (Shape::Integer { min, .. }, Data::Number(number)) if !number.is_f64() => {
                if number.as_i64().is_some_and(|value| value < *min) {
                    self.problem(format!(
                        "Invalid value for parameter {place}, value: {number}, valid min value: {min}"
                    ));
                }
                self.number(number);
            }
            (Shape::Text { min, .. }, Data::Text(text)) => {
                self.at_least(text.chars().count(), *min, place);
                self.text(text);
            }
            // Any text: which ones there are is the service's to say.
            (Shape::Enum { .. }, Data::Text(text)) => self.text(text),
            (Shape::Timestamp, Data::Number(number)) => self.number(number),
            (Shape::Timestamp, Data::Text(text)) => match time::read(text) {
                Some(seconds) => self.number(&seconds),
                None => self.problem(format!(
                    "Invalid type for parameter {place}, type: string, valid types: timestamp (2026-11-22T08:00:00Z)"
                )),
            },
            (Shape::List { member, min, .. }, Data::List(values)) => {
                self.at_least(values.len(), *min, place);
                self.list(member, values, place);
            }
            (Shape::Map { key, value }, Data::Map(pairs)) => self.map(key, value, pairs, place),
            (Shape::Structure(members), Data::Map(pairs)) => self.structure(members, pairs, place),
            (shape, param) => {
                let (found, wanted) = (param.kind(), kind(shape));
                self.problem(format!("Invalid type for parameter {place}, type: {found}, valid types: {wanted}"));
            }
        }
    }

    fn list(&mut self, member: &Shape, values: &[Data], place: &str) {
        self.body.push(b'[');
        let mut separator = Separator::default();
        for (index, value) in values.iter().enumerate() {
            separator.write(&mut self.body);
            self.value(member, value, &format!("{place}[{index}]"));
        }
        self.body.push(b']');
    }

    fn map(&mut self, key: &Shape, value: &Shape, pairs: &[(String, Data)], place: &str) {
        self.body.push(b'{');
        let mut separator = Separator::default();
        for (name, param) in pairs {
            separator.write(&mut self.body);
            let shown_name = shown(name);
            if let Shape::Text { min, .. } = key {
                self.at_least(name.chars().count(), *min, &format!("{place} (key: {shown_name})"));
            }
            self.text(name);
            self.body.push(b':');
            self.value(value, param, &format!("{place}.{shown_name}"));
        }
        self.body.push(b'}');
    }

    /// A blob that was typed, or stood in a text.
    fn typed_blob(&mut self, text: &str, place: &str) {
        if self.format == BinaryFormat::Raw {
            return self.blob(text.as_bytes());
        }
        // Whoever pipes base64 through a file has line ends in it.
        let mut compact = Zeroizing::new(String::with_capacity(text.len()));
        compact.extend(text.chars().filter(|character| !character.is_ascii_whitespace()));
        match Base64::decode_vec(&compact).map(Zeroizing::new) {
            Ok(bytes) => self.blob(&bytes),
            Err(_) => self.problem(format!(
                "Invalid base64 for parameter {place}: give base64, or fileb:// and the name of a file, or add \
                 --cli-binary-format raw-in-base64-out"
            )),
        }
    }

    fn blob(&mut self, bytes: &[u8]) {
        let encoded = Zeroizing::new(Base64::encode_string(bytes));
        self.text(&encoded);
    }

    fn text(&mut self, text: &str) {
        // A text always has a form in JSON, and a vector takes every byte.
        serde_json::to_writer(&mut *self.body, text).ok();
    }

    fn number(&mut self, number: &Number) {
        self.body.extend(number.to_string().bytes());
    }

    fn at_least(&mut self, length: usize, min: usize, place: &str) {
        if length < min {
            self.problem(format!("Invalid length for parameter {place}, value: {length}, valid min length: {min}"));
        }
    }

    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }
}

/// The comma before every element but the first.
#[derive(Debug, Default)]
struct Separator {
    is_due: bool,
}

impl Separator {
    fn write(&mut self, body: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_due, true) {
            body.push(b',');
        }
    }
}

/// What a shape is called, in errors and in the help.
pub(super) fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Blob { .. } => "blob",
        Shape::Boolean => "boolean",
        Shape::Integer { .. } => "integer",
        Shape::Text { .. } | Shape::Enum { .. } => "string",
        Shape::Timestamp => "timestamp",
        Shape::List { .. } => "list",
        Shape::Map { .. } => "map",
        Shape::Structure(_) => "structure",
    }
}

#[cfg(test)]
mod tests {
    use waxseal_kms_local::model;

    use super::super::option_value::json;
    use super::*;

    fn written(operation: &str, params: &str, format: BinaryFormat) -> Result<String, String> {
        let Data::Map(params) = json(params).unwrap() else { panic!("an object") };
        let members = model::operation(operation).unwrap().input;
        let body = body(members, &params, format).map_err(|error| error.text().0)?;
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn parameters_are_written_as_json_and_blobs_in_base64() {
        let context =
            r#"{"KeyId":"k","EncryptionContext":{"a\n":"ü"},"NumberOfBytes":32,"DryRun":true,"GrantTokens":["t"]}"#;
        let sorted =
            r#"{"DryRun":true,"EncryptionContext":{"a\n":"ü"},"GrantTokens":["t"],"KeyId":"k","NumberOfBytes":32}"#;
        assert_eq!(written("GenerateDataKey", context, BinaryFormat::Base64).unwrap(), sorted);
        let encoded = r#"{"KeyId":"k","Plaintext":"c2Vj\ncmV0\n"}"#;
        assert_eq!(
            written("Encrypt", encoded, BinaryFormat::Base64).unwrap(),
            r#"{"KeyId":"k","Plaintext":"c2VjcmV0"}"#
        );
        let raw = r#"{"KeyId":"k","Plaintext":"secret"}"#;
        assert_eq!(written("Encrypt", raw, BinaryFormat::Raw).unwrap(), r#"{"KeyId":"k","Plaintext":"c2VjcmV0"}"#);
    }

    #[test]
    fn all_that_is_wrong_is_named_in_the_words_of_the_aws_cli() {
        let expected = "Parameter validation failed:\n\
            Missing required parameter in input: \"KeyId\"\n\
            Unknown parameter in input: \"Foo\", must be one of: KeyId, EncryptionContext, NumberOfBytes, KeySpec, \
            GrantTokens, Recipient, DryRun\n\
            Invalid value for parameter NumberOfBytes, value: 0, valid min value: 1\n\
            Invalid length for parameter GrantTokens[1], value: 0, valid min length: 1\n\
            Invalid type for parameter EncryptionContext.a, type: integer, valid types: string\n\
            Invalid type for parameter DryRun, type: string, valid types: boolean";
        let params = r#"{"Foo":1,"NumberOfBytes":0,"GrantTokens":["a",""],"EncryptionContext":{"a":1},"DryRun":"yes"}"#;
        // Parameters of one JSON text come in the order of their names.
        let found = written("GenerateDataKey", params, BinaryFormat::Base64).unwrap_err();
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&found), sorted(expected));
    }

    #[test]
    fn a_secret_that_is_not_base64_is_not_repeated() {
        let error = written("Encrypt", r#"{"KeyId":"k","Plaintext":"my secret!"}"#, BinaryFormat::Base64).unwrap_err();
        assert!(error.contains("Invalid base64 for parameter Plaintext") && !error.contains("secret!"), "{error}");
    }
}

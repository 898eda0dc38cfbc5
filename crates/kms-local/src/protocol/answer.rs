//! An answer's JSON, written straight into memory that is wiped.

use std::io;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use crate::encoding::SecretWriter;
use crate::timestamp::Timestamp;

/// What an operation answers.
pub(crate) struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// The answer of an operation that has none.
    pub(crate) fn none() -> Self {
        Self(Zeroizing::new(Vec::new()))
    }

    /// An answer with the members that `write` writes.
    pub(crate) fn of(write: impl FnOnce(&mut Object<'_>)) -> Self {
        let mut writer = SecretWriter::new();
        object(&mut writer, write);
        Self(writer.into_bytes())
    }

    pub(super) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// A JSON object in the making.
pub(crate) struct Object<'a> {
    writer: &'a mut SecretWriter,
    is_empty: bool,
}

impl Object<'_> {
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        text(self.writer, value);
    }

    pub(crate) fn optional_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Writes bytes in base64.
    pub(crate) fn bytes(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.writer.push(b"\"");
        // Whole groups of three, so that the pieces join without padding between them.
        for piece in value.chunks(96) {
            let mut buffer = Zeroizing::new([0; 128]);
            let encoded = Base64::encode(piece, buffer.as_mut_slice()).expect("96 bytes are 128 letters");
            self.writer.push(encoded.as_bytes());
        }
        self.writer.push(b"\"");
    }

    pub(crate) fn number(&mut self, name: &str, value: impl Into<i64>) {
        self.name(name);
        self.writer.push(value.into().to_string().as_bytes());
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.writer.push(if value { b"true" } else { b"false" });
    }

    /// Writes a time in seconds since 1970, with milliseconds.
    pub(crate) fn time(&mut self, name: &str, value: Timestamp) {
        self.name(name);
        let millis = value.as_millis();
        self.writer.push(format!("{}.{:03}", millis / 1000, millis % 1000).as_bytes());
    }

    pub(crate) fn texts<'t>(&mut self, name: &str, values: impl IntoIterator<Item = &'t str>) {
        self.name(name);
        self.list_of(values, text);
    }

    pub(crate) fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        object(self.writer, write);
    }

    /// Writes a list of objects, one for each value.
    pub(crate) fn objects<T>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Object<'_>, T),
    ) {
        self.name(name);
        self.list_of(values, |writer, value| object(writer, |object| write(object, value)));
    }

    fn list_of<T>(&mut self, values: impl IntoIterator<Item = T>, write: impl Fn(&mut SecretWriter, T)) {
        self.writer.push(b"[");
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.writer.push(b",");
            }
            write(self.writer, value);
        }
        self.writer.push(b"]");
    }

    fn name(&mut self, name: &str) {
        if !self.is_empty {
            self.writer.push(b",");
        }
        self.is_empty = false;
        text(self.writer, name);
        self.writer.push(b":");
    }
}

fn object(writer: &mut SecretWriter, write: impl FnOnce(&mut Object<'_>)) {
    writer.push(b"{");
    write(&mut Object { writer, is_empty: true });
    writer.push(b"}");
}

fn text(writer: &mut SecretWriter, value: &str) {
    serde_json::to_writer(Sink(writer), value).expect("a text is always JSON, and memory takes it");
}

/// The writer as the standard library's trait.
struct Sink<'a>(&'a mut SecretWriter);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_json_of_the_protocol() {
        let answer = Answer::of(|answer| {
            answer.text("KeyId", "a\"b\n");
            answer.bytes("Plaintext", &[0xFF; 100]);
            answer.bytes("Empty", &[]);
            answer.number("Days", 7_i32);
            answer.flag("Truncated", false);
            answer.time("At", Timestamp::from_millis(1_700_000_000_042).unwrap());
            answer.optional_text("Absent", None);
            answer.texts("Names", ["a", "b"]);
            answer.objects("Tags", [1_i32, 2], |tag, value| tag.number("Value", value));
            answer.object("Object", |_| {});
        });
        let parsed: serde_json::Value = serde_json::from_slice(&answer.into_bytes()).unwrap();
        let base64 = format!("{}=", "/".repeat(132) + "/w=");
        assert_eq!(
            parsed,
            serde_json::json!({
                "KeyId": "a\"b\n", "Plaintext": base64, "Empty": "", "Days": 7, "Truncated": false,
                "At": 1_700_000_000.042, "Names": ["a", "b"], "Tags": [{"Value": 1}, {"Value": 2}], "Object": {},
            })
        );
        assert!(Answer::none().into_bytes().is_empty());
    }
}

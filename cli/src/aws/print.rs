//! What is printed: an answer as JSON or as text, in the form of the AWS CLI.

mod text;

use std::io::{self, IsTerminal as _, Write as _};

use zeroize::Zeroizing;

use super::data::Data;
use super::query::Query;
use crate::error::{Class, CliError};
use crate::shown::shown;

/// The format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Indented JSON.
    Json,
    /// Fields with tabs between them.
    Text,
    /// Nothing.
    Off,
}

impl Format {
    /// The format with this name.
    ///
    /// # Errors
    /// The name is unknown, or one of the AWS CLI's that is not here.
    pub(super) fn named(name: &str) -> Result<Self, CliError> {
        match name {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            "off" => Ok(Self::Off),
            "table" | "yaml" | "yaml-stream" => {
                Err(CliError::usage(format!("the output format {name} is not made here")).hint("take json or text"))
            }
            _ => Err(CliError::usage(format!("Unknown output type: {}", shown(name))).hint("take json or text")),
        }
    }
}

/// Prints an answer, or what a query finds in it.
///
/// # Errors
/// The query does not fit the answer, or standard output cannot be written.
pub(super) fn answer(data: Data, format: Format, query: Option<&Query>) -> Result<(), CliError> {
    let data = match query {
        Some(query) => query.search(&data)?,
        None => data,
    };
    let mut printed = Zeroizing::new(String::with_capacity(room(&data)));
    match format {
        Format::Off => {}
        // An answer without members prints nothing; a query that finds nothing prints null.
        Format::Json if data == Data::Map(Vec::new()) => {}
        Format::Json => {
            json(&data, 0, &mut printed);
            printed.push('\n');
        }
        Format::Text if io::stdout().is_terminal() => text::write(&fit_for_a_terminal(&data), &mut printed),
        Format::Text => text::write(&data, &mut printed),
    }
    to_stdout(&printed)
}

/// Writes to standard output as it is.
pub(super) fn to_stdout(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| CliError::system(Class::Output, "cannot be written", &error).stream("standard output"))
}

/// About so many bytes are printed: the buffer with the secrets among them is hardly ever outgrown, which leaves a copy.
fn room(data: &Data) -> usize {
    match data {
        Data::Null | Data::Bool(_) => 16,
        Data::Number(_) => 40,
        Data::Text(text) => text.len() * 2 + 64,
        Data::Bytes(_) => 0,
        Data::List(values) => values.iter().map(room).sum::<usize>() + 64,
        Data::Map(pairs) => pairs.iter().map(|(name, value)| name.len() + 64 + room(value)).sum::<usize>() + 64,
    }
}

/// Writes JSON as Python's `json.dumps(indent=4, ensure_ascii=False)` does.
pub(super) fn json(data: &Data, depth: usize, out: &mut String) {
    match data {
        Data::Null | Data::Bytes(_) => out.push_str("null"),
        Data::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Data::Number(number) => out.push_str(&number.to_string()),
        Data::Text(text) => quoted(text, out),
        Data::List(values) => {
            let write = |value: &Data, out: &mut String| json(value, depth + 1, out);
            bracketed(['[', ']'], values, depth, out, write);
        }
        Data::Map(pairs) => {
            let write = |(name, value): &(String, Data), out: &mut String| {
                quoted(name, out);
                out.push_str(": ");
                json(value, depth + 1, out);
            };
            bracketed(['{', '}'], pairs, depth, out, write);
        }
    }
}

fn bracketed<T>(brackets: [char; 2], all: &[T], depth: usize, out: &mut String, write: impl Fn(&T, &mut String)) {
    let new_line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", depth));
    };
    out.push(brackets[0]);
    for (index, one) in all.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        new_line(depth + 1, out);
        write(one, out);
    }
    if !all.is_empty() {
        new_line(depth, out);
    }
    out.push(brackets[1]);
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            character if u32::from(character) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => out.push(character),
        }
    }
    out.push('"');
}

/// No answer may steer a terminal. A pipe gets every character as it is.
fn fit_for_a_terminal(data: &Data) -> Data {
    match data {
        Data::Text(text) => Data::text(&shown(text)),
        Data::List(values) => Data::List(values.iter().map(fit_for_a_terminal).collect()),
        Data::Map(pairs) => {
            Data::Map(pairs.iter().map(|(name, value)| (shown(name), fit_for_a_terminal(value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::option_value::json as parsed;
    use super::*;

    #[test]
    fn json_is_indented_by_four_blanks() {
        let data = Data::Map(vec![
            ("b".to_owned(), parsed(r#"[1,{"x":[]},{}]"#).unwrap()),
            ("a".to_owned(), parsed("\"q\\\"\\\\\\n\\u0007ü\"").unwrap()),
            ("c".to_owned(), parsed("[null,true,1.5]").unwrap()),
        ]);
        let mut out = String::new();
        json(&data, 0, &mut out);
        assert_eq!(
            out,
            "{\n    \"b\": [\n        1,\n        {\n            \"x\": []\n        },\n        {}\n    ],\n    \
             \"a\": \"q\\\"\\\\\\n\\u0007ü\",\n    \"c\": [\n        null,\n        true,\n        1.5\n    ]\n}"
        );
    }

    #[test]
    fn formats_that_are_not_made_are_refused_by_name() {
        assert_eq!(Format::named("text").unwrap(), Format::Text);
        assert_eq!(Format::named("table").unwrap_err().text().0, "the output format table is not made here");
        assert!(Format::named("xml").is_err());
    }
}

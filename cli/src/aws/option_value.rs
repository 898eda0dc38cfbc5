//! From the words behind an option to the parameter that its member takes.

use serde_json::Value;
use waxseal_kms_local::model::Shape;

use super::data::Data;
use super::{files, shorthand};
use crate::error::CliError;

/// What stood behind an option.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) enum Given {
    /// Nothing: `--dry-run`, or `--no-dry-run`.
    Flag(bool),
    /// One word.
    One(String),
    /// Any number of words.
    Many(Vec<String>),
}

/// Makes the parameter for a member of this shape.
///
/// # Errors
/// The words are not what the shape takes, or name a file that cannot be read.
pub(super) fn read(shape: &Shape, given: Given) -> Result<Data, CliError> {
    match given {
        Given::Flag(value) => Ok(Data::Bool(value)),
        Given::One(word) => one(shape, from_file(word)?),
        Given::Many(words) => several(shape, words),
    }
}

fn several(shape: &Shape, words: Vec<String>) -> Result<Data, CliError> {
    let Shape::List { member, .. } = shape else { return Err(CliError::usage("expected one value")) };
    let only = words.len() == 1;
    let mut values = Vec::with_capacity(words.len());
    for word in words {
        let value = if only { from_file(word)? } else { Data::Text(word.into()) };
        match value {
            Data::Text(text) if only && begins(&text, '[') => return json(&text),
            value => values.push(one(member, value)?),
        }
    }
    Ok(Data::List(values))
}

/// Makes the parameter from a word, or from the content of the file that it named.
fn one(shape: &Shape, word: Data) -> Result<Data, CliError> {
    let text = match word {
        Data::Text(text) => text,
        // Bytes stay bytes; what is no blob is refused when all parameters are checked.
        other => return Ok(other),
    };
    match shape {
        Shape::Structure(_) | Shape::Map { .. } if begins(&text, '{') => json(&text),
        Shape::List { .. } if begins(&text, '[') => json(&text),
        Shape::Structure(_) | Shape::Map { .. } => Ok(fitted(shape, shorthand::read(&text)?)),
        _ => Ok(fitted(shape, Data::Text(text))),
    }
}

/// Shorthand has text only: makes numbers, booleans and lists of it where the shape wants them.
fn fitted(shape: &Shape, param: Data) -> Data {
    match (shape, param) {
        (Shape::Integer { .. } | Shape::Timestamp, Data::Text(text)) => match text.trim().parse::<i64>() {
            Ok(number) => Data::Number(number.into()),
            Err(_) => Data::Text(text),
        },
        (Shape::Boolean, Data::Text(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Data::Bool(true),
            "false" => Data::Bool(false),
            _ => Data::Text(text),
        },
        (Shape::List { member, .. }, Data::List(values)) => {
            Data::List(values.into_iter().map(|value| fitted(member, value)).collect())
        }
        (Shape::List { member, .. }, single) => Data::List(vec![fitted(member, single)]),
        (Shape::Map { value, .. }, Data::Map(pairs)) => {
            Data::Map(pairs.into_iter().map(|(name, given)| (name, fitted(value, given))).collect())
        }
        (Shape::Structure(members), Data::Map(pairs)) => {
            let fit = |(name, given): (String, Data)| {
                let member = members.iter().find(|member| member.name == name);
                let value = match member {
                    Some(member) => fitted(member.shape, given),
                    // Refused when all parameters are checked.
                    None => given,
                };
                (name, value)
            };
            Data::Map(pairs.into_iter().map(fit).collect())
        }
        (_, param) => param,
    }
}

fn from_file(word: String) -> Result<Data, CliError> {
    Ok(files::read(&word)?.unwrap_or(Data::Text(word.into())))
}

fn begins(text: &str, with: char) -> bool {
    text.trim_start().starts_with(with)
}

/// Reads JSON. What stands in it is not repeated: it may be a secret.
pub(super) fn json(text: &str) -> Result<Data, CliError> {
    let value: Value = serde_json::from_str(text).map_err(|error| CliError::usage(format!("Invalid JSON: {error}")))?;
    Ok(value.into())
}

#[cfg(test)]
mod tests {
    use waxseal_kms_local::model;

    use super::*;

    fn shape(operation: &str, member: &str) -> &'static Shape {
        let members = model::operation(operation).unwrap().input;
        members.iter().find(|known| known.name == member).unwrap().shape
    }

    fn read_as(operation: &str, member: &str, words: &[&str]) -> Result<Data, CliError> {
        let shape = shape(operation, member);
        let given = match (shape, words) {
            (Shape::List { .. }, words) => Given::Many(words.iter().copied().map(Into::into).collect()),
            (_, [word]) => Given::One((*word).to_owned()),
            _ => panic!("one word"),
        };
        read(shape, given)
    }

    fn parsed(json: &str) -> Data {
        super::json(json).unwrap()
    }

    #[test]
    fn shorthand_json_and_words_come_to_the_same() {
        for (operation, member, words, expected) in [
            ("GenerateDataKey", "EncryptionContext", &["a=b,c=d"][..], r#"{"a":"b","c":"d"}"#),
            ("GenerateDataKey", "EncryptionContext", &[r#" {"a":"b","c":"d"}"#], r#"{"a":"b","c":"d"}"#),
            ("GenerateDataKey", "EncryptionContext", &["n=1"], r#"{"n":"1"}"#),
            ("GenerateDataKey", "NumberOfBytes", &["32"], "32"),
            ("GenerateDataKey", "NumberOfBytes", &["-1"], "-1"),
            ("GenerateDataKey", "KeySpec", &["AES_256"], r#""AES_256""#),
            ("GenerateDataKey", "GrantTokens", &["a", "b"], r#"["a","b"]"#),
            ("GenerateDataKey", "GrantTokens", &[r#"["a","b"]"#], r#"["a","b"]"#),
            ("GenerateDataKey", "GrantTokens", &[], "[]"),
            (
                "CreateKey",
                "Tags",
                &["TagKey=a,TagValue=b", "TagKey=c,TagValue="],
                r#"[{"TagKey":"a","TagValue":"b"},{"TagKey":"c","TagValue":""}]"#,
            ),
            ("CreateKey", "Tags", &[r#"[{"TagKey":"a","TagValue":"b"}]"#], r#"[{"TagKey":"a","TagValue":"b"}]"#),
            ("CreateKey", "Tags", &[r#"{"TagKey":"a","TagValue":"b"}"#], r#"[{"TagKey":"a","TagValue":"b"}]"#),
            (
                "CreateGrant",
                "Constraints",
                &["EncryptionContextSubset={a=b}"],
                r#"{"EncryptionContextSubset":{"a":"b"}}"#,
            ),
        ] {
            assert_eq!(read_as(operation, member, words).unwrap(), parsed(expected), "{words:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_being_repeated() {
        for (member, word) in
            [("EncryptionContext", "secret"), ("EncryptionContext", "{\"secret\""), ("Recipient", "[secret")]
        {
            let error = read_as("GenerateDataKey", member, &[word]).unwrap_err();
            assert!(!error.text().0.contains("secret"), "{error}");
        }
    }
}

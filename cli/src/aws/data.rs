//! What goes into a request and comes out of an answer: JSON whose members keep their order and whose texts are wiped.

use serde_json::{Number, Value};
use zeroize::Zeroizing;

/// A value.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Data {
    /// JSON's null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text; of a blob, its base64 or, if that was asked for, the bytes themselves.
    Text(Zeroizing<String>),
    /// Bytes of a file; never part of an answer.
    Bytes(Zeroizing<Vec<u8>>),
    /// Several.
    List(Vec<Self>),
    /// Named ones, each name once.
    Map(Vec<(String, Self)>),
}

impl Data {
    /// Text.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.to_owned()))
    }

    /// What it is, for an error.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(number) if number.is_f64() => "float",
            Self::Number(_) => "integer",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "structure",
        }
    }
}

impl From<Value> for Data {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(Zeroizing::new(text)),
            Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Value::Object(pairs) => Self::Map(pairs.into_iter().map(|(name, value)| (name, value.into())).collect()),
        }
    }
}

//! A JSON text as a tree that points into the text: a plaintext in it is not copied.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) enum Json<'a> {
    Null,
    Flag(bool),
    /// A whole number that is not beyond 64 bits.
    Integer(i64),
    /// Any other number, which no operation here asks for.
    Float,
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// The members in the order of the text. A name may come twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Parses a whole text; `None` means that it is not JSON. Nesting is bounded by the parser.
pub(super) fn parse(text: &[u8]) -> Option<Json<'_>> {
    serde_json::from_slice(text).ok()
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

/// A text that points into the JSON text where that has no escapes in it.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::Text(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("the name of a member is not a text")),
        }
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        // What is beyond 64 bits is beyond what any member takes.
        Ok(i64::try_from(value).map_or(Json::Float, Json::Integer))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Self::Value, E> {
        Ok(Json::Float)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = list.next_element()? {
            members.push(member);
        }
        Ok(Json::List(members))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(name), value)) = object.next_entry()? {
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_escapes_is_not_copied() {
        let is_borrowed = |text: &str| match parse(text.as_bytes()).unwrap() {
            Json::Object(members) => matches!(members[0], (Cow::Borrowed(_), Json::Text(Cow::Borrowed(_)))),
            other => panic!("{other:?}"),
        };
        assert!(is_borrowed(r#"{"Plaintext":"c2VjcmV0"}"#));
        assert!(!is_borrowed(r#"{"Plaintext":"c2VjcmV0\/"}"#));
    }

    #[test]
    fn what_is_no_json_and_what_is_nested_without_end_is_refused() {
        for text in ["", "{", "{}{}", "{\"a\":}", "{'a':1}", "\u{FF}", "nul", "[1,]"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"{\"a\":\"\xFF\"}"), None);
        assert_eq!(parse("[".repeat(100_000).as_bytes()), None);
        let list = [Json::Integer(1), Json::Integer(-2), Json::Float, Json::Float, Json::Flag(true), Json::Null];
        assert_eq!(parse(b" [1, -2, 1.5, 99999999999999999999, true, null]\n"), Some(Json::List(list.into())));
    }
}

//! From JSON to the members of the service model: kinds only, bounds come later.

use std::borrow::Cow;

use base64ct::{Base64, Encoding};
use waxseal_key_service::KeyServiceError;
use zeroize::{Zeroize, Zeroizing};

use super::arguments::{Arguments, Value};
use super::json::Json;
use crate::model::{Member, Shape};
use crate::refusals;

/// Reads a structure. Members that the model does not have are passed over, as AWS does; of two of one name the last counts.
pub(super) fn structure<'a>(members: &[Member], json: Json<'a>) -> Result<Arguments<'a>, KeyServiceError> {
    let Json::Object(given) = json else { return Err(unexpected(&json)) };
    let mut values: Vec<(&'static str, Value<'a>)> = Vec::with_capacity(given.len().min(members.len()));
    for (name, json) in given {
        let Some(member) = members.iter().find(|member| member.name == name) else { continue };
        values.retain(|(known, _)| *known != member.name);
        match value(member.shape, json)? {
            Value::Null => {}
            value => values.push((member.name, value)),
        }
    }
    Ok(Arguments(values))
}

fn value<'a>(shape: &Shape, json: Json<'a>) -> Result<Value<'a>, KeyServiceError> {
    match (shape, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Shape::Blob { .. }, Json::Text(text)) => blob(text).map(Value::Bytes),
        (Shape::Boolean, Json::Flag(flag)) => Ok(Value::Flag(flag)),
        (Shape::Integer { .. }, Json::Integer(number)) if i32::try_from(number).is_ok() => Ok(Value::Integer(number)),
        (Shape::Text { .. } | Shape::Enum { .. }, Json::Text(text)) => Ok(Value::Text(text)),
        (Shape::Timestamp, Json::Float | Json::Integer(_)) => Ok(Value::Time),
        (Shape::List { member, .. }, Json::List(given)) => {
            given.into_iter().map(|json| value(member, json)).collect::<Result<_, _>>().map(Value::List)
        }
        (Shape::Map { value: shape, .. }, Json::Object(given)) => map(shape, given),
        (Shape::Structure(members), json @ Json::Object(_)) => structure(members, json).map(Value::Structure),
        (_, json) => Err(unexpected(&json)),
    }
}

/// Reads pairs; of two of one name the last counts.
fn map<'a>(shape: &Shape, given: Vec<(Cow<'a, str>, Json<'a>)>) -> Result<Value<'a>, KeyServiceError> {
    let mut pairs: Vec<(Cow<'a, str>, Value<'a>)> = Vec::with_capacity(given.len());
    for (name, json) in given {
        pairs.push((name, value(shape, json)?));
    }
    // In order of their names, so that a great many of them cost no more than sorting; the order does not matter else.
    pairs.sort_by(|(one, _), (next, _)| one.cmp(next));
    pairs.dedup_by(|(later, later_value), (earlier, earlier_value)| {
        let twice = later == earlier;
        if twice {
            std::mem::swap(later_value, earlier_value);
        }
        twice
    });
    Ok(Value::Map(pairs))
}

fn blob(text: Cow<'_, str>) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
    let mut bytes = Zeroizing::new(vec![0; text.len() / 4 * 3]);
    let decoded = Base64::decode(text.as_bytes(), &mut bytes).map(<[u8]>::len);
    if let Cow::Owned(mut text) = text {
        text.zeroize();
    }
    let len = decoded.map_err(|_| refusals::serialization("A binary value is not in base64."))?;
    bytes.truncate(len);
    Ok(bytes)
}

/// The refusal of a value of another kind, in the words of AWS's parser [?].
fn unexpected(json: &Json<'_>) -> KeyServiceError {
    refusals::serialization(match json {
        Json::Text(_) => "STRING_VALUE can not be converted to the type of this member.",
        Json::Integer(_) | Json::Float => "NUMBER_VALUE can not be converted to the type of this member.",
        Json::Flag(true) => "TRUE_VALUE can not be converted to the type of this member.",
        Json::Flag(false) => "FALSE_VALUE can not be converted to the type of this member.",
        Json::Null | Json::List(_) | Json::Object(_) => "Start of structure or map found where not expected.",
    })
}

//! The answer of the service: its members in the order of the service model, its times in ISO 8601.

use serde_json::Value;
use waxseal_kms_local::model::{Member, Shape};

use super::data::Data;
use super::time;
use crate::error::{Class, CliError};

/// Reads an answer; no bytes at all are an answer without members. Of an operation without an answer nothing is read:
/// services send nothing there, `{}` or `null`.
///
/// # Errors
/// It is not a JSON object.
pub(super) fn read(members: &[Member], body: &[u8]) -> Result<Data, CliError> {
    if members.is_empty() || body.is_empty() {
        return Ok(Data::Map(Vec::new()));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(structure(members, value.into())),
        _ => Err(CliError::new(Class::KeyUnavailable, "the key service's answer is no JSON object")),
    }
}

/// Puts members into their order. Those that the model does not know are left out, as the AWS CLI does.
fn structure(members: &[Member], data: Data) -> Data {
    let Data::Map(mut pairs) = data else { return data };
    let mut ordered = Vec::with_capacity(pairs.len());
    for member in members {
        if let Some(at) = pairs.iter().position(|(name, _)| name == member.name) {
            let (name, value) = pairs.swap_remove(at);
            if value != Data::Null {
                ordered.push((name, value_of(member.shape, value)));
            }
        }
    }
    Data::Map(ordered)
}

fn value_of(shape: &Shape, data: Data) -> Data {
    match (shape, data) {
        (Shape::Structure(members), data) => structure(members, data),
        (Shape::List { member, .. }, Data::List(values)) => {
            Data::List(values.into_iter().map(|value| value_of(member, value)).collect())
        }
        (Shape::Timestamp, Data::Number(seconds)) => {
            time::shown_time(&seconds).map_or(Data::Number(seconds), |text| Data::text(&text))
        }
        (_, data) => data,
    }
}

#[cfg(test)]
mod tests {
    use waxseal_kms_local::model;

    use super::*;

    #[test]
    fn members_come_in_the_order_of_the_model_and_times_as_text() {
        let members = model::operation("DescribeKey").unwrap().output;
        let body = br#"{"Other":1,"KeyMetadata":{"Enabled":true,"DeletionDate":null,"CreationDate":1.5,"Arn":"a","KeyId":"k","New":2}}"#;
        let Data::Map(answer) = read(members, body).unwrap() else { panic!("an object") };
        let [(name, Data::Map(metadata))] = answer.as_slice() else { panic!("one member") };
        assert_eq!(name, "KeyMetadata");
        let names: Vec<_> = metadata.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["KeyId", "Arn", "CreationDate", "Enabled"]);
        assert_eq!(metadata[2].1, Data::text("1970-01-01T00:00:01.500000+00:00"));
    }

    #[test]
    fn no_answer_is_an_empty_one_and_nonsense_none() {
        let members = model::operation("DescribeKey").unwrap().output;
        assert_eq!(read(members, b"").unwrap(), Data::Map(vec![]));
        for body in [&b"[]"[..], b"null", b"{", b"\xff"] {
            assert!(read(members, body).is_err());
            assert_eq!(read(&[], body).unwrap(), Data::Map(vec![]));
        }
    }
}

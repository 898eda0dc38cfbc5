//! `--generate-cli-skeleton`: a sample of a request to fill in, or of an answer.

use waxseal_kms_local::model::{Member, Shape};

use super::data::Data;

/// What a text stands for in a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    /// A request: texts are to be filled in, and of several the first is taken.
    Request,
    /// An answer: texts are the names of their members.
    Answer,
}

/// Makes a sample.
pub(super) fn sample(members: &[Member], sample: Sample) -> Data {
    Data::Map(members.iter().map(|member| (member.name.to_owned(), value(member.shape, member.name, sample))).collect())
}

fn value(shape: &Shape, name: &str, kind: Sample) -> Data {
    match (shape, kind) {
        (Shape::Structure(members), _) => sample(members, kind),
        (Shape::List { member, .. }, _) => Data::List(vec![value(member, name, kind)]),
        (Shape::Map { value: inner, .. }, _) => Data::Map(vec![("KeyName".to_owned(), value(inner, name, kind))]),
        (Shape::Boolean, _) => Data::Bool(true),
        (Shape::Integer { .. }, _) => Data::Number(0.into()),
        (Shape::Timestamp, _) => Data::text("1970-01-01T00:00:00"),
        // The AWS CLI has nothing to put there either.
        (Shape::Blob { .. }, Sample::Request) => Data::Null,
        (Shape::Enum { values }, Sample::Request) => Data::text(values.first().copied().unwrap_or_default()),
        (Shape::Text { .. }, Sample::Request) => Data::text(""),
        (Shape::Blob { .. } | Shape::Enum { .. } | Shape::Text { .. }, Sample::Answer) => Data::text(name),
    }
}

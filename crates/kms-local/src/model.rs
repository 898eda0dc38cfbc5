//! The service model of AWS KMS, version 2014-11-01, as a table: every operation with its members and their constraints.
//!
//! A test compares it with the model that ships with AWS's own tools. What a request is checked against, how a command line
//! reads its options and in which order an answer is shown all come from here.

/// Declares members: `MUST` for those that a request has to have, `MAY` for the others.
macro_rules! members {
    (@required MUST) => { true };
    (@required MAY) => { false };
    ($($need:ident $name:ident: $shape:ident),* $(,)?) => {
        &[$($crate::model::Member {
            name: stringify!($name),
            shape: &$crate::model::shapes::$shape,
            required: members!(@required $need),
        }),*]
    };
}

/// Declares operations: the name, the member that comes in pages if any, and what the operation takes and gives.
macro_rules! operations {
    (@pages) => { None };
    (@pages $pages:ident) => { Some(stringify!($pages)) };
    ($($name:ident $(pages $pages:ident)? takes { $($input:tt)* } gives { $($output:tt)* };)+) => {
        pub(super) const OPERATIONS: &[$crate::model::Operation] = &[$($crate::model::Operation {
            name: stringify!($name),
            input: members![$($input)*],
            output: members![$($output)*],
            implemented: false,
            pages: operations!(@pages $($pages)?),
        }),+];
    };
}

mod cryptography;
mod custom_key_stores;
mod grants;
mod keys;
mod material;
mod shapes;

use std::sync::LazyLock;

use crate::protocol;

/// An operation of AWS KMS.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The name, for instance `GenerateDataKey`.
    pub name: &'static str,
    /// What a request may hold, in the order of the service model.
    pub input: &'static [Member],
    /// What an answer may hold, in the order of the service model; empty if there is no answer.
    pub output: &'static [Member],
    /// Whether the embedded KMS performs it.
    pub implemented: bool,
    /// For operations that answer in pages: the output's list. The request's `Limit` bounds its length; `Marker` takes the
    /// `NextMarker` of the answer before, which is there if `Truncated` is true.
    pub pages: Option<&'static str>,
}

/// A member of a request, of an answer or of a structure in one.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The name, for instance `KeyId`.
    pub name: &'static str,
    /// What it may hold.
    pub shape: &'static Shape,
    /// Whether it has to be there.
    pub required: bool,
}

/// What a member may hold. Bounds are inclusive; a missing upper bound is `usize::MAX`.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Bytes, in base64 on the wire.
    Blob {
        /// Fewest bytes.
        min: usize,
        /// Most bytes.
        max: usize,
        /// Whether it may not be shown.
        sensitive: bool,
    },
    /// True or false.
    Boolean,
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// Text.
    Text {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
        /// What all of it has to match.
        pattern: Option<Pattern>,
        /// Whether it may not be shown.
        sensitive: bool,
    },
    /// One of these texts.
    Enum {
        /// The texts, in the order of the service model.
        values: &'static [&'static str],
    },
    /// A point in time: seconds since 1970 on the wire, with a fraction.
    Timestamp,
    /// Several of one shape.
    List {
        /// What each member is.
        member: &'static Shape,
        /// Fewest members.
        min: usize,
        /// Most members.
        max: usize,
    },
    /// Pairs.
    Map {
        /// What each name is.
        key: &'static Shape,
        /// What each value is.
        value: &'static Shape,
    },
    /// Named members.
    Structure(&'static [Member]),
}

/// A regular expression of the service model, which a text has to match as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern(&'static str);

impl Pattern {
    /// The expression as the service model has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether all of `text` matches.
    #[must_use]
    pub fn matches(self, text: &str) -> bool {
        // Compiled anew each time: these are short, and none is on the data path.
        let whole = format!("^(?:{})$", self.0);
        regex_lite::Regex::new(&whole).is_ok_and(|regex| regex.is_match(text))
    }
}

/// Every operation of AWS KMS, in the order of their names.
#[must_use]
pub fn operations() -> &'static [Operation] {
    &ALL
}

/// The operation with this name.
#[must_use]
pub fn operation(name: &str) -> Option<&'static Operation> {
    let index = ALL.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
    ALL.get(index)
}

static ALL: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let families = [
        cryptography::OPERATIONS,
        custom_key_stores::OPERATIONS,
        grants::OPERATIONS,
        keys::OPERATIONS,
        material::OPERATIONS,
    ];
    let with_support =
        |operation: &Operation| Operation { implemented: protocol::performs(operation.name), ..*operation };
    let mut all: Vec<Operation> = families.into_iter().flatten().map(with_support).collect();
    all.sort_by_key(|operation| operation.name);
    all
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at every text of the model.
    fn each_pattern(members: &[Member], look: &mut impl FnMut(Pattern)) {
        members.iter().for_each(|member| patterns_of(member.shape, look));
    }

    fn patterns_of(shape: &Shape, look: &mut impl FnMut(Pattern)) {
        match shape {
            Shape::Text { pattern: Some(pattern), .. } => look(*pattern),
            Shape::List { member, .. } => patterns_of(member, look),
            Shape::Structure(members) => each_pattern(members, look),
            _ => {}
        }
    }

    #[test]
    fn operations_are_found_by_name() {
        assert!(operations().is_sorted_by(|one, next| one.name < next.name));
        assert!(operations().iter().all(|one| operation(one.name).is_some_and(|found| found.name == one.name)));
        assert!(operation("generateDataKey").is_none() && operation("").is_none());
    }

    #[test]
    fn every_pattern_is_a_regular_expression() {
        let mut patterns = Vec::new();
        for operation in operations() {
            each_pattern(operation.input, &mut |pattern| patterns.push(pattern));
        }
        assert!(patterns.len() > 20);
        for Pattern(text) in patterns {
            assert!(regex_lite::Regex::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_pattern_has_to_match_all_of_a_text() {
        assert!(Pattern("[0-9]{12}").matches("123456789012"));
        assert!(!Pattern("[0-9]{12}").matches("1234567890123"));
        assert!(Pattern(r"[\u0020-\u00FF]*").matches("ü x"));
        assert!(!Pattern(r"[\u0020-\u00FF]*").matches("\n"));
        assert!(!Pattern(r"[\u0020-\u00FF]*").matches("\u{100}"));
        assert!(!Pattern("^a$|^b$").matches("a\nb"));
    }
}

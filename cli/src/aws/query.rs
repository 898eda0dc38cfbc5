//! `--query`: a JMESPath expression (<https://jmespath.org/specification.html>) over an answer.

use std::collections::BTreeMap;

use jmespath::ast::Ast;
use jmespath::{Expression, Rcvar, Variable};
use serde_json::Number;
use waxseal_kms_local::model::{Member, Shape};

use super::data::Data;
use crate::error::CliError;
use crate::shown::shown;

/// Most bytes of an expression: nesting, which the parser follows by recursion, is bounded by it.
const MAX_LEN: usize = 4096;
/// Most values that an expression may find. A short one can double what it has forty times: the library shares the halves,
/// and what is printed does not.
const MAX_VALUES: usize = 4_000_000;

/// An expression, and the order in which the members of what it finds are printed.
pub(super) struct Query {
    expression: Expression<'static>,
    orders: Vec<Vec<String>>,
}

impl Query {
    /// Reads an expression over answers with these members.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn new(text: &str, members: &[Member]) -> Result<Self, CliError> {
        let refused = |reason: &str| CliError::usage(format!("Bad value for --query {}: {reason}", shown(text)));
        if text.len() > MAX_LEN {
            return Err(CliError::usage(format!("Bad value for --query: it is longer than {MAX_LEN} bytes")));
        }
        let expression = jmespath::compile(text).map_err(|error| refused(&first_line(&error.to_string())))?;
        let mut orders = Vec::new();
        orders_of_hashes(expression.as_ast(), &mut orders);
        orders_of_structures(members, &mut orders);
        Ok(Self { expression, orders })
    }

    /// Searches an answer. The library's own copies of it are not wiped: they end with the process.
    ///
    /// # Errors
    /// The expression asks for what cannot be, for instance the length of a number, or for more than can be printed.
    pub(super) fn search(&self, data: &Data) -> Result<Data, CliError> {
        let found = self.expression.search(variable(data));
        let found = found.map_err(|error| CliError::usage(format!("--query: {}", first_line(&error.to_string()))))?;
        let mut left = MAX_VALUES;
        let data = self.data(&found, &mut left);
        data.ok_or_else(|| CliError::usage(format!("--query: it finds more than {MAX_VALUES} values")))
    }

    /// What was found; `None` if that is more than `left` values.
    fn data(&self, variable: &Variable, left: &mut usize) -> Option<Data> {
        *left = left.checked_sub(1)?;
        Some(match variable {
            Variable::Null | Variable::Expref(_) => Data::Null,
            Variable::Bool(value) => Data::Bool(*value),
            Variable::Number(number) => Data::Number(whole(number)),
            Variable::String(text) => Data::text(text),
            Variable::Array(values) => {
                Data::List(values.iter().map(|value| self.data(value, left)).collect::<Option<_>>()?)
            }
            Variable::Object(members) => self.structure(members, left)?,
        })
    }

    /// The library sorts members by name. The AWS CLI prints those of a multiselect hash in the order in which it names
    /// them, and those of a structure in the order of the service model.
    fn structure(&self, members: &BTreeMap<String, Rcvar>, left: &mut usize) -> Option<Data> {
        let mut pairs: Vec<(String, Data)> =
            members.iter().map(|(name, value)| Some((name.clone(), self.data(value, left)?))).collect::<Option<_>>()?;
        let place = |order: &[String], name: &str| order.iter().position(|known| known == name);
        let fits = |order: &&Vec<String>| pairs.iter().all(|(name, _)| place(order, name).is_some());
        if let Some(order) = self.orders.iter().find(fits) {
            pairs.sort_by_key(|(name, _)| place(order, name));
        }
        Some(Data::Map(pairs))
    }
}

fn variable(data: &Data) -> Rcvar {
    Rcvar::new(match data {
        Data::Null | Data::Bytes(_) => Variable::Null,
        Data::Bool(value) => Variable::Bool(*value),
        Data::Number(number) => Variable::Number(number.clone()),
        Data::Text(text) => Variable::String(text.as_str().to_owned()),
        Data::List(values) => Variable::Array(values.iter().map(variable).collect()),
        Data::Map(pairs) => {
            Variable::Object(pairs.iter().map(|(name, value)| (name.clone(), variable(value))).collect())
        }
    })
}

/// The library's functions calculate with floating-point numbers: a whole one is printed as such.
fn whole(number: &Number) -> Number {
    let value = number.as_f64().filter(|value| number.is_f64() && value.fract() == 0.0 && value.abs() < 1e15);
    value.and_then(|value| format!("{value:.0}").parse().ok()).unwrap_or_else(|| number.clone())
}

fn first_line(text: &str) -> String {
    shown(text.lines().next().unwrap_or_default())
}

/// Collects the names of every `{a: x, b: y}`.
fn orders_of_hashes(ast: &Ast, orders: &mut Vec<Vec<String>>) {
    let mut both = |one: &Ast, other: &Ast| {
        orders_of_hashes(one, orders);
        orders_of_hashes(other, orders);
    };
    match ast {
        Ast::Comparison { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. } => both(lhs, rhs),
        Ast::Condition { predicate, then, .. } => both(predicate, then),
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::Not { node, .. }
        | Ast::ObjectValues { node, .. } => orders_of_hashes(node, orders),
        Ast::Function { args: elements, .. } | Ast::MultiList { elements, .. } => {
            elements.iter().for_each(|element| orders_of_hashes(element, orders));
        }
        Ast::MultiHash { elements, .. } => {
            orders.push(elements.iter().map(|element| element.key.clone()).collect());
            elements.iter().for_each(|element| orders_of_hashes(&element.value, orders));
        }
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Literal { .. } | Ast::Slice { .. } => {}
    }
}

/// Collects the names of the members of every structure, outermost first.
fn orders_of_structures(members: &[Member], orders: &mut Vec<Vec<String>>) {
    orders.push(members.iter().map(|member| member.name.to_owned()).collect());
    for member in members {
        let mut shape = member.shape;
        while let Shape::List { member, .. } = shape {
            shape = member;
        }
        if let Shape::Structure(members) = shape {
            orders_of_structures(members, orders);
        }
    }
}

#[cfg(test)]
mod tests {
    use waxseal_kms_local::model;

    use super::super::option_value::json;
    use super::super::{answer, print};
    use super::*;

    fn found(query: &str) -> String {
        let members = model::operation("DescribeKey").unwrap().output;
        let body = br#"{"KeyMetadata":{"Arn":"a","KeyId":"k","Enabled":true,"EncryptionAlgorithms":["S","T"]}}"#;
        let data = Query::new(query, members).unwrap().search(&answer::read(members, body).unwrap()).unwrap();
        let mut out = String::new();
        print::json(&data, 0, &mut out);
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn members_keep_the_order_of_the_model_or_of_the_expression() {
        for (query, expected) in [
            ("KeyMetadata.KeyId", r#""k""#),
            ("KeyMetadata.{Z: KeyId, A: Arn}", r#"{ "Z": "k", "A": "a" }"#),
            ("KeyMetadata", r#"{ "KeyId": "k", "Arn": "a", "Enabled": true, "EncryptionAlgorithms": [ "S", "T" ] }"#),
            ("KeyMetadata.[KeyId, Enabled]", r#"[ "k", true ]"#),
            ("length(KeyMetadata.EncryptionAlgorithms)", "2"),
            ("KeyMetadata.EncryptionAlgorithms[?@ == 'T'] | [0]", r#""T""#),
            ("Nothing.Here", "null"),
        ] {
            assert_eq!(found(query), expected, "{query}");
        }
    }

    #[test]
    fn an_expression_that_doubles_without_end_is_refused() {
        let doubling =
            |times: usize| Query::new(&vec!["[@,@]"; times].join("|"), &[]).unwrap().search(&Data::Bool(true));
        assert!(matches!(doubling(10), Ok(Data::List(_))));
        assert!(doubling(60).unwrap_err().text().0.starts_with("--query: it finds more than"));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for query in ["", "a[", "a.", "{a", &"[".repeat(5000)] {
            let Err(error) = Query::new(query, &[]) else { panic!("{query}") };
            assert!(error.text().0.starts_with("Bad value for --query"), "{error}");
        }
        assert!(Query::new("length(a)", &[]).unwrap().search(&json(r#"{"a":1}"#).unwrap()).is_err());
    }
}

//! The constraints of the service model, and how AWS words it when a request breaks them.

use super::arguments::{Arguments, Value};
use crate::model::{Member, Shape};
use crate::refusals;

/// Most members of a list whose violations are told one by one. A request can hold some ten thousand structures, and its
/// answer should not be many times as long.
const MAX_TOLD: usize = 50;

/// Checks the members of a request; the violations come in the order of the service model.
pub(super) fn check(members: &[Member], arguments: &Arguments<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    structure("", members, arguments, &mut violations);
    violations
}

fn structure(path: &str, members: &[Member], arguments: &Arguments<'_>, violations: &mut Vec<String>) {
    for member in members {
        let value = arguments.get(member.name);
        match value {
            None if !member.required => {}
            None => {
                let path = extended(path, member.name);
                let subject = if is_hidden(member.shape) { hidden(&path) } else { format!("Value null at '{path}'") };
                violations.push(refusals::violation(&subject, NOT_NULL));
            }
            Some(value) if fits(member.shape, value) => {}
            Some(value) => explain(&extended(path, member.name), member.shape, value, violations),
        }
    }
}

const NOT_NULL: &str = "Member must not be null";

/// Whether a value keeps the constraints of its shape: what every request is asked, and nearly always all there is to ask.
fn fits(shape: &Shape, value: &Value<'_>) -> bool {
    match (shape, value) {
        (Shape::List { member, min, max }, Value::List(values)) => {
            (*min..=*max).contains(&values.len()) && values.iter().all(|value| fits(member, value))
        }
        (Shape::Map { key, value: shape }, Value::Map(pairs)) => {
            pairs.iter().all(|(name, value)| broken_by_text(key, name).is_empty() && fits(shape, value))
        }
        (Shape::Structure(members), Value::Structure(arguments)) => check(members, arguments).is_empty(),
        (_, Value::Null) => false,
        (shape, value) => broken(shape, value).is_empty(),
    }
}

/// Words the violations of a value that does not fit.
fn explain(path: &str, shape: &Shape, value: &Value<'_>, violations: &mut Vec<String>) {
    let subject = if is_hidden(shape) { hidden(path) } else { format!("Value '{}' at '{path}'", shown(value)) };
    match (shape, value) {
        (Shape::List { member, min, max }, Value::List(values)) => {
            for rule in length_rules(values.len(), *min, *max) {
                violations.push(refusals::violation(&subject, &rule));
            }
            match member {
                Shape::Structure(_) => each_structure(path, member, values, violations),
                _ if values.iter().all(|value| fits(member, value)) => {}
                _ => violations.push(refusals::violation(&subject, &all_rules("Member", member))),
            }
        }
        (Shape::Map { key, value: shape }, Value::Map(pairs)) => {
            if !pairs.iter().all(|(name, _)| broken_by_text(key, name).is_empty()) {
                violations.push(refusals::violation(&subject, &all_rules("Map keys", key)));
            }
            if !pairs.iter().all(|(_, value)| fits(shape, value)) {
                violations.push(refusals::violation(&subject, &all_rules("Map value", shape)));
            }
        }
        (Shape::Structure(members), Value::Structure(arguments)) => structure(path, members, arguments, violations),
        _ => violations.extend(broken(shape, value).iter().map(|rule| refusals::violation(&subject, rule))),
    }
}

/// Words the violations of the structures in a list, of this shape, which are counted from 1.
fn each_structure(path: &str, shape: &Shape, values: &[Value<'_>], violations: &mut Vec<String>) {
    let broken = (1_usize..).zip(values).filter(|(_, value)| !fits(shape, value));
    for (number, value) in broken.take(MAX_TOLD) {
        let path = format!("{path}.{number}.member");
        match (shape, value) {
            (Shape::Structure(members), Value::Structure(arguments)) => {
                structure(&path, members, arguments, violations)
            }
            _ => violations.push(refusals::violation(&format!("Value null at '{path}'"), NOT_NULL)),
        }
    }
}

/// The rules that a value by itself breaks.
fn broken(shape: &Shape, value: &Value<'_>) -> Vec<String> {
    match (shape, value) {
        (Shape::Blob { min, max, .. }, Value::Bytes(bytes)) => length_rules(bytes.len(), *min, *max),
        (Shape::Integer { min, .. }, Value::Integer(number)) if number < min => vec![least(*min)],
        (Shape::Integer { max, .. }, Value::Integer(number)) if number > max => vec![most(*max)],
        (_, Value::Text(text)) => broken_by_text(shape, text),
        _ => Vec::new(),
    }
}

fn broken_by_text(shape: &Shape, text: &str) -> Vec<String> {
    match shape {
        Shape::Text { min, max, pattern, .. } => {
            let mut rules = length_rules(text.chars().count(), *min, *max);
            rules.extend(pattern.filter(|pattern| !pattern.matches(text)).map(|pattern| matching(pattern.as_str())));
            rules
        }
        Shape::Enum { values } if !values.contains(&text) => vec![one_of(values)],
        _ => Vec::new(),
    }
}

/// All rules of a shape, which AWS lists whenever one member of a list breaks one.
fn all_rules(whose: &str, shape: &Shape) -> String {
    let mut rules = match shape {
        Shape::Text { min, max, pattern, .. } => {
            let bounds = (*max != usize::MAX).then(|| [longest(*max), shortest(*min)]);
            let pattern = pattern.map(|pattern| matching(pattern.as_str()));
            bounds.into_iter().flatten().chain(pattern).collect()
        }
        Shape::Enum { values } => vec![one_of(values)],
        _ => Vec::new(),
    };
    rules.push(NOT_NULL.to_owned());
    format!("{whose} must satisfy constraint: [{}]", rules.join(", "))
}

fn length_rules(len: usize, min: usize, max: usize) -> Vec<String> {
    match len {
        _ if len < min => vec![shortest(min)],
        _ if len > max => vec![longest(max)],
        _ => Vec::new(),
    }
}

fn shortest(min: usize) -> String {
    format!("Member must have length greater than or equal to {min}")
}

fn longest(max: usize) -> String {
    format!("Member must have length less than or equal to {max}")
}

fn least(min: i64) -> String {
    format!("Member must have value greater than or equal to {min}")
}

fn most(max: i64) -> String {
    format!("Member must have value less than or equal to {max}")
}

fn matching(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn one_of(values: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", values.join(", "))
}

/// Whether the value is left out: bytes always are, and so is what the model calls sensitive.
fn is_hidden(shape: &Shape) -> bool {
    matches!(shape, Shape::Blob { .. } | Shape::Text { sensitive: true, .. })
}

fn hidden(path: &str) -> String {
    format!("Value at '{path}'")
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(shown).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Map(pairs) => {
            let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Null => "null".to_owned(),
        Value::Flag(_) | Value::Time | Value::Bytes(_) | Value::Structure(_) => String::new(),
    }
}

/// The path of a member: names begin with a small letter there.
fn extended(path: &str, name: &str) -> String {
    let mut extended = String::with_capacity(path.len() + 1 + name.len());
    if !path.is_empty() {
        extended.push_str(path);
        extended.push('.');
    }
    let mut letters = name.chars();
    if let Some(first) = letters.next() {
        extended.push(first.to_ascii_lowercase());
    }
    extended.push_str(letters.as_str());
    extended
}

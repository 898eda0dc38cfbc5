//! The text format: one line for each structure, tabs between its scalars, which come in the order of their names.
//!
//! The members of a list get one column for each name that any of them has a scalar under. What is no scalar follows on
//! lines of its own, which begin with its name in capitals.

use std::collections::BTreeSet;

use crate::aws::data::Data;

/// Writes an answer.
pub(super) fn write(data: &Data, out: &mut String) {
    item(data, None, None, out);
}

/// Writes a value: `name` is what it is the member of, `columns` those of the list that it is in.
fn item(data: &Data, name: Option<&str>, columns: Option<&BTreeSet<&str>>, out: &mut String) {
    match data {
        Data::Map(pairs) => structure(pairs, name, columns, out),
        Data::List(values) => list(values, name, out),
        scalar_value => {
            scalar(scalar_value, out);
            out.push('\n');
        }
    }
}

fn list(values: &[Data], name: Option<&str>, out: &mut String) {
    if values.iter().any(|value| matches!(value, Data::Map(_))) {
        let columns = scalar_names(values);
        values.iter().for_each(|value| item(value, name, Some(&columns), out));
    } else if values.iter().any(|value| matches!(value, Data::List(_))) {
        let (nested, scalars): (Vec<&Data>, Vec<&Data>) = values.iter().partition(|value| !is_scalar(value));
        if !scalars.is_empty() {
            scalar_list(&scalars, name, out);
        }
        nested.into_iter().for_each(|value| item(value, name, None, out));
    } else if !values.is_empty() {
        scalar_list(&values.iter().collect::<Vec<_>>(), name, out);
    }
}

fn scalar_list(values: &[&Data], name: Option<&str>, out: &mut String) {
    match name {
        Some(name) => {
            for value in values {
                out.push_str(&name.to_uppercase());
                out.push('\t');
                scalar(value, out);
                out.push('\n');
            }
        }
        None => {
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push('\t');
                }
                scalar(value, out);
            }
            out.push('\n');
        }
    }
}

fn structure(pairs: &[(String, Data)], name: Option<&str>, columns: Option<&BTreeSet<&str>>, out: &mut String) {
    let mut sorted: Vec<&(String, Data)> = pairs.iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    let is_in_column = |name: &str, value: &Data| match columns {
        Some(columns) => columns.contains(name),
        None => is_scalar(value),
    };
    let own: BTreeSet<&str> =
        sorted.iter().filter(|(name, value)| is_in_column(name, value)).map(|(name, _)| name.as_str()).collect();
    let line = columns.unwrap_or(&own);
    if !line.is_empty() {
        if let Some(name) = name {
            out.push_str(&name.to_uppercase());
            out.push('\t');
        }
        for (index, column) in line.iter().enumerate() {
            if index > 0 {
                out.push('\t');
            }
            if let Some((_, value)) = sorted.iter().find(|(name, _)| name == column) {
                scalar(value, out);
            }
        }
        out.push('\n');
    }
    for (name, value) in sorted.into_iter().filter(|(name, value)| !is_in_column(name, value)) {
        item(value, Some(name), None, out);
    }
}

/// The names under which any structure of a list has a scalar.
fn scalar_names(values: &[Data]) -> BTreeSet<&str> {
    let structures = values.iter().filter_map(|value| match value {
        Data::Map(pairs) => Some(pairs),
        _ => None,
    });
    structures.flatten().filter(|(_, value)| is_scalar(value)).map(|(name, _)| name.as_str()).collect()
}

fn is_scalar(data: &Data) -> bool {
    !matches!(data, Data::List(_) | Data::Map(_))
}

/// Writes a scalar as Python's `str` does.
fn scalar(data: &Data, out: &mut String) {
    match data {
        Data::Bool(true) => out.push_str("True"),
        Data::Bool(false) => out.push_str("False"),
        Data::Number(number) => out.push_str(&number.to_string()),
        Data::Text(text) => out.push_str(text),
        // A structure under a name that elsewhere in the list is a scalar: no answer of KMS has any.
        Data::Null | Data::Bytes(_) | Data::List(_) | Data::Map(_) => out.push_str("None"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::option_value::json;

    /// The expected texts were printed by the AWS CLI 1.46 for the same values.
    #[test]
    fn values_become_lines_as_the_aws_cli_prints_them() {
        for (data, expected) in [
            (r#"{"KeyId":"k","Plaintext":"p","CiphertextBlob":"c"}"#, "c\tk\tp\n"),
            (r#"{"Keys":[{"KeyId":"a","KeyArn":"b"},{"KeyId":"c","KeyArn":"d"}]}"#, "KEYS\tb\ta\nKEYS\td\tc\n"),
            (r#"{"Aliases":[{"A":"1","B":"2"},{"A":"3"}]}"#, "ALIASES\t1\t2\nALIASES\t3\t\n"),
            (
                r#"{"PolicyNames":["default","other"],"Truncated":false}"#,
                "False\nPOLICYNAMES\tdefault\nPOLICYNAMES\tother\n",
            ),
            (r#"{"M":{"E":true,"L":["x","y"],"N":null,"I":7}}"#, "M\tTrue\t7\tNone\nL\tx\nL\ty\n"),
            (r#"["a","b"]"#, "a\tb\n"),
            (r#"[["a","b"],["c"]]"#, "a\tb\nc\n"),
            (r#"["x",["a","b"]]"#, "x\na\tb\n"),
            (r#""a""#, "a\n"),
            ("null", "None\n"),
            ("[]", ""),
            ("{}", ""),
        ] {
            let mut out = String::new();
            write(&json(data).unwrap(), &mut out);
            assert_eq!(out, expected, "{data}");
        }
    }
}

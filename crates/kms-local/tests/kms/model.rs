//! The service model against the one that ships with AWS's tools for Python.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use waxseal_kms_local::model::{Member, Shape, operations};

/// Prints botocore's model of AWS KMS and what it knows of pages, as one JSON object.
const PRINT_MODEL: &str = "
import json, botocore.session
loader = botocore.session.get_session().get_component('data_loader')
models = {kind: loader.load_service_model('kms', kind, '2014-11-01') for kind in ('service-2', 'paginators-1')}
shapes = models['service-2']['shapes']
# An object's order does not survive JSON, a list's does.
models['orders'] = {
    name: {part: list(shapes[operation[part]['shape']]['members']) for part in ('input', 'output') if part in operation}
    for name, operation in models['service-2']['operations'].items()
}
print(json.dumps(models))
";

/// The models of botocore; none if it is not installed.
fn botocore() -> Option<Value> {
    let Some(python) = python() else {
        assert!(std::env::var_os("CI").is_none(), "botocore has to be installed in CI");
        eprintln!("SKIPPED: botocore is not installed");
        return None;
    };
    let printed = Command::new(python).args(["-c", PRINT_MODEL]).output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    Some(serde_json::from_slice(&printed.stdout).unwrap())
}

/// The Python of the virtual environment beside the build.
fn python() -> Option<PathBuf> {
    let this = std::env::current_exe().unwrap();
    let build = this.ancestors().find(|folder| folder.join("tools").is_dir())?;
    Some(build.join("tools/venv/bin/python")).filter(|python| python.is_file())
}

/// A shape of botocore's in the form in which ours are shown.
fn theirs(shapes: &Value, name: &str) -> Value {
    let shape = &shapes[name];
    let (min, max) = (shape["min"].as_u64().unwrap_or(0), shape["max"].as_u64().unwrap_or(u64::MAX));
    let sensitive = shape["sensitive"].as_bool().unwrap_or(false);
    match shape["type"].as_str().unwrap() {
        "blob" => json!({"blob": [min, max, sensitive]}),
        "boolean" => json!("boolean"),
        "integer" => json!({"integer": [min, max]}),
        "string" if shape["enum"].is_array() => json!({"enum": shape["enum"]}),
        "string" => json!({"text": [min, max, shape["pattern"], sensitive]}),
        "timestamp" => json!("timestamp"),
        "list" => json!({"list": [theirs(shapes, shape["member"]["shape"].as_str().unwrap()), min, max]}),
        "map" => {
            let part = |part: &str| theirs(shapes, shape[part]["shape"].as_str().unwrap());
            json!({"map": [part("key"), part("value")]})
        }
        "structure" => json!({"structure": their_members(shapes, name)}),
        other => panic!("a shape of type {other}"),
    }
}

fn their_members(shapes: &Value, structure: &str) -> BTreeMap<String, Value> {
    let structure = &shapes[structure];
    let required = |name: &str| structure["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
    let member = |(name, member): (&String, &Value)| {
        let shape = theirs(shapes, member["shape"].as_str().unwrap());
        (name.clone(), json!([required(name), shape]))
    };
    structure["members"].as_object().unwrap().iter().map(member).collect()
}

fn ours(shape: &Shape) -> Value {
    match *shape {
        Shape::Blob { min, max, sensitive } => json!({"blob": [min, max, sensitive]}),
        Shape::Boolean => json!("boolean"),
        Shape::Integer { min, max } => json!({"integer": [min, max]}),
        Shape::Text { min, max, pattern, sensitive } => {
            json!({"text": [min, max, pattern.map(|pattern| pattern.as_str()), sensitive]})
        }
        Shape::Enum { values } => json!({"enum": values}),
        Shape::Timestamp => json!("timestamp"),
        Shape::List { member, min, max } => json!({"list": [ours(member), min, max]}),
        Shape::Map { key, value } => json!({"map": [ours(key), ours(value)]}),
        Shape::Structure(members) => json!({"structure": our_members(members)}),
    }
}

fn our_members(members: &[Member]) -> BTreeMap<String, Value> {
    members.iter().map(|member| (member.name.to_owned(), json!([member.required, ours(member.shape)]))).collect()
}

#[test]
fn the_service_model_is_that_of_aws_tools_to_the_last_constraint() {
    let Some(models) = botocore() else { return };
    let (model, pages) = (&models["service-2"], &models["paginators-1"]["pagination"]);
    assert_eq!(model["metadata"]["apiVersion"], "2014-11-01");
    let names: Vec<&String> = model["operations"].as_object().unwrap().keys().collect();
    let our_names: Vec<&str> = operations().iter().map(|operation| operation.name).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(our_names, sorted);
    for operation in operations() {
        let their = &model["operations"][operation.name];
        for (part, ours) in [("input", operation.input), ("output", operation.output)] {
            let theirs = match their[part]["shape"].as_str() {
                Some(structure) => their_members(&model["shapes"], structure),
                None => BTreeMap::new(),
            };
            assert_eq!(our_members(ours), theirs, "{} of {}", part, operation.name);
        }
        assert_eq!(json!(operation.pages), pages[operation.name]["result_key"], "{}", operation.name);
    }
}

/// The text output of AWS's tools goes by the order of an answer's members.
#[test]
fn members_have_the_order_of_aws_tools() {
    let Some(models) = botocore() else { return };
    for operation in operations() {
        let orders = &models["orders"][operation.name];
        for (part, ours) in [("input", operation.input), ("output", operation.output)] {
            let names: Vec<&str> = ours.iter().map(|member| member.name).collect();
            let theirs = orders.get(part).cloned().unwrap_or(json!([]));
            assert_eq!(json!(names), theirs, "{part} of {}", operation.name);
        }
    }
}

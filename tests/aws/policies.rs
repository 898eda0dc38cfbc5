//! The policies of docs/aws.md: IAM takes them, each role can do what the page says with it, and no more.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::moto::run;
use super::server::Server;
use crate::support::{World, feed, needed};

const PAGE: &str = include_str!("../../docs/aws.md");

/// The policies of the page, each with the first word of the paragraph before it.
fn policies() -> Vec<(&'static str, Value)> {
    let mut parts = PAGE.split("```json\n");
    let mut before = parts.next().unwrap();
    let mut policies = Vec::new();
    for part in parts {
        let (policy, after) = part.split_once("```\n").unwrap();
        let role = before.trim().rsplit("\n\n").next().unwrap().split(' ').next().unwrap();
        policies.push((role, serde_json::from_str(policy).unwrap()));
        before = after;
    }
    policies
}

/// The actions that a policy allows.
fn actions(policy: &Value) -> Vec<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let texts = |action: &Value| match action {
        Value::String(text) => vec![text.clone()],
        other => other.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
    };
    statements.iter().flat_map(|statement| texts(&statement["Action"])).collect()
}

/// The operations that actions are permissions for. ReEncrypt has two, one for each of its keys.
fn operations(actions: &[String]) -> Vec<&str> {
    let has = |name: &str| actions.iter().any(|action| action.strip_prefix("kms:") == Some(name));
    let both = has("ReEncryptFrom") && has("ReEncryptTo");
    let names = actions.iter().map(|action| action.strip_prefix("kms:").unwrap());
    names.filter(|name| !name.starts_with("ReEncrypt")).chain(both.then_some("ReEncrypt")).collect()
}

#[test]
fn every_policy_names_actions_that_there_are_and_is_one_that_iam_takes() {
    let policies = policies();
    let roles: Vec<&str> = policies.iter().map(|(role, _)| *role).collect();
    assert_eq!(roles, ["Writer", "Reader", "Preparer", "Rotator", "Every"]);
    for (role, policy) in &policies {
        for operation in operations(&actions(policy)) {
            let known = waxseal_kms_local::model::operations().iter().any(|known| known.name == operation);
            assert!(known, "{role}: there is no operation {operation}");
        }
    }
    let Some(python) = needed("python3") else { return };
    let check = "import json, sys\n\
                 from moto.iam.policy_validation import IAMPolicyDocumentValidator\n\
                 for policy in json.load(sys.stdin): IAMPolicyDocumentValidator(json.dumps(policy)).validate()";
    let documents: Value = policies.into_iter().map(|(_, policy)| policy).collect();
    let mut command = Command::new(python);
    command.args(["-c", check]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    feed(&mut command, documents.to_string().as_bytes()).succeeds_silently();
}

#[test]
fn each_role_does_its_own_commands_and_is_refused_the_others() {
    let server = Server::new();
    let (key, new) = (server.key(), server.new_key());
    // The commands, with who may run them. Each leaves all as it was for the next one.
    let commands: [(&str, &[&str], &[&str]); 6] = [
        ("encrypt", &["encrypt", "-f", "-k", &key, "-k", &new, "f"], &["Writer"]),
        ("cat", &["cat", "-k", &key, "made.wax"], &["Reader"]),
        ("verify", &["verify", "-k", &key, "made.wax"], &["Reader"]),
        ("prepare", &["prepare", "-f", "-k", &key, "q.wax"], &["Preparer"]),
        ("fill", &["encrypt", "--into", "p.wax", "-k", &key, "f"], &["Reader"]),
        ("rewrap", &["rewrap", "-k", &key, "--to", &new, "made.wax"], &["Rotator"]),
    ];
    let mut done = 0;
    for (role, policy) in policies().iter().filter(|(role, _)| *role != "Every") {
        let world = World::new();
        world.write("f", "content");
        let every = ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"];
        for (name, arguments, may) in &commands {
            server.allow_only(&every);
            run(&world, &server.url(), &["encrypt", "-f", "-k", &key, "-o", "made.wax", "f"]).succeeds_silently();
            run(&world, &server.url(), &["prepare", "-f", "-k", &key, "p.wax"]).succeeds_silently();
            server.allow_only(&operations(&actions(policy)));
            let ran = run(&world, &server.url(), arguments);
            if may.contains(role) {
                ran.succeeds();
                done += 1;
            } else {
                ran.fails_with(8).says(if *name == "rewrap" { "kms:ReEncryptFrom" } else { "kms:" });
            }
        }
    }
    assert_eq!(done, commands.len());
}

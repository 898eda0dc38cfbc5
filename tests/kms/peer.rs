//! The same script, run by the AWS CLI against moto's server and by the program under the name `aws`.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::kms;
use crate::aws::moto::{moto, variables};
use crate::serve::support::Served;
use crate::support::{Run, World, needed};

/// Where moto does not do what AWS does, or the AWS CLI 1 does not print what version 2 prints.
const DIFFERENCES: [(&str, &str); 7] = [
    ("describe", "moto leaves out CurrentKeyMaterialId, KeyUsage and MultiRegion, and has SigningAlgorithms: []"),
    ("decrypt", "moto leaves out EncryptionAlgorithm and KeyMaterialId"),
    ("decrypt-text", "moto leaves out EncryptionAlgorithm and KeyMaterialId"),
    ("disabled", "moto makes data keys under a disabled key"),
    ("schedule", "moto gives the key's id rather than its ARN, and neither KeyState nor PendingWindowInDays"),
    ("cancel", "moto gives the key's id rather than its ARN"),
    ("nonsense", "moto leaves out the quotation marks around the key's id"),
];

/// Runs the script with `aws` from a folder, and gives what each call printed, ids and times apart.
fn run_script(world: &World, aws: &Path, variables: &[(&str, String)]) -> Vec<(String, String)> {
    let folder = tempfile::tempdir_in(world.dir()).unwrap().keep();
    symlink(aws, folder.join("aws")).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let mut command = Command::new("/bin/sh");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kms/script.sh")).current_dir(&folder);
    command.env_clear().env("PATH", path).env("HOME", &folder).env("WAXSEAL_HOME", world.home());
    // The AWS CLI needs a region, and the home of the key store is this one.
    command.envs(variables.iter().cloned()).env("AWS_DEFAULT_REGION", "us-east-1").stdin(Stdio::null());
    let run = Run::from(command.output().unwrap()).succeeds_silently();
    let mut parts = run.text().split("== ").map(|part| part.split_once('\n').unwrap_or((part, "")));
    assert_eq!(parts.next(), Some(("", "")));
    parts.map(|(heading, printed)| (heading.to_owned(), comparable(printed))).collect()
}

/// Replaces what is another in every run: ids by their number in order, the account, and times.
fn comparable(printed: &str) -> String {
    let is_part_of_word = |character: char| character.is_ascii_alphanumeric() || "-.+:".contains(character);
    let mut ids: Vec<String> = Vec::new();
    let mut text = String::new();
    let mut rest = printed;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|character| !is_part_of_word(character)).unwrap_or(rest.len()).max(first.len_utf8());
        let (word, after) = rest.split_at(end);
        rest = after;
        let parts: Vec<&str> = word.split('-').collect();
        let is_id = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]);
        let is_epoch =
            word.split_once('.').is_some_and(|(seconds, _)| seconds.len() == 10 && seconds.parse::<u64>().is_ok());
        let is_iso = word.len() >= 25 && word.starts_with("20") && word.ends_with("+00:00");
        if is_id {
            let number = ids.iter().position(|id| id == word).unwrap_or_else(|| {
                ids.push(word.to_owned());
                ids.len() - 1
            });
            text.push_str(&format!("ID{number}"));
        } else if is_epoch || is_iso {
            text.push_str("TIME");
        } else {
            text.push_str(&word.replace("000000000000", "ACCOUNT").replace("123456789012", "ACCOUNT"));
        }
    }
    // One prints a time as a number and the other as a text.
    text.replace("\"TIME\"", "TIME")
}

#[test]
fn a_script_prints_what_the_aws_cli_prints_against_moto() {
    let (Some(moto), Some(aws)) = (moto(), needed("aws")) else { return };
    let world = World::with_store();
    let ours = run_script(&world, Path::new(env!("CARGO_BIN_EXE_waxseal")), &[]);
    let theirs = run_script(&world, &aws, &variables(&moto.url()));
    differ_as_known(&ours, &theirs);
    // And so does the AWS CLI itself, where the key store is served.
    let world = World::with_store();
    let served = Served::new(&world, "me");
    differ_as_known(&run_script(&world, &aws, &served.variables()), &theirs);
}

/// Compares what each call printed: it is the same, but for the known differences, which are all still there.
fn differ_as_known(ours: &[(String, String)], theirs: &[(String, String)]) {
    let theirs: BTreeMap<&str, &str> = theirs.iter().map(|(heading, text)| (&**heading, &**text)).collect();
    assert!(ours.len() >= 30 && ours.len() == theirs.len(), "{} and {} calls", ours.len(), theirs.len());
    let differ = |heading: &str, printed: &str| theirs.get(heading).is_none_or(|other| *other != printed);
    let found = ours.iter().filter(|(heading, printed)| differ(heading, printed));
    let mut unexpected: Vec<String> = Vec::new();
    let mut differing: Vec<&str> = Vec::new();
    for (heading, printed) in found {
        differing.push(heading);
        if !DIFFERENCES.iter().any(|(known, _)| known == heading) {
            unexpected.push(format!("{heading}\nours: {printed}theirs: {}", theirs[&**heading]));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    for (heading, reason) in DIFFERENCES {
        assert!(differing.contains(&heading), "{heading} no longer differs: {reason}");
    }
}

/// Prints, for every operation of KMS, what the AWS CLI calls it and its options, and its sample of a request, in which the
/// first of several values is taken where the AWS CLI throws dice.
const PYTHON: &str = "
import json, random
import botocore.session
from botocore import xform_name
from botocore.utils import ArgumentGenerator
random.choice = lambda values: values[0]
model = botocore.session.get_session().get_service_model('kms')
for name in model.operation_names:
    shape = model.operation_model(name).input_shape
    sample = json.dumps(ArgumentGenerator().generate_skeleton(shape), indent=4, default=lambda time: time.isoformat())
    options = [xform_name(member, '-') for member in shape.members]
    print(json.dumps({'name': xform_name(name, '-'), 'options': options, 'sample': sample}))
";

#[test]
fn every_operation_has_the_options_and_the_sample_of_the_aws_cli() {
    if needed("aws").is_none() {
        return;
    }
    let Some(python) = needed("python3") else { return };
    let printed = Run::from(Command::new(python).args(["-c", PYTHON]).output().unwrap()).succeeds_silently();
    let operations = printed.json();
    assert!(operations.len() > 50);
    let world = World::new();
    for operation in operations {
        let name = operation["name"].as_str().unwrap();
        let sample = kms(&world, &[name, "--generate-cli-skeleton"]).succeeds_silently();
        assert_eq!(sample.text().trim_end(), operation["sample"].as_str().unwrap(), "{name}");
        let help = kms(&world, &[name, "help"]).succeeds_silently();
        let options = operation["options"].as_array().unwrap().iter().filter_map(Value::as_str);
        for option in options {
            let is_there =
                help.text().lines().any(|line| line.split_whitespace().next() == Some(&format!("--{option}")));
            assert!(is_there, "{name} --{option}");
        }
    }
}

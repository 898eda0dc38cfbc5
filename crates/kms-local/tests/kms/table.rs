//! Every operation in every key state, and every constraint of the service model.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use waxseal_key_service::KeyArn;
use waxseal_kms_local::model::{Member, Operation, Shape, operations};

use crate::support::Fixture;

/// What an operation answers a key in one state.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Done,
    Disabled,
    PendingDeletion,
    NotPendingDeletion,
}

use Outcome::{Disabled, Done, NotPendingDeletion, PendingDeletion};

const REFUSED: [Outcome; 3] = [Done, Disabled, PendingDeletion];
const CHANGED: [Outcome; 3] = [Done, Done, PendingDeletion];
const ALWAYS: [Outcome; 3] = [Done; 3];

/// The operation, its request, and what it answers a key that is Enabled, Disabled and PendingDeletion.
///
/// `$KEY` is a symmetric key in that state and `$BLOB` a ciphertext under it, `$PAIR` an asymmetric key in that state,
/// `alias/subject` an alias of the first; `alias/default` and `$OTHER` are another key, enabled, and a ciphertext under that.
const STATES: &[(&str, &str, [Outcome; 3])] = &[
    ("CancelKeyDeletion", r#"{"KeyId":"$KEY"}"#, [NotPendingDeletion, NotPendingDeletion, Done]),
    ("CreateAlias", r#"{"AliasName":"alias/new","TargetKeyId":"$KEY"}"#, CHANGED),
    ("CreateKey", "{}", ALWAYS),
    ("Decrypt", r#"{"CiphertextBlob":"$BLOB"}"#, REFUSED),
    ("Decrypt", r#"{"CiphertextBlob":"$BLOB","KeyId":"alias/subject"}"#, REFUSED),
    ("DeleteAlias", r#"{"AliasName":"alias/subject"}"#, ALWAYS),
    ("DescribeKey", r#"{"KeyId":"$KEY"}"#, ALWAYS),
    ("DisableKey", r#"{"KeyId":"$KEY"}"#, CHANGED),
    ("DisableKeyRotation", r#"{"KeyId":"$KEY"}"#, REFUSED),
    ("EnableKey", r#"{"KeyId":"$KEY"}"#, CHANGED),
    ("EnableKeyRotation", r#"{"KeyId":"$KEY"}"#, REFUSED),
    ("Encrypt", r#"{"KeyId":"$KEY","Plaintext":"eA=="}"#, REFUSED),
    ("GenerateDataKey", r#"{"KeyId":"$KEY","NumberOfBytes":32}"#, REFUSED),
    ("GenerateDataKeyPair", r#"{"KeyId":"$KEY","KeyPairSpec":"ECC_NIST_P256"}"#, REFUSED),
    ("GenerateDataKeyPairWithoutPlaintext", r#"{"KeyId":"$KEY","KeyPairSpec":"ECC_NIST_P256"}"#, REFUSED),
    ("GenerateDataKeyWithoutPlaintext", r#"{"KeyId":"$KEY","NumberOfBytes":32}"#, REFUSED),
    ("GenerateRandom", r#"{"NumberOfBytes":1}"#, ALWAYS),
    ("GetKeyPolicy", r#"{"KeyId":"$KEY"}"#, ALWAYS),
    ("GetKeyRotationStatus", r#"{"KeyId":"$KEY"}"#, ALWAYS),
    ("GetPublicKey", r#"{"KeyId":"$PAIR"}"#, REFUSED),
    ("ListAliases", r#"{"KeyId":"$KEY"}"#, ALWAYS),
    ("ListKeyPolicies", r#"{"KeyId":"$KEY"}"#, ALWAYS),
    ("ListKeyRotations", r#"{"KeyId":"$KEY"}"#, ALWAYS),
    ("ListKeys", "{}", ALWAYS),
    ("ListResourceTags", r#"{"KeyId":"$KEY"}"#, ALWAYS),
    ("PutKeyPolicy", r#"{"KeyId":"$KEY","Policy":"$POLICY"}"#, ALWAYS),
    ("ReEncrypt", r#"{"CiphertextBlob":"$BLOB","DestinationKeyId":"alias/default"}"#, REFUSED),
    ("ReEncrypt", r#"{"CiphertextBlob":"$OTHER","DestinationKeyId":"$KEY"}"#, REFUSED),
    ("RotateKeyOnDemand", r#"{"KeyId":"$KEY"}"#, REFUSED),
    ("ScheduleKeyDeletion", r#"{"KeyId":"$KEY"}"#, CHANGED),
    ("TagResource", r#"{"KeyId":"$KEY","Tags":[{"TagKey":"a","TagValue":""}]}"#, CHANGED),
    ("UntagResource", r#"{"KeyId":"$KEY","TagKeys":["a"]}"#, CHANGED),
    ("UpdateAlias", r#"{"AliasName":"alias/subject","TargetKeyId":"$TARGET"}"#, ALWAYS),
    ("UpdateAlias", r#"{"AliasName":"alias/default","TargetKeyId":"$KEY"}"#, CHANGED),
    ("UpdateKeyDescription", r#"{"KeyId":"$KEY","Description":"x"}"#, CHANGED),
];

/// Keys in one state, and what the requests of the table are about.
struct Subject {
    key: KeyArn,
    pair: KeyArn,
    request: Box<dyn Fn(&str) -> Value>,
}

impl Subject {
    fn new(fixture: &Fixture, state: usize) -> Self {
        let made = |body| fixture.call("CreateKey", body).unwrap()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
        let (key, pair) = (made(json!({})), made(json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"})));
        fixture.call("CreateAlias", json!({"AliasName": "alias/subject", "TargetKeyId": key})).unwrap();
        let encrypted = |key: &str| {
            let answer = fixture.call("Encrypt", json!({"KeyId": key, "Plaintext": "eA=="})).unwrap();
            answer["CiphertextBlob"].as_str().unwrap().to_owned()
        };
        let policy = fixture.call("GetKeyPolicy", json!({"KeyId": key})).unwrap()["Policy"].clone();
        let values = [
            ("$KEY", key.clone()),
            ("$PAIR", pair.clone()),
            ("$BLOB", encrypted(&key)),
            ("$OTHER", encrypted("alias/default")),
            ("$TARGET", fixture.default_key().to_string()),
            ("$POLICY", policy.as_str().unwrap().to_owned()),
        ];
        let operation = ["EnableKey", "DisableKey", "ScheduleKeyDeletion"][state];
        for key in [&key, &pair] {
            fixture.call(operation, json!({"KeyId": key})).unwrap();
        }
        let request = Box::new(move |text: &str| {
            let mut request: Value = serde_json::from_str(text).unwrap();
            for value in request.as_object_mut().unwrap().values_mut() {
                if let Some((_, actual)) = values.iter().find(|(name, _)| value == name) {
                    *value = json!(actual);
                }
            }
            request
        });
        Self { key: key.parse().unwrap(), pair: pair.parse().unwrap(), request }
    }
}

#[test]
fn every_operation_does_in_every_key_state_what_aws_does() {
    let told: BTreeSet<&str> = STATES.iter().map(|(operation, ..)| *operation).collect();
    let performed = operations().iter().filter(|operation| operation.implemented).map(|operation| operation.name);
    assert_eq!(told, performed.collect());
    for (operation, request, outcomes) in STATES {
        for (state, outcome) in outcomes.iter().enumerate() {
            let fixture = Fixture::new();
            let subject = Subject::new(&fixture, state);
            let arn = if request.contains("$PAIR") { &subject.pair } else { &subject.key };
            let answer = fixture.call(operation, (subject.request)(request));
            let expected = match outcome {
                Done => None,
                Disabled => Some(format!("DisabledException: {arn} is disabled.")),
                PendingDeletion => Some(format!("KMSInvalidStateException: {arn} is pending deletion.")),
                NotPendingDeletion => Some(format!("KMSInvalidStateException: {arn} is not pending deletion.")),
            };
            assert_eq!(answer.err().map(|error| error.to_string()), expected, "{operation} in state {state}");
        }
    }
}

#[test]
fn every_operation_refuses_a_key_that_is_not_there() {
    let fixture = Fixture::new();
    let subject = Subject::new(&fixture, 0);
    let absent = "1234abcd-12ab-44cd-96ef-1234567890ab";
    let text = format!("NotFoundException: Key 'arn:aws:kms:us-east-1:000000000000:key/{absent}' does not exist");
    for (operation, request, _) in STATES.iter().filter(|(_, request, _)| request.contains("\"$")) {
        let mut request = (subject.request)(request);
        for name in ["KeyId", "TargetKeyId", "DestinationKeyId"] {
            if let Some(key) = request.get_mut(name) {
                *key = json!(absent);
                assert_eq!(fixture.refused(operation, request.clone()), text);
            }
        }
    }
}

/// A value that keeps all constraints of a shape.
fn sample(shape: &Shape) -> Value {
    match shape {
        Shape::Blob { min, .. } => json!(base64(*min)),
        Shape::Boolean => json!(false),
        Shape::Integer { min, .. } => json!(min),
        Shape::Text { min, pattern, .. } => json!(match pattern.map(|pattern| pattern.as_str()) {
            Some(r"^([a-z]+-){2,3}\d+$") => "eu-west-1".to_owned(),
            Some(pattern) if pattern.contains(r"\.([A-Za-z0-9\-]+)(") => "a.b.c".to_owned(),
            Some(pattern) if pattern.starts_with("^https") => "https://a.example".to_owned(),
            Some(pattern) if pattern.contains("kms/xks") => "/kms/xks/v1".to_owned(),
            Some(pattern) if pattern.contains("vpce-svc") => "com.amazonaws.vpce.eu-west-1.vpce-svc-1".to_owned(),
            Some(pattern) if pattern.starts_with("cluster") => format!("cluster-{}", "a".repeat(11)),
            Some(pattern) if pattern.starts_with("^arn") => "arn:aws:s3:eu-west-1:123456789012:x".to_owned(),
            Some("[0-9]{12}") => "123456789012".to_owned(),
            Some("^[A-Z2-7]+$") => "A".repeat(*min),
            _ => "a".repeat((*min).max(1)),
        }),
        Shape::Enum { values } => json!(values[0]),
        Shape::Timestamp => json!(1.5),
        Shape::List { member, min, .. } => json!(vec![sample(member); *min]),
        Shape::Map { .. } => json!({}),
        Shape::Structure(members) => Value::Object(samples(members)),
    }
}

/// The required members, each with a value that keeps all constraints.
fn samples(members: &[Member]) -> Map<String, Value> {
    let required = members.iter().filter(|member| member.required);
    required.map(|member| (member.name.to_owned(), sample(member.shape))).collect()
}

fn base64(len: usize) -> String {
    let letters = "A".repeat(len.div_ceil(3) * 4);
    let padding = (3 - len % 3) % 3;
    format!("{}{}", &letters[..letters.len() - padding], "=".repeat(padding))
}

/// Values of a shape that break constraints of it, with what AWS says about each.
fn breaches(shape: &Shape) -> Vec<(Value, Vec<String>)> {
    let long = |max: usize| format!("Member must have length less than or equal to {max}");
    let short = |min: usize| format!("Member must have length greater than or equal to {min}");
    let mut breaches = Vec::new();
    match shape {
        Shape::Blob { min, max, .. } => {
            breaches.push((json!(base64(min - 1)), vec![short(*min)]));
            breaches.push((json!(base64(max + 1)), vec![long(*max)]));
        }
        Shape::Integer { min, max } => {
            let text = |bound: &str, value| format!("Member must have value {bound} than or equal to {value}");
            breaches.push((json!(min - 1), vec![text("greater", min)]));
            breaches.push((json!(max + 1), vec![text("less", max)]));
        }
        Shape::Text { min, max, pattern, .. } => {
            let pattern_rule =
                pattern.map(|pattern| format!("Member must satisfy regular expression pattern: {}", pattern.as_str()));
            let mut add = |value: String, mut rules: Vec<String>| {
                rules.extend(pattern_rule.clone().filter(|_| !pattern.unwrap().matches(&value)));
                if !rules.is_empty() {
                    breaches.push((json!(value), rules));
                }
            };
            if *min > 0 {
                add("a".repeat(min - 1), vec![short(*min)]);
            }
            if *max < usize::MAX {
                add("a".repeat(max + 1), vec![long(*max)]);
            }
            add("\u{1F512}".repeat((*min).max(1)), Vec::new());
        }
        Shape::Enum { values } => {
            let rule = format!("Member must satisfy enum value set: [{}]", values.join(", "));
            breaches.push((json!("NOTHING"), vec![rule]));
        }
        Shape::List { member, min, max } => {
            if *min > 0 {
                breaches.push((json!([]), vec![short(*min)]));
            }
            if *max < usize::MAX {
                breaches.push((json!(vec![sample(member); max + 1]), vec![long(*max)]));
            }
        }
        Shape::Boolean | Shape::Timestamp | Shape::Map { .. } | Shape::Structure(_) => {}
    }
    breaches
}

/// How AWS begins what it says about a member.
fn subject(path: &str, shape: &Shape, value: &Value) -> String {
    let shown = match (shape, value) {
        (Shape::Blob { .. } | Shape::Text { sensitive: true, .. }, _) => return format!("Value at '{path}'"),
        (_, Value::Null) => return format!("Value null at '{path}'"),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(values)) => {
            let texts: Vec<&str> = values.iter().map(|value| value.as_str().unwrap()).collect();
            format!("[{}]", texts.join(", "))
        }
        (_, other) => other.to_string(),
    };
    format!("Value '{shown}' at '{path}'")
}

fn small(name: &str) -> String {
    name[..1].to_lowercase() + &name[1..]
}

/// Breaks each constraint of the members once, with all else as it should be; `path` leads to them, and `wrap` puts them into a
/// whole request. Gives how many it has broken.
fn break_each(
    fixture: &Fixture,
    operation: &Operation,
    path: &str,
    members: &[Member],
    wrap: &dyn Fn(Value) -> Value,
) -> usize {
    let mut broken = 0;
    let mut check = |member: &Member, value: Value, rules: &[String]| {
        let subject = subject(&format!("{path}{}", small(member.name)), member.shape, &value);
        let mut request = samples(members);
        request.insert(member.name.to_owned(), value);
        let errors: Vec<String> =
            rules.iter().map(|rule| format!("{subject} failed to satisfy constraint: {rule}")).collect();
        let plural = if rules.len() == 1 { "" } else { "s" };
        let text = format!("{} validation error{plural} detected: {}", rules.len(), errors.join("; "));
        let refused = fixture.call(operation.name, wrap(Value::Object(request))).unwrap_err();
        assert_eq!(refused.to_string(), format!("ValidationException: {text}"), "{}", operation.name);
        broken += 1;
    };
    for member in members {
        if member.required {
            check(member, Value::Null, &["Member must not be null".to_owned()]);
        }
        for (value, rules) in breaches(member.shape) {
            check(member, value, &rules);
        }
    }
    for member in members {
        if let Shape::List { member: Shape::Structure(inner), .. } = member.shape {
            let path = format!("{path}{}.1.member.", small(member.name));
            let wrap = |value: Value| {
                let mut request = samples(members);
                request.insert(member.name.to_owned(), json!([value]));
                wrap(Value::Object(request))
            };
            broken += break_each(fixture, operation, &path, inner, &wrap);
        }
    }
    broken
}

#[test]
fn every_constraint_of_the_service_model_is_kept_in_the_words_of_aws() {
    let fixture = Fixture::new();
    let broken =
        operations().iter().map(|operation| break_each(&fixture, operation, "", operation.input, &|request| request));
    let broken: usize = broken.sum();
    assert!(broken > 400, "{broken}");
}

#[test]
fn several_violations_are_told_at_once_in_the_order_of_the_model() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.refused("GenerateDataKey", json!({"NumberOfBytes": 0, "KeySpec": "AES_1"})),
        "ValidationException: 3 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must \
         not be null; Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or \
         equal to 1; Value 'AES_1' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, \
         AES_128]"
    );
}

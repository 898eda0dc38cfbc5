//! AWS's own clients, unchanged.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::support::{AccessKey, Served, client, node, python, script};
use crate::support::{Run, World, needed, noise};

#[test]
fn the_aws_cli_makes_a_key_and_a_data_key_over_a_verified_signature() {
    let Some(aws) = needed("aws") else { return };
    let world = World::with_store();
    let served = Served::new(&world, "me");
    let created: Value = serde_json::from_str(served.aws(&aws, &["kms", "create-key"]).succeeds().text()).unwrap();
    let arn = created["KeyMetadata"]["Arn"].as_str().unwrap();
    let generate = ["kms", "generate-data-key", "--key-id", arn, "--key-spec", "AES_256"];
    let data_key: Value = serde_json::from_str(served.aws(&aws, &generate).succeeds().text()).unwrap();
    assert_eq!(data_key["KeyId"], arn);

    let stranger = AccessKey { secret: "x".repeat(40), ..AccessKey::new(&world, "other") };
    let refused = Run::from(client(&world, &aws, &served.endpoint, &stranger).args(generate).output().unwrap());
    refused.fails_with(255).says("(InvalidSignatureException)");
    let unknown = AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: "x".repeat(40) };
    let refused = Run::from(client(&world, &aws, &served.endpoint, &unknown).args(generate).output().unwrap());
    refused.fails_with(255).says("(UnrecognizedClientException)");
    let unsigned = served.client(&aws).args(generate).arg("--no-sign-request").output().unwrap();
    Run::from(unsigned).fails_with(255).says("(MissingAuthenticationTokenException)");
    let log = served.log();
    assert!(log.contains("\"credential\":\"me\"") && log.contains("GenerateDataKey"));
    assert!(!log.contains(data_key["Plaintext"].as_str().unwrap()));
}

#[test]
fn the_region_of_a_request_is_that_of_its_signature() {
    let Some(aws) = needed("aws") else { return };
    let world = World::with_store();
    let served = Served::new(&world, "me");
    let create = ["kms", "create-key", "--region", "eu-west-1", "--query", "KeyMetadata.Arn", "--output", "text"];
    let arn = served.aws(&aws, &create).succeeds().text().trim().to_owned();
    assert!(arn.starts_with("arn:aws:kms:eu-west-1:"));
    served.aws(&aws, &["kms", "describe-key", "--region", "eu-west-1", "--key-id", &arn]).succeeds();
    let elsewhere = served.aws(&aws, &["kms", "describe-key", "--region", "us-east-1", "--key-id", &arn]);
    elsewhere.fails_with(255).says("(NotFoundException)").says("Invalid arn");
}

#[test]
fn boto3_finds_in_it_what_it_finds_in_moto() {
    let (Some(python), Some(moto)) = (python(), needed("moto_server")) else { return };
    let world = World::with_store();
    let served = Served::new(&world, "me");
    let ours = Run::from(served.client(&python).arg(script("boto3_calls.py")).output().unwrap()).succeeds_silently();
    let theirs = Moto::new(&world, &moto);
    let key = AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: "x".repeat(40) };
    let mut command = client(&world, &python, &theirs.endpoint, &key);
    let theirs = Run::from(command.arg(script("boto3_calls.py")).output().unwrap()).succeeds_silently();
    let lines = |run: &Run| run.text().lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(lines(&ours).len() > 20, "{}", ours.text());
    assert_eq!(lines(&ours), lines(&theirs));
}

#[test]
fn what_aws_s_signer_has_not_signed_so_or_not_now_is_refused_with_aws_s_error() {
    let Some(python) = python() else { return };
    let world = World::with_store();
    let served = Served::new(&world, "me");
    let run = Run::from(served.client(&python).arg(script("refusals.py")).output().unwrap()).succeeds_silently();
    let found: Vec<(&str, &str)> = run.text().lines().filter_map(|line| line.split_once(": ")).collect();
    let answered = "200 {\"KeyMetadata\":";
    for (index, (request, expected)) in [
        ("good", answered),
        ("again", answered),
        ("four minutes old", answered),
        ("replayed after the skew", "InvalidSignatureException"),
        ("from the future", "InvalidSignatureException"),
        ("unsigned", "MissingAuthenticationTokenException"),
        ("presigned", "MissingAuthenticationTokenException"),
        ("presigned by boto3", "MissingAuthenticationTokenException"),
        ("other body", "InvalidSignatureException"),
        ("other operation", "InvalidSignatureException"),
        ("other date", "InvalidSignatureException"),
        ("other service", "InvalidSignatureException"),
        ("other secret", "InvalidSignatureException"),
        ("other key", "UnrecognizedClientException"),
        ("with a token", "UnrecognizedClientException"),
    ]
    .into_iter()
    .enumerate()
    {
        let refused = format!("400 {{\"__type\":\"{expected}\"");
        let is_as_expected = |answer: &str| answer == expected || answer.starts_with(&refused);
        assert!(found[index].0 == request && is_as_expected(found[index].1), "{:?}", found[index]);
    }
}

#[test]
fn the_aws_encryption_sdk_encrypts_and_decrypts_with_its_cache() {
    let Some(python) = python() else { return };
    let world = World::with_store();
    let served = Served::new(&world, "me");
    let run = Run::from(served.client(&python).arg(script("encryption_sdk.py")).output().unwrap());
    run.succeeds_silently();
    // A hundred messages under one cached data key, and as many decrypted with it.
    let count = |operation: &str| served.log().matches(&format!("\"operation\":\"{operation}\"")).count();
    assert_eq!((count("GenerateDataKey"), count("Decrypt")), (1, 1));
}

#[test]
fn the_aws_sdk_for_javascript_makes_keys_and_data_keys_and_knows_the_errors() {
    let Some(node) = node() else { return };
    let world = World::with_store();
    let served = Served::new(&world, "me");
    let mut command = served.client(Path::new(node.get_program()));
    command.envs(node.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Run::from(command.arg(script("javascript.cjs")).output().unwrap()).succeeds();
}

#[test]
fn the_aws_encryption_cli_encrypts_and_decrypts_a_file() {
    let Some(cli) = needed("aws-encryption-cli") else { return };
    let world = World::with_store();
    let served = Served::new(&world, "me");
    let status: Value = world.run(["status", "--json"]).succeeds().json().remove(0);
    let key = format!("key={}", status["default_key"].as_str().unwrap());
    let content = noise(100_000, 1);
    world.write("plain", &content);
    let run = |arguments: &[&str]| {
        let fixed =
            ["--wrapping-keys", &key, "--suppress-metadata", "--commitment-policy", "require-encrypt-require-decrypt"];
        Run::from(served.client(&cli).args(fixed).args(arguments).output().unwrap()).succeeds();
    };
    run(&["--encrypt", "--input", "plain", "--output", "sealed", "--encryption-context", "project=apollo"]);
    run(&["--decrypt", "--input", "sealed", "--output", "again", "--encryption-context", "project=apollo"]);
    assert_eq!(world.read("again"), content);
}

/// moto's server; it is ended when dropped.
pub(super) struct Moto {
    process: Child,
    pub(super) endpoint: String,
}

impl Moto {
    pub(super) fn new(world: &World, program: &Path) -> Self {
        // Port 0 is nothing that moto tells about: it gets one that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).current_dir(world.dir()).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", world.dir()).env("MOTO_ACCOUNT_ID", "000000000000");
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < deadline, "moto does not listen");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self { process, endpoint: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

//! Under the name `aws`, the program takes the AWS CLI's place, exit codes and all.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::support::{Answers, DEFAULT};
use crate::support::{Run, World};

/// Runs a shell script in which `aws` is a link to the program.
fn script(world: &World, script: &str) -> Run {
    let bin = world.path("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_waxseal"), bin.join("aws")).unwrap();
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).current_dir(world.dir()).env_clear().stdin(Stdio::null());
    command.env("WAXSEAL_HOME", world.home()).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    // Nobody is there to type a passphrase.
    command.process_group(0);
    Run::from(command.output().unwrap())
}

#[test]
fn a_script_for_aws_runs_as_it_is() {
    let world = World::with_store();
    let run = script(
        &world,
        "set -eu
         key=$(aws --region us-east-1 kms create-key --description scripted --query KeyMetadata.KeyId --output text)
         aws kms create-alias --alias-name alias/scripted --target-key-id \"$key\"
         printf 'hello' > plain
         aws kms encrypt --key-id alias/scripted --plaintext fileb://plain --query CiphertextBlob --output text |
             base64 -d > sealed
         aws kms decrypt --ciphertext-blob fileb://sealed --output text --query Plaintext | base64 -d",
    );
    assert_eq!(run.succeeds_silently().text(), "hello");
}

#[test]
fn exit_codes_are_those_of_the_aws_cli() {
    let world = World::with_store();
    for (line, code) in [
        ("aws kms list-keys", 0),
        ("aws --version", 0),
        ("aws kms describe-key --key-id alias/none", 254),
        ("aws kms describe-key", 252),
        ("aws kms describe-key --key-id ''", 252),
        ("aws kms nonsense", 252),
        ("aws kms init", 252),
        ("aws s3 ls", 252),
        ("aws kms list-keys --home nowhere", 253),
        ("aws kms list-keys --cli-input-json file://nowhere", 255),
    ] {
        let run = script(&world, line);
        assert_eq!(run.code, Some(code), "{line}: {run:?}");
    }
    script(&world, "aws s3 ls").says("only the service kms is here");
    // Under its own name the codes are those of all commands.
    world.run(["kms", "describe-key", "--key-id", "alias/none"]).fails_with(8);
    script(&world, &format!("aws kms describe-key --key-id {DEFAULT}")).answer();
}

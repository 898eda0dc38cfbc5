//! What keeps requests from AWS KMS: no login, no network, no region, an endpoint that would show data keys to others.

use std::process::Command;

use super::moto::{REGION, command};
use crate::support::{Run, World};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn encrypting(world: &World, endpoint: &str, key: &str) -> Command {
    world.write("f", "content");
    command(world, endpoint, &["encrypt", "-k", key, "f"])
}

fn ended(mut command: Command) -> Run {
    Run::from(command.output().unwrap())
}

#[test]
fn without_a_login_it_says_how_to_log_in() {
    let world = World::new();
    let mut command = encrypting(&world, "http://127.0.0.1:9", KEY);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    ended(command)
        .fails_with(8)
        .says("the key service cannot be asked: NoCredentials")
        .says("hint: log in with 'aws sso login'");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn a_service_that_cannot_be_reached_is_worth_trying_again() {
    let world = World::new();
    ended(encrypting(&world, "http://127.0.0.1:9", KEY))
        .fails_with(9)
        .says("the key service cannot be asked: Unreachable")
        .says(&format!("caused by: kms:GenerateDataKey with {KEY} in {REGION}"))
        .says("hint: check the network");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn an_alias_without_a_region_is_refused() {
    let world = World::new();
    let mut command = encrypting(&world, "http://127.0.0.1:9", "aws:alias/x");
    command.env_remove("AWS_REGION");
    ended(command).fails_with(8).says("No AWS region is set").says("hint: set AWS_REGION, or name the key by its ARN");
}

#[test]
fn plain_http_to_another_machine_is_refused() {
    let world = World::new();
    for endpoint in ["http://192.0.2.1:80", "http://kms.example.com"] {
        ended(encrypting(&world, endpoint, KEY))
            .fails_with(8)
            .says("is plain HTTP to another machine, and would show data keys to the network")
            .says("hint: use https, or an address of this machine");
    }
}

#[test]
fn more_grant_tokens_than_a_request_takes_are_wrong_usage() {
    let world = World::new();
    let mut command = encrypting(&world, "http://127.0.0.1:9", KEY);
    command.args(["--grant-token=x"; 11]);
    ended(command).fails_with(2).says("more than 10 grant tokens");
}

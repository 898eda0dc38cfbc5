//! Who asks AWS KMS, and how: profiles, roles, logins and regions as every AWS tool has them, and the ways of trying again.

use std::fs;
use std::time::{Duration, Instant};

use super::moto::{command, moto, run};
use super::server::{Fault, Server};
use crate::support::{Run, World};

const THROTTLED: Fault = Fault::Answer(400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#);

/// A world with a file `f`, and the files that AWS tools read, in the directory of which every run says that it is home.
fn configured(config: &str) -> World {
    let world = World::new();
    world.write("f", "content");
    fs::create_dir(world.path(".aws")).unwrap();
    world.write(".aws/config", config);
    world.write(
        ".aws/credentials",
        "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret\n",
    );
    world
}

/// Runs the program with nothing of AWS's in its environment but the endpoints, these variables, and a home.
fn with(world: &World, endpoint: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = command(world, endpoint, arguments);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        command.env_remove(name);
    }
    command.env("HOME", world.dir()).env("AWS_ENDPOINT_URL_STS", endpoint).envs(variables.iter().copied());
    Run::from(command.output().unwrap())
}

#[test]
fn profile_and_region_are_those_of_every_aws_tool() {
    let server = Server::new();
    let world = configured(
        "[default]\nregion = eu-north-1\n[profile base]\nregion = sa-east-1\n\
         [profile elsewhere]\nregion = af-south-1\nsource_profile = base\n",
    );
    let ask = |variables: &[(&str, &str)]| {
        // An alias is one of the caller's region, and is not there: it is asked for all the same.
        let run = with(&world, &server.url(), variables, &["encrypt", "-k", "aws:alias/x", "f"]).fails_with(8);
        (run, server.regions())
    };
    assert_eq!(ask(&[("AWS_PROFILE", "base")]).1, ["sa-east-1"]);
    assert_eq!(ask(&[("AWS_PROFILE", "base"), ("AWS_REGION", "us-west-2")]).1, ["us-west-2"]);
    let (run, regions) = ask(&[]);
    run.says("NoCredentials").says("hint: log in with 'aws sso login'");
    assert!(regions.is_empty());
    let (run, regions) = ask(&[("AWS_PROFILE", "nobody"), ("AWS_REGION", "us-west-2")]);
    run.says("NoCredentials");
    assert!(regions.is_empty());
    // A key's own region goes before the caller's.
    let key = server.key();
    with(&world, &server.url(), &[("AWS_PROFILE", "base")], &["encrypt", "-k", &key, "f"]).succeeds_silently();
    assert_eq!(server.regions(), ["us-east-1"]);
}

#[test]
fn a_role_is_assumed_as_its_profile_says() {
    let Some(moto) = moto() else { return };
    let world = configured(
        "[profile base]\nregion = eu-west-1\n\
         [profile role]\nrole_arn = arn:aws:iam::999900001111:role/writer\nsource_profile = base\nregion = eu-west-1\n",
    );
    let role = |arguments: &[&str]| with(&world, &moto.url(), &[("AWS_PROFILE", "role")], arguments);
    let create = ["kms", "create-key", "--provider", "aws", "--query", "KeyMetadata.Arn", "--output", "text"];
    let key = role(&create).succeeds_silently().text().trim().to_owned();
    assert!(key.starts_with("arn:aws:kms:eu-west-1:999900001111:key/"), "the role's account, not the user's: {key}");
    role(&["encrypt", "-k", &key, "f"]).succeeds_silently();
    assert_eq!(role(&["cat", "-k", &key, "f.wax"]).succeeds_silently().stdout, b"content");
}

#[test]
fn a_login_that_has_expired_or_never_was_says_how_to_log_in() {
    let server = Server::new();
    let sso = "[profile sso]\nsso_session = company\nsso_account_id = 111122223333\nsso_role_name = reader\n\
               region = eu-west-1\n[sso-session company]\nsso_region = eu-west-1\n\
               sso_start_url = https://127.0.0.1:9/start\n";
    let world = configured(sso);
    let ask = || {
        with(&world, &server.url(), &[("AWS_PROFILE", "sso")], &["encrypt", "-k", &server.key(), "f"])
            .fails_with(8)
            .says("NoCredentials: There are no AWS credentials that can be used.")
            .says("hint: log in with 'aws sso login'")
    };
    ask();
    // The name is the SHA-1 of the session's, as every AWS tool has it.
    fs::create_dir_all(world.path(".aws/sso/cache")).unwrap();
    world.write(
        ".aws/sso/cache/71b21161ffa1e6516bcc072aaf5ef38cbe85b511.json",
        r#"{"accessToken":"secret-token","expiresAt":"2020-01-01T00:00:00Z","region":"eu-west-1"}"#,
    );
    assert!(!ask().stderr.contains("secret-token"));
    assert!(server.calls().is_empty());
    assert_eq!(world.names(), [".aws", "f"]);
}

#[test]
fn requests_are_tried_again_as_often_and_in_the_way_that_the_environment_says() {
    let server = Server::new();
    let world = configured("[profile base]\nregion = eu-west-1\n");
    let key = server.key();
    let variables = |mode: &'static str, attempts: &'static str| {
        [("AWS_PROFILE", "base"), ("AWS_RETRY_MODE", mode), ("AWS_MAX_ATTEMPTS", attempts)]
    };
    for (mode, throttled) in [("standard", 3), ("adaptive", 2)] {
        server.spoil(&[THROTTLED].repeat(throttled));
        let (output, begun) = (format!("{mode}.wax"), Instant::now());
        let encrypt = ["encrypt", "-k", &key, "-o", &output, "f"];
        with(&world, &server.url(), &variables(mode, "4"), &encrypt).succeeds_silently();
        assert_eq!(server.calls().len(), throttled + 1, "{mode}");
        // Who was throttled is held back for ten seconds each time then, where the longest pauses are three in all else.
        assert!(mode == "standard" || begun.elapsed() > Duration::from_secs(10), "{:?}", begun.elapsed());
        for agent in server.agents() {
            assert!(agent.contains(concat!("app/waxseal-", env!("CARGO_PKG_VERSION"))), "{agent}");
        }
        server.always(Some(THROTTLED));
        let cat = ["cat", "-k", &key, &output];
        with(&world, &server.url(), &variables(mode, "1"), &cat).fails_with(9).says("Throttling");
        assert_eq!(server.calls().len(), 1, "{mode}");
        server.always(None);
    }
}

#[test]
fn grant_tokens_go_with_every_request() {
    let server = Server::new();
    let world = configured("[profile base]\nregion = us-east-1\n");
    let (key, new) = (server.key(), server.new_key());
    let ask = |arguments: &[&str]| {
        let arguments = [arguments, &["--grant-token", "one", "--grant-token", "two"]].concat();
        with(&world, &server.url(), &[("AWS_PROFILE", "base")], &arguments).succeeds();
        let (calls, tokens) = (server.calls(), server.tokens());
        let both = calls.iter().flat_map(|call| [format!("{call} one"), format!("{call} two")]);
        assert_eq!(tokens, both.collect::<Vec<_>>());
        calls
    };
    assert_eq!(
        ask(&["encrypt", "-k", "aws:alias/default", "-k", &new, "f"]),
        ["DescribeKey", "GenerateDataKey", "Encrypt"]
    );
    assert_eq!(ask(&["cat", "-k", &key, "f.wax"]), ["Decrypt"]);
    assert_eq!(ask(&["prepare", "-k", &key, "p.wax"]), ["GenerateDataKeyWithoutPlaintext"]);
    assert_eq!(ask(&["rewrap", "-k", &key, "--to", &new, "p.wax"]), ["ReEncrypt"]);
    assert_eq!(ask(&["doctor", "-k", &key]), ["GenerateDataKey", "Encrypt", "Decrypt"]);
}

#[test]
fn no_more_requests_begin_in_a_second_than_allowed() {
    let server = Server::new();
    let world = configured("[profile base]\nregion = us-east-1\n");
    let names: Vec<String> = (0..11).map(|number| format!("f{number}")).collect();
    for name in &names {
        world.write(name, name);
    }
    let key = server.key();
    let options = ["encrypt", "-q", "--no-sync", "--kms-rate", "20", "-k", &key];
    let begun = Instant::now();
    let arguments: Vec<&str> = options.into_iter().chain(names.iter().map(String::as_str)).collect();
    with(&world, &server.url(), &[("AWS_PROFILE", "base")], &arguments).succeeds_silently();
    assert_eq!(server.calls().len(), 11);
    // However slow this machine is: that many cannot have begun sooner.
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[test]
fn what_is_named_on_the_command_line_goes_before_the_environment() {
    let (server, other) = (Server::new(), Server::new());
    let world = World::new();
    world.write("f", "content");
    let key = server.key();
    run(&world, &other.url(), &["encrypt", "--endpoint-url", &server.url(), "-k", &key, "f"]).succeeds_silently();
    assert_eq!((server.calls().len(), other.calls().len()), (1, 0));
}

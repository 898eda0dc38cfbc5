//! The file commands on a key store that somebody serves, instead of one of their own.

use std::path::Path;
use std::process::Command;

use super::support::{AccessKey, Served};
use crate::support::{Run, World};

/// A world without a key store, that uses the one that is served at `place`.
struct Elsewhere {
    world: World,
    place: String,
}

impl Elsewhere {
    fn at(place: &str) -> Self {
        let world = World::new();
        world.write("plain", "content");
        Self { world, place: place.to_owned() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.world.command([arguments, &["--kms", &self.place]].concat())
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }

    /// Encrypts, decrypts and looks, and has the owner of the store open what was made.
    fn makes_files_that_the_owner_opens(&self, owner: &World, run: impl Fn(&[&str]) -> Run) {
        run(&["encrypt", "plain", "-c", "project=apollo"]).succeeds_silently();
        assert_eq!(run(&["cat", "plain.wax"]).succeeds_silently().text(), "content");
        run(&["decrypt", "-f", "plain.wax"]).succeeds_silently();
        let status = owner.run(["--json", "status"]).succeeds().json().remove(0);
        let key = status["default_key"].as_str().unwrap();
        let claimed = self.world.run(["inspect", "--keys", "plain.wax"]).succeeds();
        assert_eq!(claimed.text().trim(), format!("local {key}"));
        let container = self.world.path("plain.wax");
        assert_eq!(owner.run(["cat", container.to_str().unwrap()]).succeeds_silently().text(), "content");
        run(&["encrypt", "-f", "-k", key, "-k", "alias/default", "plain"]).succeeds_silently();
        run(&["prepare", "prepared.wax"]).succeeds();
        run(&["encrypt", "--into", "prepared.wax", "plain"]).succeeds_silently();
        assert_eq!(run(&["cat", "prepared.wax"]).succeeds_silently().text(), "content");
        let other = owner.run(["kms", "create-key", "--query", "KeyMetadata.Arn", "--output", "text"]).succeeds();
        run(&["rewrap", "--to", other.text().trim(), "plain.wax"]).succeeds();
        let claimed = self.world.run(["inspect", "--keys", "plain.wax"]).succeeds();
        assert_eq!(claimed.text().trim(), format!("local {}", other.text().trim()));
        assert_eq!(run(&["cat", "plain.wax"]).succeeds_silently().text(), "content");
        owner.run(["kms", "rotate-key-on-demand", "--key-id", other.text().trim()]).succeeds();
        let renew = ["rewrap", "--to", other.text().trim(), "--stale", "-v", "plain.wax"];
        for renewed in [true, false] {
            let before = self.world.read("plain.wax");
            run(&renew).succeeds();
            assert_eq!(self.world.read("plain.wax") != before, renewed, "once");
        }
        assert!(!self.world.home().exists(), "no key store is needed, and none is made");
    }
}

#[test]
fn files_are_made_and_opened_by_a_key_store_at_a_unix_socket() {
    let owner = World::with_store();
    let served = Served::listening(&owner, "unix:kms.sock", &[]);
    let there = Elsewhere::at(&format!("unix:{}", owner.path("kms.sock").display()));
    there.makes_files_that_the_owner_opens(&owner, |arguments| there.run(arguments));
    assert!(served.log().contains("\"credential\":\"(owner)\""));
    // The environment says it as well, and the option wins over it.
    let by_variable = |variable: &str| {
        Run::from(there.world.command(["cat", "plain.wax"]).env("WAXSEAL_KMS", variable).output().unwrap())
    };
    assert_eq!(by_variable(&there.place).succeeds_silently().text(), "content");
    by_variable("nonsense").fails_with(2).says("WAXSEAL_KMS").says("unix:PATH");
    by_variable("unix:/nowhere").fails_with(9).says("There is no served key store at /nowhere");
    let doctor = there.run(&["doctor", "-q"]);
    doctor.succeeds_silently();
    let run = there.run(&["doctor"]).succeeds();
    assert!(
        run.text().contains("served at unix:") && run.text().contains("GenerateDataKey, Encrypt, Decrypt"),
        "{run:?}"
    );
    let lost = there.world.command(["doctor"]).env("WAXSEAL_KMS", "unix:/nowhere").output().unwrap();
    let lost = Run::from(lost).fails_with(1);
    assert!(lost.text().contains("There is no served key store at /nowhere"), "{lost:?}");
    by_variable("").fails_with(8).says("there is no key store here");
    let won = there.command(&["cat", "plain.wax"]).env("WAXSEAL_KMS", "unix:/nowhere").output().unwrap();
    Run::from(won).succeeds_silently();
    there.run(&["encrypt", "-f", "-k", "alias/nobody", "plain"]).fails_with(8).says("NotFoundException");
    owner.run(["kms", "lock"]).succeeds_silently();
    there.run(&["cat", "plain.wax"]).fails_with(9).says("KeyUnavailableException");
    owner.run(["kms", "unlock"]).succeeds_silently();
    assert_eq!(there.run(&["cat", "plain.wax"]).succeeds_silently().text(), "content");
}

#[test]
fn many_files_are_made_over_a_few_connections() {
    let owner = World::with_store();
    let served = Served::listening(&owner, "unix:kms.sock", &[]);
    let there = Elsewhere::at(&format!("unix:{}", owner.path("kms.sock").display()));
    let names: Vec<String> = (0..100).map(|number| format!("f{number}")).collect();
    names.iter().for_each(|name| there.world.write(name, name));
    let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
    there.run(&[&["encrypt", "--no-sync"], &inputs[..]].concat()).succeeds();
    let containers: Vec<String> = names.iter().map(|name| format!("{name}.wax")).collect();
    let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
    there.run(&[&["verify"], &containers[..]].concat()).succeeds();
    let count = |operation: &str| served.log().matches(&format!("\"operation\":\"{operation}\"")).count();
    assert_eq!((count("GenerateDataKey"), count("Decrypt")), (100, 100));
}

#[test]
fn operations_go_to_the_key_store_at_a_unix_socket_too() {
    let owner = World::with_store();
    let _served = Served::listening(&owner, "unix:kms.sock", &[]);
    let there = Elsewhere::at(&format!("unix:{}", owner.path("kms.sock").display()));
    let created = there.run(&["kms", "create-key", "--region", "eu-west-1", "--query", "KeyMetadata.Arn"]).succeeds();
    assert!(created.text().starts_with("\"arn:aws:kms:eu-west-1:000000000000:key/"), "{}", created.text());
    assert_eq!(
        owner.run(["kms", "list-keys", "--region", "eu-west-1"]).succeeds().json_text()["Keys"][0]["KeyArn"],
        created.json_text()
    );
    there.run(&["kms", "describe-key", "--key-id", "alias/default"]).succeeds();
    let unknown = there.run(&["kms", "describe-key", "--key-id", "alias/nobody"]);
    unknown.fails_with(8).says("An error occurred (NotFoundException) when calling the DescribeKey operation");
    there.run(&["kms", "list-keys", "--endpoint-url", "http://127.0.0.1:9"]).fails_with(2).says("--kms");
    there.world.run(["kms", "list-keys", "--kms", "nonsense"]).fails_with(2).says("unix:PATH");
}

#[cfg(feature = "aws")]
#[test]
fn files_are_made_and_opened_by_a_key_store_at_a_url() {
    let owner = World::with_store();
    let key = AccessKey::new(&owner, "me");
    let served = Served::with(&owner, key.clone(), &[]);
    let there = Elsewhere::at(&served.endpoint);
    let signed = |arguments: &[&str], key: &AccessKey| {
        let mut command = there.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", &key.id).env("AWS_SECRET_ACCESS_KEY", &key.secret);
        // What is meant for other machines is none of this one's affair, and what is in the clear is none of a proxy's.
        command.env("HTTP_PROXY", "http://127.0.0.1:9").env("http_proxy", "http://127.0.0.1:9");
        Run::from(command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap())
    };
    there.makes_files_that_the_owner_opens(&owner, |arguments| signed(arguments, &key));
    signed(&["kms", "describe-key", "--key-id", "alias/default"], &key).succeeds();
    let stranger = AccessKey { secret: "x".repeat(40), ..key.clone() };
    signed(&["cat", "plain.wax"], &stranger).fails_with(8).says("InvalidSignatureException");
    assert!(served.log().contains("\"credential\":\"me\""));
}

#[cfg(feature = "aws")]
#[test]
fn a_served_key_store_can_be_used_as_aws_is() {
    let owner = World::with_store();
    let key = AccessKey::new(&owner, "me");
    let served = Served::with(&owner, key.clone(), &[]);
    let world = World::new();
    world.write("plain", "content");
    let run = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", &key.id).env("AWS_SECRET_ACCESS_KEY", &key.secret);
        Run::from(
            command.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL_KMS", &served.endpoint).output().unwrap(),
        )
    };
    run(&["encrypt", "-k", "aws:alias/default", "plain"]).succeeds_silently();
    // It is AWS's as far as the file is concerned: a key that has to be named or trusted.
    run(&["cat", "plain.wax"]).fails_with(8).says("-k aws:arn:aws:kms:us-east-1:000000000000:key/");
    run(&["cat", "-k", "aws:alias/default", "plain.wax"]).succeeds_silently();
}

#[test]
fn a_socket_of_somebody_else_s_is_not_asked() {
    let there = Elsewhere::at("unix:/nowhere");
    // Whether it is can be seen only where there is another user: root can be one.
    if !rustix::process::geteuid().is_root() {
        return crate::support::skipped("only root can listen as somebody else");
    }
    let socket = there.world.path("kms.sock");
    let script = format!(
        "import os, socket\ns = socket.socket(socket.AF_UNIX)\nos.setuid(65534)\ns.bind({:?})\ns.listen()\nprint(flush=True)\ns.accept()",
        socket.to_str().unwrap()
    );
    // The directory has to be open to that user.
    std::fs::set_permissions(there.world.dir(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let mut parent = there.world.dir();
    while parent.pop() && parent != Path::new("/tmp") && parent != Path::new("/") {
        std::fs::set_permissions(&parent, std::os::unix::fs::PermissionsExt::from_mode(0o755)).ok();
    }
    let mut stranger =
        Command::new("/usr/bin/python3").args(["-c", &script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stranger.stdout.take().unwrap()), &mut String::new())
        .unwrap();
    let place = format!("unix:{}", socket.display());
    let refused = there.world.run(["encrypt", "plain", "--kms", &place]);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    refused.fails_with(8).says("is of user 65534, who would know every key");
}

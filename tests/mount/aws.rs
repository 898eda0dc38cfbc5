//! A mount whose keys are those of AWS KMS.

use std::fs;

use super::support::{CLEAR, Mounted, VAULT, mountable};
use crate::aws::moto::{command, run};
use crate::aws::server::{Fault, Server};

/// Files that are opened at once: more than the mount has threads.
const FILES: usize = 12;

#[test]
fn a_mount_makes_files_for_each_key_that_is_named_and_opens_them_with_any() {
    let Some(world) = mountable() else { return };
    let server = Server::new();
    let (first, second) = (server.key(), server.new_key());
    let arguments = Mounted::arguments(&["-k", &first, "-k", &second]);
    let mounted = Mounted::serve(&world, command(&world, &server.url(), &arguments));
    fs::write(mounted.path("f"), "content").unwrap();
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"content");
    mounted.unmount();
    let container = format!("{VAULT}/f.wax");
    assert_eq!(world.run(["inspect", "--keys", &container]).succeeds().text().lines().count(), 2);
    for key in [&first, &second] {
        assert_eq!(run(&world, &server.url(), &["cat", "-k", key, &container]).succeeds_silently().stdout, b"content");
    }
    // Nobody is asked about a key that is not trusted.
    server.calls();
    let mounted = Mounted::serve(&world, command(&world, &server.url(), &Mounted::arguments(&[])));
    assert_eq!(fs::read(mounted.path("f")).unwrap_err().raw_os_error(), Some(rustix::io::Errno::NOKEY.raw_os_error()));
    assert!(server.calls().is_empty());
    mounted.unmount();
}

#[test]
fn what_a_mount_makes_as_the_configuration_says_it_opens_again() {
    let Some(world) = mountable() else { return };
    let server = Server::new();
    fs::create_dir_all(world.home()).unwrap();
    // By an alias: what that stands for is found when the mount begins.
    let alias = format!("{}:alias/default", server.key().split_once(":key/").unwrap().0);
    let text = format!("key = {alias:?}\ncontext = {{ a = \"1\" }}\n");
    fs::write(world.home().join("config.toml"), text).unwrap();
    let mount = || Mounted::serve(&world, command(&world, &server.url(), &Mounted::arguments(&[])));
    let mounted = mount();
    fs::write(mounted.path("f"), "content").unwrap();
    mounted.unmount();
    let inspected = world.run(["inspect", &format!("{VAULT}/f.wax")]).succeeds();
    assert!(
        inspected.text().contains("context     a=1") && inspected.text().contains("aws arn:"),
        "{}",
        inspected.text()
    );
    let mounted = mount();
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"content");
    mounted.unmount();
}

#[test]
fn more_files_are_opened_at_once_than_the_mount_has_threads() {
    let Some(world) = mountable() else { return };
    let server = Server::new();
    let key = server.key();
    let names: Vec<String> = (0..FILES).map(|number| format!("f{number}")).collect();
    for name in &names {
        let output = format!("{VAULT}/{name}.wax");
        let mut encrypt = command(&world, &server.url(), &["encrypt", "--no-sync", "-k", &key, "-o", &output]);
        crate::support::feed(encrypt.stdin(std::process::Stdio::piped()), name.as_bytes()).succeeds_silently();
    }
    let arguments = Mounted::arguments(&["--read-only", "--threads", "2", "-k", &key]);
    let mounted = Mounted::serve(&world, command(&world, &server.url(), &arguments));
    // Nothing is answered until all of them ask: a mount whose threads waited for the service would stand still.
    server.wait_for(FILES);
    std::thread::scope(|scope| {
        for name in &names {
            let path = mounted.path(name);
            scope.spawn(move || assert_eq!(fs::read(path).unwrap(), name.as_bytes()));
        }
    });
    assert_eq!(server.most_under_way(), FILES);
    mounted.unmount();
}

#[test]
fn a_service_that_cannot_be_reached_is_told_to_programs_and_the_mount_goes_on() {
    let Some(world) = mountable() else { return };
    let server = Server::new();
    let key = server.key();
    let arguments = Mounted::arguments(&["--key-ttl", "0s", "-k", &key]);
    let mounted = Mounted::serve(&world, command(&world, &server.url(), &arguments));
    fs::write(mounted.path("f"), "content").unwrap();
    server.always(Some(Fault::Reset));
    assert!(fs::read(mounted.path("f")).is_err());
    assert_eq!(crate::support::names_in(&world.path(CLEAR)), ["f"]);
    server.always(None);
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"content");
    mounted.unmount();
}

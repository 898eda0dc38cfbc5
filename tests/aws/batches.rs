//! Many files: while some wait for the service others are worked on, within the bounds that were given.

use super::moto::run;
use super::server::Server;
use crate::support::World;

/// A world with so many files.
fn filled(count: usize) -> (World, Vec<String>) {
    let world = World::new();
    let names: Vec<String> = (0..count).map(|number| format!("f{number}")).collect();
    for name in &names {
        world.write(name, name);
    }
    (world, names)
}

fn on_all<'a>(options: &[&'a str], names: &'a [String]) -> Vec<&'a str> {
    options.iter().copied().chain(names.iter().map(String::as_str)).collect()
}

#[test]
fn as_many_requests_are_under_way_as_are_allowed_whatever_the_number_of_cores() {
    let (server, (world, names)) = (Server::new(), filled(96));
    let key = server.key();
    // Nothing is answered until 32 ask at once: were they fewer, this would not come to an end.
    server.wait_for(32);
    run(&world, &server.url(), &on_all(&["encrypt", "-q", "--no-sync", "-k", &key], &names)).succeeds_silently();
    assert_eq!((server.calls().len(), server.most_under_way()), (96, 32));
    let containers: Vec<String> = names.iter().map(|name| format!("{name}.wax")).collect();
    run(&world, &server.url(), &on_all(&["decrypt", "-q", "-f", "--no-sync", "-k", &key], &containers)).succeeds();
    assert_eq!((server.calls().len(), server.most_under_way()), (96, 32));
    assert_eq!(world.read("f95"), b"f95");
}

#[test]
fn no_more_requests_are_under_way_than_allowed() {
    let (server, (world, names)) = (Server::new(), filled(24));
    let options = ["encrypt", "-q", "--no-sync", "-j", "16", "--kms-concurrency", "3", "-k", &server.key()];
    server.wait_for(3);
    run(&world, &server.url(), &on_all(&options, &names)).succeeds_silently();
    assert_eq!((server.calls().len(), server.most_under_way()), (24, 3));
}

#[test]
fn a_refusal_that_holds_for_all_files_ends_a_batch() {
    let (server, (world, names)) = (Server::new(), filled(40));
    let refusal = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    server.always(Some(super::server::Fault::Answer(400, refusal)));
    run(&world, &server.url(), &on_all(&["encrypt", "-j", "2", "-k", &server.key()], &names)).fails_with(8);
    assert!(server.calls().len() <= 4, "not one call for each file");
    assert_eq!(world.names().len(), 40);
}

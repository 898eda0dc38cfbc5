//! Locking and unlocking a server that runs.

use std::thread;

use waxseal_kms_local::{CreateOptions, LocalKms, NewSeal, Passphrase, PassphraseCost};
use waxseal_kms_server::{Command, Config, ControlError, Event, Keeper, send};

use crate::support::{Served, Store, any_port};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn describe(store: &Store) -> Vec<u8> {
    store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#)
}

#[test]
fn a_locked_server_answers_that_keys_are_unavailable_until_it_is_unlocked() {
    let store = Store::new();
    let served = store.served();
    let reports = send(&store.directory(), Command::Lock).unwrap();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].locked && reports[0].refused.is_none());
    served.ask(&describe(&store)).fails_with(500, "KeyUnavailableException");
    assert_eq!(served.ask(HEALTH).status, 503);
    // Nothing is told to whoever cannot sign either.
    served
        .ask(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n")
        .fails_with(500, "KeyUnavailableException");
    assert!(!send(&store.directory(), Command::Unlock(None)).unwrap()[0].locked);
    served.ask(&describe(&store)).succeeds();
    assert_eq!(*served.log.events.lock().unwrap(), [Event::Locked, Event::Unlocked]);
}

#[test]
fn a_store_behind_a_passphrase_opens_with_it_only() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("kms");
    let passphrase = Passphrase::new(b"right".to_vec().into()).unwrap();
    let seal = NewSeal::Passphrase { passphrase: &passphrase, cost: PassphraseCost::new(8, 1, 1).unwrap() };
    drop(LocalKms::create(&directory, &CreateOptions { seal, ..CreateOptions::default() }).unwrap());
    let config = Config { listen: any_port(), ..Config::default() };
    let served = Served::new(&config, Keeper::locked(directory.clone()));
    assert!(served.keeper.is_locked());
    let unlock = |passphrase| send(&directory, Command::Unlock(passphrase)).unwrap().remove(0);
    let wrong = unlock(Some(&b"wrong"[..]));
    assert!(wrong.locked && wrong.refused.is_some_and(|(_, is_wrong)| is_wrong));
    let none = unlock(None);
    assert!(none.locked && none.refused.is_some_and(|(_, is_wrong)| !is_wrong));
    assert!(!unlock(Some(&b"right"[..])).locked);
    assert_eq!(served.ask(HEALTH).status, 200);
}

#[test]
fn every_server_of_a_store_is_told_and_dead_ones_are_forgotten() {
    let store = Store::new();
    assert!(matches!(send(&store.directory(), Command::Lock), Err(ControlError::NoServer)));
    let (one, two) = (store.served(), store.served());
    // What a killed server leaves: a name that nobody listens at.
    let dead = store.directory().join("control-dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    assert_eq!(send(&store.directory(), Command::Lock).unwrap().len(), 2);
    assert!(one.keeper.is_locked() && two.keeper.is_locked());
    assert!(!dead.exists());
    drop((one, two));
    assert!(matches!(send(&store.directory(), Command::Lock), Err(ControlError::NoServer)));
}

#[test]
fn a_server_that_cannot_be_talked_to_keeps_no_other_one_from_being_locked() {
    let store = Store::new();
    let served = store.served();
    // It answers nothing that could be understood, and its name comes first.
    let strange = std::os::unix::net::UnixListener::bind(store.directory().join("control-0.sock")).unwrap();
    let answering = thread::spawn(move || drop(strange.accept().unwrap()));
    assert!(send(&store.directory(), Command::Lock).is_err());
    answering.join().unwrap();
    assert!(served.keeper.is_locked());
}

#[test]
fn requests_under_way_are_answered_whole_while_it_is_locked_and_unlocked() {
    let store = Store::new();
    let served = store.served();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = served.connect();
                for _ in 0..300 {
                    connection
                        .send(&store.signed("GenerateDataKey", r#"{"KeyId":"alias/default","NumberOfBytes":32}"#));
                    let answer = connection.answer();
                    match answer.status {
                        200 => assert!(answer.json()["Plaintext"].is_string()),
                        _ => drop(answer.fails_with(500, "KeyUnavailableException")),
                    }
                }
            });
        }
        for _ in 0..20 {
            assert!(!send(&store.directory(), Command::Lock).unwrap()[0].calls_remain);
            send(&store.directory(), Command::Unlock(None)).unwrap();
        }
    });
}

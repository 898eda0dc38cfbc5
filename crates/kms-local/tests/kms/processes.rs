//! Many threads and many processes at once on one store, and processes that are killed.
//!
//! The processes are this test binary itself: `child` is what they run, told by an environment variable what to do.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use waxseal_key_service::{ErrorCode, KeyId, KeyServiceError};
use waxseal_kms_local::{CreateKeyRequest, CreateOptions, LocalKms, Opened, Region, StoreError, status};

use crate::support::{Fixture, decrypt, generate, key, names, no_context, no_passphrase};

const ROLE: &str = "WAXSEAL_TEST_ROLE";
const STORE: &str = "WAXSEAL_TEST_STORE";

/// How often each of the processes makes and changes keys that contend for one store.
const ROUNDS: usize = 6;

/// Starts this test binary as another process.
fn spawn(role: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(STORE, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the other processes run; without a role it has nothing to do.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let directory = std::env::var_os(STORE).unwrap();
    let directory = Path::new(&directory);
    match role.as_str() {
        "use" => use_store(directory),
        "create" => {
            say("ready");
            drop(LocalKms::create(directory, &CreateOptions::default()));
            say("done");
        }
        "load" => load(directory),
        "begin" => say(begin(&directory.join("kms.db"))),
        "change" => change_store(directory),
        other => panic!("there is no role {other}"),
    }
}

/// Opens or makes the store, then makes keys and uses them.
fn use_store(directory: &Path) {
    let opened = LocalKms::open_or_create(directory, &CreateOptions::default(), &mut no_passphrase).unwrap();
    let made = matches!(opened, Opened::Created(_));
    let kms = opened.into_kms();
    for round in 0..10 {
        let generated = generate(&kms, &key("alias/default"), &no_context()).unwrap();
        let opened = decrypt(&kms, &generated.ciphertext_blob, &no_context(), None).unwrap();
        assert_eq!(opened.plaintext.expose(), generated.plaintext.expose());
        if round % 5 == 0 {
            kms.create_key(&CreateKeyRequest { region: &Region::default(), description: "" }).unwrap();
        }
    }
    say(if made { "made" } else { "found" });
}

/// Changes keys of its own and an alias of everybody's, and insists that each change counts at once, whatever others do.
fn change_store(directory: &Path) {
    let kms = LocalKms::open(directory, &mut no_passphrase).unwrap();
    let call = |operation: &str, body: Value| {
        let answer = kms.call(&Region::default(), operation, body.to_string().as_bytes())?;
        Ok::<Value, KeyServiceError>(serde_json::from_slice(&answer).unwrap_or_default())
    };
    let made = |operation: &str, body: Value| call(operation, body).unwrap();
    for _ in 0..ROUNDS {
        let key = made("CreateKey", json!({}))["KeyMetadata"]["KeyId"].clone();
        let generate = json!({"KeyId": key, "NumberOfBytes": 32});
        let old = made("GenerateDataKey", generate.clone());
        made("DisableKey", json!({"KeyId": key}));
        for (operation, body) in
            [("GenerateDataKey", generate.clone()), ("Decrypt", json!({"CiphertextBlob": old["CiphertextBlob"]}))]
        {
            assert_eq!(call(operation, body).unwrap_err().code(), ErrorCode::Disabled);
        }
        made("EnableKey", json!({"KeyId": key}));
        made("RotateKeyOnDemand", json!({"KeyId": key}));
        assert_ne!(made("GenerateDataKey", generate.clone())["KeyMaterialId"], old["KeyMaterialId"]);
        let opened = made("Decrypt", json!({"CiphertextBlob": old["CiphertextBlob"]}));
        assert_eq!((&opened["Plaintext"], &opened["KeyMaterialId"]), (&old["Plaintext"], &old["KeyMaterialId"]));
        // Whoever moves the alias moves it to a key that is enabled from then on.
        made("UpdateAlias", json!({"AliasName": "alias/shared", "TargetKeyId": key}));
        let shared = made("GenerateDataKey", json!({"KeyId": "alias/shared", "NumberOfBytes": 32}));
        let opened = made("Decrypt", json!({"CiphertextBlob": shared["CiphertextBlob"], "KeyId": shared["KeyId"]}));
        assert_eq!(opened["Plaintext"], shared["Plaintext"]);
        made("ScheduleKeyDeletion", json!({"KeyId": made("CreateKey", json!({}))["KeyMetadata"]["KeyId"]}));
    }
}

/// Makes keys and aliases, changes and rotates them without end, and says what was acknowledged.
fn load(directory: &Path) {
    let kms = LocalKms::open(directory, &mut no_passphrase).unwrap();
    let call = |operation: &str, body: Value| -> Value {
        let answer = kms.call(&Region::default(), operation, body.to_string().as_bytes()).unwrap();
        serde_json::from_slice(&answer).unwrap_or_default()
    };
    for number in 0.. {
        let made = &call("CreateKey", json!({"Description": number.to_string()}))["KeyMetadata"];
        let (key, name) = (&made["KeyId"], format!("alias/{}-{number}", std::process::id()));
        let old = &call("Encrypt", json!({"KeyId": key, "Plaintext": "b2xk"}))["CiphertextBlob"];
        call("CreateAlias", json!({"AliasName": name, "TargetKeyId": key}));
        call("RotateKeyOnDemand", json!({"KeyId": key}));
        let new = &call("Encrypt", json!({"KeyId": key, "Plaintext": "bmV3"}))["CiphertextBlob"];
        say(&json!({"key": key, "alias": name, "old": old, "new": new}).to_string());
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9_under_load() {
    let fixture = Fixture::new();
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        let mut children: Vec<Child> = (0..3).map(|_| spawn("load", &fixture.directory)).collect();
        let mut outputs: Vec<_> =
            children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap()).lines()).collect();
        for lines in &mut outputs {
            acknowledged.push(hear(lines).unwrap());
        }
        thread::sleep(Duration::from_millis(7 * round));
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // Lines that were cut short were not acknowledged to anybody.
        for lines in outputs {
            let said = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("SAYS ").map(str::to_owned));
            acknowledged.extend(said.filter(|line| line.ends_with('}')));
        }
    }
    assert!(acknowledged.len() >= 18, "{}", acknowledged.len());
    for line in acknowledged {
        let said: Value = serde_json::from_str(&line).unwrap();
        let described = fixture.call("DescribeKey", json!({"KeyId": said["alias"]})).unwrap();
        assert_eq!(described["KeyMetadata"]["KeyId"], said["key"]);
        for (blob, plaintext) in [("old", "b2xk"), ("new", "bmV3")] {
            let opened = fixture.call("Decrypt", json!({"CiphertextBlob": said[blob]})).unwrap();
            assert_eq!(opened["Plaintext"], plaintext);
        }
    }
    // And the store itself is whole.
    let database = rusqlite::Connection::open(fixture.directory.join("kms.db")).unwrap();
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

/// Tries to begin a change, and does not wait for anybody.
fn begin(database: &Path) -> &'static str {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    if connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() { "free" } else { "busy" }
}

/// Whether another process can change the store now.
fn as_another_process_finds_it(directory: &Path) -> String {
    let output = spawn("begin", directory).wait_with_output().unwrap();
    hear(&mut output.stdout.lines()).unwrap()
}

#[test]
fn a_store_that_is_closed_takes_no_lock_from_another_opening_in_the_same_process() {
    let fixture = Fixture::new();
    let connection = rusqlite::Connection::open(fixture.directory.join("kms.db")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(as_another_process_finds_it(&fixture.directory), "busy");
    for _ in 0..3 {
        let other = fixture.reopen();
        generate(&other, &key("alias/default"), &no_context()).unwrap();
    }
    drop(fixture.kms);
    assert_eq!(as_another_process_finds_it(&fixture.directory), "busy");
    connection.execute_batch("ROLLBACK").unwrap();
    assert_eq!(as_another_process_finds_it(&fixture.directory), "free");
}

#[test]
fn what_another_process_commits_every_next_call_sees() {
    let fixture = Fixture::new();
    let (arn, other) = (fixture.new_key(), fixture.reopen());
    let database = rusqlite::Connection::open(fixture.directory.join("kms.db")).unwrap();
    for state in ["Disabled", "Enabled"].into_iter().cycle().take(100) {
        database.execute("UPDATE keys SET key_state = ?1", [state]).unwrap();
        for kms in [&fixture.kms, &other] {
            let made = generate(kms, &KeyId::Arn(arn.clone()), &no_context());
            assert_eq!(made.is_ok(), state == "Enabled");
        }
    }
}

fn say(word: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\nSAYS {word}").unwrap();
    out.flush().unwrap();
}

/// The next word that the process says.
fn hear(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<String> {
    lines.find_map(|line| line.unwrap().strip_prefix("SAYS ").map(str::to_owned))
}

#[test]
fn of_many_processes_at_once_one_makes_the_store_and_all_use_it() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("kms");
    let children: Vec<_> = (0..8).map(|_| spawn("use", &directory)).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    let words: Vec<_> = outputs.iter().map(|output| hear(&mut output.stdout.lines())).collect();
    assert_eq!(words.iter().filter(|word| word.as_deref() == Some("made")).count(), 1, "{words:?}");
    assert_eq!(status(&directory).unwrap().keys, 1 + 8 * 2);
    assert_eq!(names(&directory), ["kms.db", "lock", "root.key"]);
}

#[test]
fn what_one_of_many_processes_changes_counts_for_itself_at_once_and_for_all_in_the_end() {
    let fixture = Fixture::new();
    let key = fixture.default_key();
    fixture.call("CreateAlias", json!({"AliasName": "alias/shared", "TargetKeyId": key.as_str()})).unwrap();
    let children: Vec<_> = (0..6).map(|_| spawn("change", &fixture.directory)).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    // Nothing was lost, and this opening, which has seen it all, knows what is now.
    let keys = fixture.call("ListKeys", json!({})).unwrap()["Keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1 + 6 * 2 * ROUNDS);
    let state = |key: &Value| {
        let described = fixture.call("DescribeKey", json!({"KeyId": key["KeyId"]})).unwrap();
        described["KeyMetadata"]["KeyState"].as_str().unwrap().to_owned()
    };
    let states: Vec<String> = keys.iter().map(state).collect();
    let count = |wanted: &str| states.iter().filter(|state| *state == wanted).count();
    assert_eq!((count("Enabled"), count("PendingDeletion")), (1 + 6 * ROUNDS, 6 * ROUNDS));
    let shared = fixture.call("DescribeKey", json!({"KeyId": "alias/shared"})).unwrap();
    assert_ne!(shared["KeyMetadata"]["Arn"], key.as_str());
}

#[test]
fn eight_threads_share_one_opening() {
    let fixture = Fixture::new();
    let keys: HashSet<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let own = fixture.new_key();
                    for _ in 0..200 {
                        let made = generate(&fixture.kms, &KeyId::Arn(own.clone()), &no_context()).unwrap();
                        let opened = decrypt(&fixture.kms, &made.ciphertext_blob, &no_context(), None).unwrap();
                        assert_eq!(opened.key_id, own);
                        assert_eq!(opened.plaintext.expose(), made.plaintext.expose());
                    }
                    own
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(keys.len(), 8);
}

#[test]
fn eight_threads_with_an_opening_each_make_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("kms");
    let made = thread::scope(|scope| {
        let open = || {
            let options = CreateOptions::default();
            let opened = LocalKms::open_or_create(&directory, &options, &mut no_passphrase).unwrap();
            let made = matches!(opened, Opened::Created(_));
            generate(&opened.into_kms(), &key("alias/default"), &no_context()).unwrap();
            usize::from(made)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(made, 1);
}

#[test]
fn a_process_that_is_killed_while_it_makes_a_store_leaves_none_or_a_whole_one() {
    let mut outcomes = HashSet::new();
    for step in 0..60_u64 {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("kms");
        let mut child = spawn("create", &directory);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(hear(&mut lines).as_deref(), Some("ready"));
        thread::sleep(Duration::from_micros(step * 100));
        child.kill().unwrap();
        child.wait().unwrap();
        let whole = match status(&directory) {
            Ok(status) => status.keys == 1 && status.default_key.is_some(),
            Err(StoreError::NotThere { .. }) => false,
            Err(other) => panic!("after {step} steps: {other:?}"),
        };
        outcomes.insert(whole);
        let options = CreateOptions::default();
        let opened = LocalKms::open_or_create(&directory, &options, &mut no_passphrase).unwrap();
        assert_eq!(matches!(opened, Opened::Existing(_)), whole);
        generate(&opened.into_kms(), &key("alias/default"), &no_context()).unwrap();
        assert_eq!(names(&directory), ["kms.db", "lock", "root.key"]);
    }
    assert!(outcomes.contains(&false), "no process was killed in time");
}

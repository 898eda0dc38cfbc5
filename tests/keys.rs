//! The key store: made on first use, missing, foreign, sealed by a passphrase, backed up and restored.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Run, World, names_in, noise};

#[test]
fn the_first_encryption_makes_a_store_and_says_so_once() {
    let world = World::new();
    world.write("f", "content");
    let store = world.home().join("kms");
    world.run(["encrypt", "f"]).succeeds().says_exactly(&format!(
        "note: made a key store in {}\n\
         hint: without it nothing encrypted here can be opened: back it up with 'waxseal kms backup FILE'",
        store.display(),
    ));
    world.run(["encrypt", "-f", "f"]).succeeds_silently();
    assert_eq!(fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(store.join("root.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let quiet = World::new();
    quiet.pipe(["encrypt", "-q", "-o", "g.wax"], b"x").succeeds_silently();
}

#[test]
fn commands_that_only_read_make_no_store() {
    let other = World::with_store();
    let container = other.pipe(["encrypt"], b"x").succeeds().stdout;
    let world = World::new();
    world.write("f.wax", container);
    for command in ["decrypt", "cat", "verify"] {
        world
            .run([command, "f.wax"])
            .fails_with(8)
            .says("there is no key store here\nhint: restore a backup with 'waxseal kms restore FILE'")
            .writes_nothing();
    }
    world.run(["kms", "backup", "b"]).fails_with(8);
    world.run(["status"]).succeeds().says_exactly("");
    assert!(!world.home().exists());
    assert_eq!(world.names(), ["f.wax"]);
}

#[test]
fn a_container_of_another_store_says_so() {
    let other = World::with_store();
    let container = other.pipe(["encrypt"], b"x").succeeds().stdout;
    let world = World::with_store();
    world.write("f.wax", container);
    for command in ["decrypt", "cat", "verify"] {
        world
            .run([command, "f.wax"])
            .fails_with(8)
            .says("error: f.wax: made by another store: its key arn:aws:kms:us-east-1:000000000000:key/")
            .says("hint: restore that store's backup beside this one")
            .writes_nothing();
    }
    assert_eq!(world.names(), ["f.wax"]);
}

#[test]
fn a_backup_opens_old_containers_on_another_machine() {
    let old = World::with_store();
    let content = noise(200_000, 1);
    old.container("f.wax", &content, "aes-256-gcm-siv");
    old.write("pw", "correct horse\n");
    old.run(["kms", "backup", "keys.backup", "--passphrase-file", "pw"]).succeeds();
    assert_eq!(fs::metadata(old.path("keys.backup")).unwrap().permissions().mode() & 0o777, 0o600);
    old.run(["kms", "backup", "keys.backup", "--passphrase-file", "pw"]).fails_with(4).says("keys.backup: ");
    old.run(["kms", "backup", "-f", "keys.backup", "--backup-passphrase-file", "pw"]).succeeds();
    assert!(!old.run(["status"]).succeeds().text().contains("never"));

    let new = World::new();
    for name in ["f.wax", "keys.backup", "pw"] {
        new.write(name, old.read(name));
    }
    new.write("wrong", "incorrect\n");
    new.run(["kms", "restore", "keys.backup", "--passphrase-file", "wrong"])
        .fails_with(8)
        .says("the passphrase is wrong");
    assert!(!new.home().join("kms/kms.db").exists());
    new.run(["kms", "restore", "f.wax", "--passphrase-file", "pw"]).fails_with(5).says("not a backup");
    new.run(["kms", "restore", "keys.backup", "--passphrase-command", "cat pw"]).succeeds();
    assert!(new.run(["cat", "f.wax"]).succeeds_silently().stdout == content);
    new.run(["kms", "restore", "keys.backup", "--passphrase-file", "pw"]).fails_with(4).says("already");
}

#[test]
fn a_backup_goes_where_backups_can_be() {
    let world = World::with_store();
    world.container("f.wax", b"x", "aes-256-gcm-siv");
    world.write("pw", "secret");
    fs::create_dir(world.path("folder")).unwrap();
    world.write("there", "precious");
    let backup = |target: &str| world.run(["kms", "backup", "-f", target, "--passphrase-file", "pw"]);
    let store = world.home().join("kms");
    let before = names_in(&store);
    for name in ["kms.db", "root.key", "new.backup"] {
        backup(store.join(name).to_str().unwrap()).fails_with(4).says("is in the key store's own directory");
    }
    std::os::unix::fs::symlink(store.join("kms.db"), world.path("link")).unwrap();
    backup("link").fails_with(4).says("link: is in the key store's own directory");
    assert_eq!(names_in(&store), before);
    world.run(["cat", "f.wax"]).succeeds_silently();

    backup("-").fails_with(2).says("hint: ./- is a file called -");
    backup("folder").fails_with(4).says("error: folder: is a directory\nhint: name a file in it");
    backup("nowhere/b").fails_with(4).says("nowhere/b: cannot be written: no such file or directory\nhint: ");
    backup("/dev/null").fails_with(4).says("/dev/null: cannot be written: it is not a regular file");
    let plain = world.run(["kms", "backup", "there", "--passphrase-file", "pw"]).fails_with(4);
    plain.says("error: there: the file exists\nhint: replace it with --force, or name another file");
    assert_eq!(world.read("there"), b"precious");
    assert_eq!(world.names(), ["f.wax", "folder", "link", "pw", "there"]);
}

#[test]
fn passphrases_of_every_kind_are_taken_as_they_are_or_refused() {
    let world = World::with_store();
    for (name, passphrase) in [("empty", &b""[..]), ("line", b"\nx"), ("long", &[b'a'; 1 << 20])] {
        world.write(name, passphrase);
        world.run(["kms", "backup", "b", "--passphrase-file", name]).fails_with(8).says("passphrase");
    }
    world.run(["kms", "backup", "b", "--passphrase-file", "/dev/zero"]).fails_with(8).says("longer than 1024 bytes");
    world.run(["kms", "backup", "b", "--passphrase-command", "kill -9 $$"]).fails_with(8).says("SIGKILL");
    assert!(!world.path("b").exists());
    let new = World::new();
    for (name, passphrase) in [("bytes", &b"\xff\xfe \x00"[..]), ("lines", b" two \nlines\n"), ("dos", b" two \r\n")] {
        world.write(name, passphrase);
        world.run(["kms", "backup", "-f", "scratch", "--passphrase-file", name]).succeeds();
        new.write(name, passphrase);
    }
    // Only the first line counts, without its end: both are the same passphrase.
    world.run(["kms", "backup", "b", "--passphrase-file", "lines"]).succeeds();
    new.write("b", world.read("b"));
    new.run(["kms", "restore", "b", "--passphrase-file", "bytes"]).fails_with(8).says("the passphrase is wrong");
    new.run(["kms", "restore", "b", "--passphrase-file", "dos"]).succeeds();
}

#[test]
fn a_damaged_backup_is_refused() {
    let world = World::with_store();
    world.write("pw", "secret");
    world.run(["kms", "backup", "b", "--passphrase-file", "pw"]).succeeds();
    let backup = world.read("b");
    let new = World::new();
    new.write("pw", "secret");
    for cut in [0, 10, backup.len() / 2, backup.len() - 1] {
        new.write("b", &backup[..cut]);
        let run = new.run(["kms", "restore", "b", "--passphrase-file", "pw"]);
        assert!(matches!(run.code, Some(5 | 6)), "{cut}: {run:?}");
    }
    let mut bytes = backup.clone();
    *bytes.last_mut().unwrap() ^= 1;
    new.write("b", &bytes);
    let run = new.run(["kms", "restore", "b", "--passphrase-file", "pw"]);
    assert!(matches!(run.code, Some(5 | 6 | 8)), "{run:?}");
    assert_eq!(new.names(), ["b", "pw"]);
}

#[test]
fn a_passphrase_that_nobody_can_type_is_asked_for_by_its_own_option() {
    let world = World::with_store();
    let run = world.run(["kms", "backup", "keys.backup"]).fails_with(8);
    run.says("the passphrase of the backup is needed").says("hint: give it with --backup-passphrase-file FILE");
    let run = world.run(["kms", "seal", "--seal", "passphrase"]).fails_with(8);
    run.says("the passphrase of the key store from now on is needed")
        .says("hint: give it with --new-passphrase-file FILE");
}

#[test]
fn a_store_can_be_sealed_by_a_passphrase() {
    let world = World::new();
    world.write("pw", "correct horse");
    world.write("wrong", "incorrect");
    world.write("empty", "\n");
    world.write("f", "content");
    world.run(["kms", "init", "--seal", "passphrase", "--passphrase-file", "empty"]).fails_with(8).says("is empty");
    world.run(["kms", "init", "--seal", "passphrase"]).fails_with(8).says("there is no terminal to ask for it");
    assert!(!world.home().join("kms/kms.db").exists());
    world.run(["kms", "init", "--seal", "passphrase", "--passphrase-file", "pw"]).succeeds();
    assert!(!world.home().join("kms/root.key").exists());
    world.run(["encrypt", "f", "--passphrase-file", "pw"]).succeeds_silently();
    world.run(["cat", "f.wax", "--passphrase-command", "cat pw"]).succeeds_silently();
    world
        .run(["cat", "f.wax", "--passphrase-file", "wrong"])
        .fails_with(8)
        .says("the passphrase is wrong")
        .writes_nothing();
    world.run(["cat", "f.wax", "--passphrase-command", "exit 7"]).fails_with(8).says("the passphrase command failed");
    world
        .run(["cat", "f.wax", "--passphrase-file", "nowhere"])
        .fails_with(8)
        .says("nowhere: the passphrase cannot be read");
    world.run(["cat", "f.wax"]).fails_with(8).says(
        "there is no terminal to ask for it\nhint: give it with --passphrase-file FILE or --passphrase-command COMMAND",
    );
    world.run(["status"]).succeeds();
    assert_eq!(world.names(), ["empty", "f", "f.wax", "pw", "wrong"]);
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal_without_echo() {
    let world = World::new();
    world.write("f", "content");
    let init = "kms init --seal passphrase";
    let Some((text, code)) = typed(&world, init, &[("Passphrase of the key store: ", "horse"), ("again: ", "house")])
    else {
        return;
    };
    assert!(code == Some(8) && text.contains("the two passphrases differ") && !text.contains("horse"), "{text}");
    let (text, code) =
        typed(&world, init, &[("Passphrase of the key store: ", "horse"), ("again: ", "horse")]).unwrap();
    assert!(code == Some(0) && !text.contains("horse"), "{text}");
    let (text, code) = typed(&world, "encrypt f", &[("Passphrase of the key store: ", "horse")]).unwrap();
    assert!(code == Some(0) && !text.contains("again"), "{text}");
    let (text, code) = typed(&world, "cat f.wax", &[("Passphrase of the key store: ", "house")]).unwrap();
    assert!(code == Some(8) && text.contains("the passphrase is wrong"), "{text}");
    let (_, code) = typed(&world, "cat f.wax", &[("Passphrase of the key store: ", "\u{3}")]).unwrap();
    assert_eq!(code, Some(130), "Ctrl-C at the prompt");
}

/// Runs the program on a terminal of its own, and answers each prompt when it appears. Gives what the terminal showed.
fn typed(world: &World, arguments: &str, answers: &[(&str, &str)]) -> Option<(String, Option<i32>)> {
    let mut child = world.on_terminal(arguments)?.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut byte = [0];
    for (prompt, answer) in answers {
        while !shown.ends_with(prompt.as_bytes()) {
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "no prompt: {}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        // An interrupt needs no new line; what is typed does.
        let end = if *answer == "\u{3}" { "" } else { "\r" };
        stdin.write_all(format!("{answer}{end}").as_bytes()).unwrap();
    }
    stdout.read_to_end(&mut shown).unwrap();
    let code = child.wait().unwrap().code();
    Some((String::from_utf8_lossy(&shown).into_owned(), code))
}

#[test]
fn an_existing_store_is_never_made_again() {
    let world = World::with_store();
    world.run(["kms", "init"]).fails_with(4).says("already");
    let before = names_in(&world.home().join("kms"));
    world.write("f", "x");
    world.run(["encrypt", "f"]).succeeds_silently();
    assert!(before.contains(&"root.key".to_owned()));
}

#[test]
fn a_damaged_store_is_named_and_stays_as_it_is() {
    let world = World::with_store();
    world.write("f", "x");
    world.run(["encrypt", "f"]).succeeds_silently();
    let (key, database) = (world.home().join("kms/root.key"), world.home().join("kms/kms.db"));
    let good_key = fs::read(&key).unwrap();

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    world.run(["cat", "f.wax"]).fails_with(8).says("0644");
    fs::remove_file(&key).unwrap();
    world.run(["cat", "f.wax"]).fails_with(8).says("the key file of the key store is missing");
    world.run(["encrypt", "-f", "f"]).fails_with(8).says("the key file of the key store is missing");
    fs::write(&key, "nonsense").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    world.run(["cat", "f.wax"]).fails_with(8).says("root.key: ");
    fs::write(&key, good_key).unwrap();
    world.run(["cat", "f.wax"]).succeeds_silently();

    fs::write(&database, noise(20_000, 1)).unwrap();
    world.run(["cat", "f.wax"]).fails_with(8).says("kms.db: ");
    world.run(["encrypt", "-f", "f"]).fails_with(8).says("kms.db: ");
    assert_eq!(fs::read(&database).unwrap(), noise(20_000, 1));
}

#[test]
fn a_home_that_is_a_file_is_named() {
    let world = World::new();
    fs::write(world.home(), "precious").unwrap();
    world.write("f", "x");
    for arguments in [&["status"][..], &["encrypt", "f"], &["kms", "init"], &["kms", "backup", "b"]] {
        world.run(arguments).fails_with(8).says(
            "home/kms: cannot look at the directory: not a directory\nhint: it has to be a directory of your own",
        );
    }
    assert_eq!(fs::read(world.home()).unwrap(), b"precious");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn keys_are_named_on_writing_and_restricted_on_reading() {
    let world = World::with_store();
    world.write("f", "x");
    world.run(["encrypt", "-k", "alias/nowhere", "f"]).fails_with(8).says("alias/nowhere");
    let unknown = "1234abcd-12ab-34cd-56ef-1234567890ab";
    world.run(["encrypt", "-k", unknown, "f"]).fails_with(8).says(unknown);
    let aws = format!("arn:aws:kms:us-east-1:111122223333:key/{unknown}");
    // Nobody is asked over a network for credentials that a machine might have.
    let mut command = world.command(["encrypt", "-k", &aws, "f"]);
    let without = Run::from(command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap());
    if cfg!(feature = "aws") {
        without.fails_with(8).says("There are no AWS credentials that can be used.");
    } else {
        without.fails_with(8).says("AWS KMS");
    }
    assert_eq!(world.names(), ["f"]);
    world.run(["encrypt", "-k", "alias/default", "f"]).succeeds_silently();
    let [status] = world.run(["status", "--json"]).succeeds().json().try_into().unwrap();
    let arn = status["default_key"].as_str().unwrap();
    let id = arn.rsplit('/').next().unwrap();
    for key in [arn, id, "alias/default", "local:alias/default"] {
        world.run(["cat", "-k", key, "f.wax"]).succeeds_silently();
        world.run(["encrypt", "-f", "-k", key, "f"]).succeeds_silently();
    }
    world.run(["cat", "-k", unknown, "-k", id, "f.wax"]).succeeds_silently();
    world.run(["cat", "-k", unknown, "f.wax"]).fails_with(8).says("f.wax: ").writes_nothing();
    // A key that is named twice counts once.
    world.run(["encrypt", "-f", "-k", id, "-k", "alias/default", "f"]).succeeds_silently();
    assert_eq!(world.run(["inspect", "--keys", "f.wax"]).succeeds().text().lines().count(), 1);
}

#[test]
fn regions_are_those_of_the_store() {
    let world = World::new();
    world.run(["kms", "init", "--region", "nowhere at all"]).fails_with(2);
    world.run(["kms", "init", "--region", "eu-central-1"]).succeeds();
    world.write("f", "x");
    world.run(["encrypt", "f"]).succeeds_silently();
    let keys = world.run(["inspect", "--keys", "f.wax"]).succeeds();
    assert!(keys.text().starts_with("local arn:aws:kms:eu-central-1:000000000000:key/"), "{}", keys.text());
    world.run(["cat", "f.wax"]).succeeds_silently();
    let elsewhere = "arn:aws:kms:us-east-1:000000000000:alias/default";
    world
        .run(["encrypt", "-f", "-k", elsewhere, "f"])
        .fails_with(8)
        .says("hint: region eu-central-1 has it: -k arn:aws:kms:eu-central-1:000000000000:alias/default");
    let here = "arn:aws:kms:eu-central-1:000000000000:alias/default";
    world.run(["encrypt", "-f", "-k", here, "f"]).succeeds_silently();
}

#[test]
fn the_home_is_found_where_it_was_asked_for() {
    let world = World::new();
    let data = world.path("data");
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env_remove("WAXSEAL_HOME").envs(variables.iter().copied());
        crate::support::Run::from(command.output().unwrap())
    };
    run(&[("HOME", world.path("h").to_str().unwrap())], &["kms", "init"]).succeeds();
    assert!(world.path("h/.local/share/waxseal/kms/kms.db").exists());
    run(&[("HOME", "/nowhere"), ("XDG_DATA_HOME", data.to_str().unwrap())], &["kms", "init"]).succeeds();
    assert!(world.path("data/waxseal/kms/kms.db").exists());
    run(&[("WAXSEAL_HOME", "variable")], &["--home", "option", "kms", "init"]).succeeds();
    assert!(world.path("option/kms/kms.db").exists());
    run(&[("WAXSEAL_HOME", "variable")], &["kms", "init"]).succeeds();
    assert!(world.path("variable/kms/kms.db").exists());
    let unset = run(&[("WAXSEAL_HOME", ""), ("HOME", world.path("h").to_str().unwrap())], &["status"]).succeeds();
    assert!(unset.text().contains("h/.local/share/waxseal/kms\n"), "{}", unset.text());
    run(&[("WAXSEAL_HOME", "variable")], &["--home", "", "status"]).fails_with(2);
}

#[test]
fn no_key_and_no_passphrase_is_ever_printed() {
    let world = World::new();
    world.write("pw", "correct horse battery");
    let init = world.run(["kms", "init", "-v", "--seal", "passphrase", "--passphrase-file", "pw"]).succeeds();
    let status = world.run(["status", "-v"]).succeeds();
    world.write("f", "x");
    let encrypt = world.run(["encrypt", "-v", "--passphrase-file", "pw", "f"]).succeeds();
    for run in [init, status, encrypt] {
        assert!(!run.stderr.contains("horse") && !run.text().contains("horse"));
    }
}

#[test]
fn keys_that_the_last_backup_does_not_have_are_counted() {
    let world = World::with_store();
    world.write("pw", "a passphrase for the backup");
    let backup = || world.run(["kms", "backup", "-f", "b", "--backup-passphrase-file", "pw"]).succeeds();
    let since = || world.run(["status", "--json"]).succeeds().json()[0]["keys_since_backup"].as_u64().unwrap();
    assert_eq!(since(), 1);
    backup();
    assert_eq!(since(), 0);
    assert!(!world.run(["status"]).succeeds().text().contains("since"));
    world.run(["kms", "create-key"]).succeeds();
    let run = world.run(["doctor"]).succeeds();
    let notice = "; 1 key was made or rotated since, so it does not open everything\n";
    assert!(run.text().contains(notice), "{}", run.text());
    let default = world.run(["status", "--json"]).succeeds().json()[0]["default_key"].as_str().unwrap().to_owned();
    world.run(["kms", "rotate-key-on-demand", "--key-id", &default]).succeeds();
    assert_eq!(since(), 2);
    let run = world.run(["status"]).succeeds();
    assert!(
        run.text().contains("; 2 keys were made or rotated since, so it does not open everything"),
        "{}",
        run.text()
    );
    backup();
    assert_eq!(since(), 0);
}

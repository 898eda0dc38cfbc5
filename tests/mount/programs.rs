//! Programs that know nothing of the mount: version control, databases, backups, archives, builds.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;

use super::support::{Mounted, containers_hold, contents, eventually, mountable, succeeds};
use crate::support::{needed, noise};

/// A command in a directory, with nothing of the developer's own configuration.
fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

/// Runs a line of shell in a directory.
#[track_caller]
fn shell(directory: &Path, line: &str) -> String {
    succeeds(command(Path::new("/bin/sh"), directory).args(["-euc", line]))
}

/// A tree of sources: the project's own.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/container");

#[test]
fn git_clones_commits_packs_and_checks() {
    let (Some(world), Some(_)) = (mountable(), needed("git")) else { return };
    let mounted = Mounted::new(&world, &[]);
    fs::create_dir(world.path("origin")).unwrap();
    let identity = "git config user.name me && git config user.email me@example.org";
    shell(
        &world.path("origin"),
        &format!(
            "git init -q . && {identity} && cp -R {SOURCES}/src {SOURCES}/*.md . && git add . && git commit -qm one"
        ),
    );
    shell(&mounted.root(), "git clone -q ../origin copy");
    let copy = mounted.path("copy");
    for number in 0..5 {
        let text = format!("{number}\n").repeat(1000 * (number + 1));
        fs::write(copy.join("src/lib.rs"), &text).unwrap();
        fs::write(copy.join(format!("new{number}")), &text).unwrap();
        shell(&copy, &format!("{identity} && git add . && git commit -qm {number}"));
    }
    shell(
        &copy,
        "git mv new1 src/moved && git commit -qm moved && git repack -qad && git gc -q --aggressive --prune=now",
    );
    shell(&copy, "git fsck --strict --full && git diff --exit-code && test -z \"$(git status --porcelain)\"");
    shell(&copy, "git checkout -q HEAD~3 && git checkout -q - && git stash list && git log --oneline | wc -l");
    mounted.unmount();
    let again = Mounted::new(&world, &["--read-only"]);
    shell(&again.path("copy"), "git -c safe.directory='*' fsck --strict --full");
    let expected = contents(&again.root());
    again.unmount();
    containers_hold(&world, &expected);
}

#[test]
fn sqlite_keeps_its_promises_in_both_journal_modes() {
    let (Some(world), Some(sqlite)) = (mountable(), needed("sqlite3")) else { return };
    let mounted = Mounted::new(&world, &[]);
    for mode in ["wal", "delete"] {
        let database = mounted.path(&format!("{mode}.db"));
        let run = |sql: &str| succeeds(command(&sqlite, &mounted.root()).arg("-bail").arg(&database).arg(sql));
        run(&format!(
            "PRAGMA journal_mode={mode}; PRAGMA mmap_size=268435456; PRAGMA synchronous=FULL;
             CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB, sum INTEGER); CREATE INDEX i ON t(sum);"
        ));
        for round in 0..4 {
            run(&format!(
                "PRAGMA mmap_size=268435456; BEGIN;
                 WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<1000)
                 INSERT INTO t(body, sum) SELECT randomblob(300+x%200), x*{round} FROM n; COMMIT;
                 UPDATE t SET body=randomblob(500) WHERE id%7={round}; DELETE FROM t WHERE id%11={round};
                 PRAGMA wal_checkpoint(TRUNCATE);"
            ));
        }
        run("VACUUM;");
        assert_eq!(run("PRAGMA mmap_size=268435456; PRAGMA integrity_check;").lines().last(), Some("ok"));
    }
    let count = |mounted: &Mounted<'_>, mode: &str| {
        let sql = "PRAGMA integrity_check; SELECT count(*), sum(sum) FROM t;";
        succeeds(command(&sqlite, &mounted.root()).arg(mounted.path(&format!("{mode}.db"))).arg(sql))
    };
    let before = ["wal", "delete"].map(|mode| count(&mounted, mode));
    mounted.unmount();
    let again = Mounted::new(&world, &[]);
    assert_eq!(["wal", "delete"].map(|mode| count(&again, mode)), before);
    again.unmount();
}

#[test]
fn rsync_has_nothing_to_do_the_second_time() {
    let (Some(world), Some(rsync)) = (mountable(), needed("rsync")) else { return };
    let mounted = Mounted::new(&world, &[]);
    fs::create_dir(world.path("from")).unwrap();
    shell(
        &world.path("from"),
        &format!(
            "cp -R {SOURCES}/src . && ln src/lib.rs hard && ln -s src/lib.rs soft && mkdir -m 700 empty && mkfifo pipe
         head -c 3000000 /dev/urandom > big && truncate -s 10M sparse && chmod 600 big && chmod 4755 hard
         touch -d @1000000000.123456789 big soft empty src",
        ),
    );
    let attributes =
        rustix::fs::setxattr(world.path("from/big"), "user.colour", b"blue", rustix::fs::XattrFlags::empty());
    let run = |further: &[&str]| {
        let mut rsync = command(&rsync, &world.dir());
        succeeds(
            rsync
                .arg(if attributes.is_ok() { "-aHAX" } else { "-aHA" })
                .args(["--itemize-changes"])
                .args(further)
                .args(["from/", "clear/"]),
        )
    };
    assert!(run(&[]).lines().count() > 20);
    assert_eq!(run(&[]), "", "the second time");
    assert_eq!(run(&["--checksum", "--dry-run"]), "", "the content");
    mounted.unmount();
    let again = Mounted::new(&world, &[]);
    assert_eq!(run(&["--checksum", "--delete"]), "", "after a remount");
    let expected = contents(&again.root());
    again.unmount();
    containers_hold(&world, &expected);
}

#[test]
fn an_archive_comes_out_as_it_went_in() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    shell(
        &world.dir(),
        &format!("tar -C {SOURCES} -cf sources.tar src SPEC.md Cargo.toml && tar -C clear -xpf sources.tar"),
    );
    shell(&world.dir(), &format!("diff -r {SOURCES}/src clear/src && tar -C clear -df sources.tar"));
    shell(
        &mounted.root(),
        "tar -cf all.tar src && tar -df all.tar && mkdir out && tar -C out -xf all.tar && diff -r src out/src",
    );
    mounted.unmount();
    let again = Mounted::new(&world, &[]);
    shell(&world.dir(), &format!("diff -r {SOURCES}/src clear/out/src && tar -C clear -df clear/all.tar"));
    let expected = contents(&again.root());
    again.unmount();
    containers_hold(&world, &expected);
}

#[test]
fn cargo_builds_and_runs_on_the_mount() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let package = mounted.path("hello");
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(package.join("Cargo.toml"), "[package]\nname = \"hello\"\nedition = \"2024\"\n[workspace]\n").unwrap();
    fs::write(package.join("src/main.rs"), "fn main() { println!(\"hello\"); }\n").unwrap();
    let cargo = |word: &str| {
        let mut command = Command::new(env!("CARGO"));
        succeeds(
            command
                .args([word, "-q", "--offline"])
                .current_dir(&package)
                .env("CARGO_TARGET_DIR", package.join("target")),
        )
    };
    assert_eq!(cargo("run"), "hello\n");
    fs::write(package.join("src/main.rs"), "fn main() { println!(\"changed\"); }\n").unwrap();
    assert_eq!(cargo("run"), "changed\n");
    mounted.unmount();
    let again = Mounted::new(&world, &[]);
    assert_eq!(succeeds(&mut Command::new(again.path("hello/target/debug/hello"))), "changed\n");
    again.unmount();
}

#[test]
fn many_files_at_once_from_several_threads() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let content = |thread: usize, number: usize| noise(number * 37 % 9000, (thread * 1000 + number) as u64);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let folder = mounted.path(&thread.to_string());
            scope.spawn(move || {
                fs::create_dir(&folder).unwrap();
                for number in 0..60 {
                    let (part, whole) = (folder.join("part"), folder.join(number.to_string()));
                    fs::write(&part, content(thread, number)).unwrap();
                    fs::rename(&part, &whole).unwrap();
                    assert!(fs::read(&whole).unwrap() == content(thread, number), "{thread}/{number}");
                }
            });
        }
    });
    let expected = contents(&mounted.root());
    assert_eq!(expected.len(), 8 * 60);
    mounted.unmount();
    containers_hold(&world, &expected);
}

#[test]
fn a_program_that_is_being_executed_is_neither_written_nor_cut() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    let copy = mounted.path("sleep");
    fs::copy("/bin/sleep", &copy).unwrap();
    let before = fs::read(&copy).unwrap();
    let busy = |error: &std::io::Error| error.raw_os_error() == Some(Errno::TXTBSY.raw_os_error());
    let started = || match Command::new(&copy).arg("1000").spawn() {
        // A test beside this one may be starting a program, which has our open files until it is executed.
        Err(error) if busy(&error) => None,
        started => Some(started.unwrap()),
    };
    let mut running = None;
    eventually("nobody has the copy open for writing", || {
        running = started();
        running.is_some()
    });
    let mut running = running.unwrap();
    let mut write = fs::File::options();
    write.write(true);
    let mut cut = fs::File::options();
    cut.write(true).truncate(true);
    for way in [&write, &cut] {
        assert!(way.open(&copy).is_err_and(|error| busy(&error)));
    }
    assert!(running.try_wait().unwrap().is_none(), "it was harmed");
    assert!(fs::read(&copy).unwrap() == before);
    running.kill().unwrap();
    running.wait().unwrap();
    mounted.unmount();
    containers_hold(&world, &[("sleep".into(), before)]);
}

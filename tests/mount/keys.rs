//! Keys of a mount: where they come from, which files they open, and what new files are made under.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::Command;

use super::support::{CLEAR, Mounted, VAULT, eventually, is_mounted, mountable};
use crate::support::{World, names_in, needed};

/// A world whose key store is sealed by the passphrase `horse`.
fn sealed() -> Option<World> {
    let world = mountable()?;
    fs::remove_dir_all(world.home()).unwrap();
    world.write("pw", "horse\n");
    world.run(["kms", "init", "--seal", "passphrase", "--passphrase-file", "pw"]).succeeds();
    Some(world)
}

/// The key ARN that protects a file.
fn key_of(world: &World, name: &str) -> String {
    let run = world.run(["--json", "inspect", name]).succeeds_silently();
    run.json()[0]["keys"][0]["key_arn"].as_str().unwrap().to_owned()
}

/// The errno of an attempt that has to fail.
#[track_caller]
fn errno<T: std::fmt::Debug>(attempt: std::io::Result<T>) -> i32 {
    attempt.unwrap_err().raw_os_error().unwrap()
}

#[test]
fn a_writable_mount_makes_the_key_store_and_says_so() {
    let Some(world) = mountable() else { return };
    fs::remove_dir_all(world.home()).unwrap();
    world.run(["mount", VAULT, CLEAR]).succeeds().says("note: made a key store in ").says("back it up with");
    fs::write(world.path("clear/f"), "content").unwrap();
    world.run(["umount", CLEAR]).succeeds_silently();
    assert_eq!(world.run(["cat", "vault/f.wax"]).succeeds_silently().text(), "content");
}

#[test]
fn a_read_only_mount_makes_no_key_store_and_changes_nothing() {
    let Some(world) = mountable() else { return };
    world.container("vault/f.wax", b"content", "aes-256-gcm-siv");
    let before = world.read("vault/f.wax");
    let mounted = Mounted::new(&world, &["--read-only"]);
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"content");
    const READ_ONLY: i32 = 30;
    assert_eq!(errno(fs::write(mounted.path("f"), "x")), READ_ONLY);
    assert_eq!(errno(fs::write(mounted.path("g"), "x")), READ_ONLY);
    assert_eq!(errno(fs::create_dir(mounted.path("d"))), READ_ONLY);
    assert_eq!(errno(fs::remove_file(mounted.path("f"))), READ_ONLY);
    mounted.unmount();
    assert!(world.read("vault/f.wax") == before && names_in(&world.path(VAULT)) == ["f.wax"]);
    fs::remove_dir_all(world.home()).unwrap();
    world.run(["mount", "--read-only", VAULT, CLEAR]).fails_with(8).says("there is no key store here\nhint: ");
    assert!(!world.home().exists() && !is_mounted(&world.path(CLEAR)));
}

#[test]
fn a_passphrase_comes_from_a_file_or_a_command_and_a_wrong_one_mounts_nothing() {
    let Some(world) = sealed() else { return };
    for options in [["--passphrase-file", "pw"], ["--passphrase-command", "echo horse"]] {
        world.run(["mount"].into_iter().chain(options).chain([VAULT, CLEAR])).succeeds_silently();
        fs::write(world.path("clear/f"), "content").unwrap();
        world.run(["umount", CLEAR]).succeeds_silently();
    }
    world.run(["mount", "--passphrase-command", "echo house", VAULT, CLEAR]).fails_with(8).says("passphrase is wrong");
    world.run(["mount", VAULT, CLEAR]).fails_with(8).says("there is no terminal to ask for it");
    assert!(!is_mounted(&world.path(CLEAR)));
}

#[test]
fn a_passphrase_is_typed_before_the_mount_leaves_the_terminal() {
    let Some(world) = sealed() else { return };
    for (typed, code, mounted) in [("house\r", 8, false), ("\u{3}", 130, false), ("horse\r", 0, true)] {
        let Some(mut terminal) = world.on_terminal(&format!("mount {VAULT} {CLEAR}")) else { return };
        let mut child = terminal.spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (mut shown, mut byte) = (Vec::new(), [0]);
        while !shown.ends_with(b"Passphrase of the key store: ") {
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        stdin.write_all(typed.as_bytes()).unwrap();
        // The terminal is given up with the command, although the mount goes on.
        stdout.read_to_end(&mut shown).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{typed:?}: {}", String::from_utf8_lossy(&shown));
        assert!(!String::from_utf8_lossy(&shown).contains("horse"));
        assert_eq!(is_mounted(&world.path(CLEAR)), mounted);
    }
    fs::write(world.path("clear/f"), "content").unwrap();
    world.run(["umount", CLEAR]).succeeds_silently();
}

#[test]
fn new_files_get_the_first_key_and_the_context_and_others_do_not_open() {
    let Some(world) = mountable() else { return };
    world.container("vault/plain.wax", b"of no team", "aes-256-gcm-siv");
    let default = key_of(&world, "vault/plain.wax");
    let id = default.rsplit('/').next().unwrap();
    let mounted = Mounted::new(&world, &["-k", id, "-c", "team=a", "-c", "year=1", "--suite", "xchacha20-poly1305"]);
    fs::write(mounted.path("f"), "content").unwrap();
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"content");
    // It is listed with its size, fails to open, and affects nothing else.
    assert_eq!(fs::metadata(mounted.path("plain")).unwrap().len(), 10);
    const ACCESS: i32 = 13;
    assert_eq!(errno(fs::read(mounted.path("plain"))), ACCESS);
    assert_eq!(names_in(&mounted.root()), ["f", "plain"]);
    mounted.unmount();
    assert_eq!(key_of(&world, "vault/f.wax"), default);
    world.run(["cat", "-c", "team=a", "-c", "year=1", "vault/f.wax"]).succeeds_silently();
    let run = world.run(["--json", "inspect", "vault/f.wax"]).succeeds_silently();
    assert_eq!(run.json()[0]["suite"], "xchacha20-poly1305");
}

#[test]
fn demands_that_no_new_file_could_meet_are_refused() {
    let Some(world) = mountable() else { return };
    world.run(["mount", "-c", "team", VAULT, CLEAR]).fails_with(2).says("-c team gives new files no value\nhint: ");
    world.run(["mount", "-c", "=x", VAULT, CLEAR]).fails_with(2);
    world.run(["mount", "-c", "waxseal:x=y", VAULT, CLEAR]).fails_with(2).says("waxseal:");
    let long = format!("a={}", "x".repeat(600));
    world.run(["mount", "-c", &long, VAULT, CLEAR]).fails_with(2);
    world.run(["mount", "--key-ttl", "5x", VAULT, CLEAR]).fails_with(2).says("5m");
    world.run(["mount", "--threads", "0", VAULT, CLEAR]).fails_with(2);
    world.container("vault/f.wax", b"x", "aes-256-gcm-siv");
    let mounted = Mounted::new(&world, &["--read-only", "-c", "team"]);
    assert!(fs::read(mounted.path("f")).is_err(), "it has no pair of this name");
    mounted.unmount();
}

#[test]
fn a_file_of_another_store_fails_alone_is_named_in_the_log_and_can_be_moved() {
    let Some(world) = mountable() else { return };
    let other = World::with_store();
    other.container("theirs.wax", b"not ours", "aes-256-gcm-siv");
    world.write("vault/theirs.wax", other.read("theirs.wax"));
    let mounted = Mounted::new(&world, &[]);
    fs::write(mounted.path("ours"), "content").unwrap();
    const NO_KEY: i32 = 126;
    assert_eq!(errno(fs::read(mounted.path("theirs"))), NO_KEY);
    assert_eq!(fs::read(mounted.path("ours")).unwrap(), b"content");
    eventually("the log names it", || mounted.log().contains("theirs.wax"));
    fs::rename(mounted.path("theirs"), mounted.path("moved")).unwrap();
    mounted.unmount();
    assert!(world.read("vault/moved.wax") == other.read("theirs.wax"));
}

#[test]
fn the_log_says_at_the_end_how_often_the_key_service_was_asked() {
    let Some(world) = mountable() else { return };
    for name in ["vault/f.wax", "vault/g.wax"] {
        world.container(name, b"content", "aes-256-gcm-siv");
    }
    let mounted = Mounted::new(&world, &[]);
    for name in ["f", "g", "f"] {
        assert_eq!(fs::read(mounted.path(name)).unwrap(), b"content");
    }
    mounted.unmount();
    let log = fs::read_to_string(world.path("log")).unwrap();
    assert!(log.contains("data keys: 2 decrypted by the key service"), "{log}");
}

#[test]
fn a_disabled_key_opens_nothing_once_the_ttl_has_passed_until_it_is_enabled_again() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &["--key-ttl", "1s"]);
    fs::write(mounted.path("f"), "content").unwrap();
    let arn = key_of(&world, "vault/f.wax");
    let id = arn.rsplit('/').next().unwrap();
    world.run(["kms", "disable-key", "--key-id", id]).succeeds();
    const ACCESS: i32 = 13;
    let refused = |attempt: std::io::Result<()>| attempt.is_err_and(|error| error.raw_os_error() == Some(ACCESS));
    eventually("the file does not open", || refused(fs::read(mounted.path("f")).map(drop)));
    eventually("no file is made", || refused(fs::write(mounted.path("g"), "x")));
    // It is listed with its size and can be renamed.
    fs::rename(mounted.path("f"), mounted.path("moved")).unwrap();
    assert_eq!(fs::metadata(mounted.path("moved")).unwrap().len(), 7);
    world.run(["kms", "enable-key", "--key-id", id]).succeeds();
    assert_eq!(fs::read(mounted.path("moved")).unwrap(), b"content");
    fs::write(mounted.path("h"), "x").unwrap();
    mounted.unmount();
}

/// Says whether the first page of the file that is standard input is in the page cache (mincore(2)).
const CACHED: &str = r"
import ctypes, mmap
libc = ctypes.CDLL(None, use_errno=True)
state = ctypes.create_string_buffer(1)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, 0, 0)
assert libc.mincore(at, 4096, state) == 0, ctypes.get_errno()
print(state.raw[0] & 1)
";

#[test]
fn a_refused_key_takes_the_files_pages_out_of_the_page_cache() {
    let (Some(world), Some(python)) = (mountable(), needed("python3")) else { return };
    let mounted = Mounted::new(&world, &["--key-ttl", "1s"]);
    fs::write(mounted.path("f"), "content").unwrap();
    let open = File::open(mounted.path("f")).unwrap();
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"content");
    let is_cached = || {
        let run = Command::new(&python).args(["-c", CACHED]).stdin(open.try_clone().unwrap()).output().unwrap();
        assert!(run.status.success(), "{run:?}");
        run.stdout == b"1\n"
    };
    assert!(is_cached());
    let arn = key_of(&world, "vault/f.wax");
    world.run(["kms", "disable-key", "--key-id", arn.rsplit('/').next().unwrap()]).succeeds();
    const ACCESS: i32 = 13;
    let refused = || fs::read(mounted.path("f")).is_err_and(|error| error.raw_os_error() == Some(ACCESS));
    eventually("the file does not open", refused);
    eventually("its pages are gone", || !is_cached());
    // Cutting it is no way around it.
    assert_eq!(errno(File::options().write(true).truncate(true).open(mounted.path("f"))), ACCESS);
    assert_eq!(fs::metadata(mounted.path("f")).unwrap().len(), 7);
    drop(open);
    world.run(["kms", "enable-key", "--key-id", arn.rsplit('/').next().unwrap()]).succeeds();
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"content", "it was not cut");
    mounted.unmount();
}

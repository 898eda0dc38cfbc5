//! Temporary files that killed runs have left.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{lchown, symlink};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::support::assert_same;
use crate::support::{Run, World, json_lines, names_in, noise};

/// A temporary name of a run that is no more, on this machine since it was started.
fn left(number: u32) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    format!(".waxseal-tmp-{}89abcdef-{number}", &boot[..8])
}

fn tree() -> World {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/d")).unwrap();
    world.write("src/f", "f");
    world.write("src/d/g", "g");
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    world
}

#[test]
fn the_next_run_removes_what_is_left_where_it_writes_and_nothing_else() {
    let world = tree();
    let vault = world.path("vault");
    world.write(&format!("vault/{}", left(0)), "half a file");
    symlink("somewhere", vault.join(left(1))).unwrap();
    fs::hard_link(vault.join("f.wax"), vault.join(left(2))).unwrap();
    world.write(&format!("vault/d/{}", left(3)), "half a file");
    let kept = [
        left(4),
        // What a mount makes, what a backup of the keys makes, what somebody has made.
        ".waxseal-tmp-0123456789abcdef0123456789abcdef".to_owned(),
        ".waxseal-tmp-0123456789abcdef".to_owned(),
        ".waxseal-tmp-mine".to_owned(),
        format!("{}.wax", left(5)),
    ];
    fs::create_dir(vault.join(&kept[0])).unwrap();
    kept[1..].iter().for_each(|name| world.write(&format!("vault/{name}"), "theirs"));
    if rustix::process::geteuid().is_root() {
        world.write(&format!("vault/d/{}", left(6)), "of another user");
        lchown(vault.join("d").join(left(6)), Some(1234), None).unwrap();
    }
    // Nothing is written there.
    fs::create_dir(vault.join("other")).unwrap();
    world.write(&format!("vault/other/{}", left(7)), "elsewhere");
    let run = world.run(["encrypt", "-r", "--update", "src", "-o", "vault"]).succeeds();
    run.says("0 files encrypted").says("2 unchanged").says(", 4 leftovers removed");
    let mut expected = vec!["d".to_owned(), "f.wax".to_owned(), "other".to_owned()];
    expected.extend(kept);
    expected.sort();
    assert_eq!(names_in(&vault), expected);
    assert!(!vault.join("d").join(left(3)).exists() && vault.join("other").join(left(7)).exists());
    if rustix::process::geteuid().is_root() {
        assert!(vault.join("d").join(left(6)).exists());
    }
    let run = world.run(["encrypt", "-r", "--update", "--json", "src", "-o", "vault"]).succeeds();
    assert_eq!(json_lines(&run.stderr).pop().unwrap()["leftovers"], 0);
}

#[test]
fn decrypting_removes_them_from_its_output_and_leaves_the_vault_alone() {
    let world = tree();
    let vault = fs::File::open(world.path("vault")).unwrap();
    let modified = vault.metadata().unwrap().modified().unwrap();
    world.write(&format!("vault/{}", left(0)), "in the vault");
    // The vault has the time of its source still.
    vault.set_modified(modified).unwrap();
    fs::create_dir_all(world.path("back/d")).unwrap();
    world.write(&format!("back/d/{}", left(1)), "plaintext");
    let run = world.run(["decrypt", "-r", "vault", "-o", "back"]).succeeds();
    run.says("1 left out").says(", 1 leftover removed");
    assert!(world.path("vault").join(left(0)).exists());
    assert_same(&world.path("src"), &world.path("back"));
}

#[test]
fn what_another_run_is_making_is_not_removed() {
    let world = tree();
    let vault = world.path("vault");
    let is_temporary = |name: &String| name.starts_with(".waxseal-tmp-");
    let mut child = world.command(["encrypt", "-o", "vault/x.wax"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&noise(1_000_000, 1)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !names_in(&vault).iter().any(is_temporary) {
        assert!(Instant::now() < deadline, "no temporary file appeared");
        std::thread::sleep(Duration::from_millis(5));
    }
    world.write(&format!("vault/{}", left(0)), "left over, but somebody is at work here");
    world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
    assert_eq!(names_in(&vault).iter().filter(|name| is_temporary(name)).count(), 2);
    drop(stdin);
    Run::from(child.wait_with_output().unwrap()).succeeds_silently();
    assert!(world.run(["cat", "vault/x.wax"]).succeeds().stdout == noise(1_000_000, 1));
    world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
    assert!(!names_in(&vault).iter().any(is_temporary));
}

#[test]
fn a_killed_run_that_was_replacing_leaves_nothing_for_long() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    (0..300).for_each(|number| world.write(&format!("src/{number}"), noise(50_000, number)));
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    let has_temporary = || names_in(&world.path("vault")).iter().any(|name| name.starts_with(".waxseal-tmp-"));
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut child = world.command(["encrypt", "-q", "-f", "-r", "src", "-o", "vault"]).spawn().unwrap();
    while !has_temporary() {
        if child.try_wait().unwrap().is_some() {
            assert!(Instant::now() < deadline, "no run was ever seen at work");
            child = world.command(["encrypt", "-q", "-f", "-r", "src", "-o", "vault"]).spawn().unwrap();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    world.run(["verify", "-q", "-r", "vault"]).succeeds();
    world.run(["encrypt", "-q", "-f", "-r", "src", "-o", "vault"]).succeeds_silently();
    assert!(!has_temporary());
    assert_eq!(names_in(&world.path("vault")).len(), 300);
}

#[test]
fn what_another_machine_may_be_making_stays() {
    let world = tree();
    let name = left(0);
    let other = if name.starts_with(".waxseal-tmp-0") { "1" } else { "0" };
    let of_another = format!(".waxseal-tmp-{other}{}", &name[".waxseal-tmp-0".len()..]);
    for name in [&name, &of_another] {
        world.write(&format!("vault/{name}"), "half a file");
        // A finished output has the time of its source.
        super::support::touch(&world.path("vault").join(name), "2001-02-03 04:05:06");
    }
    world.run(["encrypt", "-r", "--update", "src", "-o", "vault"]).succeeds().says(", 1 leftover removed");
    assert_eq!(names_in(&world.path("vault")), [of_another.as_str(), "d", "f.wax"]);
}

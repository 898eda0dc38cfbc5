//! `--update`: what is there already is left as it is.

use std::fs;

use super::support::{assert_same, listing, make, touch};
use crate::support::{World, names_in};

#[test]
fn an_unchanged_tree_is_not_written_and_needs_no_key() {
    let world = World::with_store();
    make(&world);
    let first = world.run(["encrypt", "-r", "--update", "src", "-o", "vault"]).succeeds();
    assert!(first.stderr.starts_with("10 files encrypted"), "{}", first.stderr);
    let before = listing(&world.path("vault"));
    fs::rename(world.home(), world.path("home is gone")).unwrap();
    let run = world.run(["encrypt", "-r", "--update", "src", "-o", "vault"]).succeeds();
    assert!(run.stderr.starts_with("0 files encrypted, 0 bytes, 6 directories, 15 unchanged\n"), "{}", run.stderr);
    assert_eq!(listing(&world.path("vault")), before);
    assert!(!world.home().exists());
}

#[test]
fn what_is_new_or_changed_is_encrypted_and_nothing_else() {
    let world = World::with_store();
    make(&world);
    world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
    world.write("src/a/new", "new");
    world.write("src/one", "2");
    world.write("src/zero", "not empty any more");
    touch(&world.path("src/zero"), "2000-02-03 04:05:06.789012345");
    fs::remove_file(world.path("src/a/b/link")).unwrap();
    std::os::unix::fs::symlink("elsewhere", world.path("src/a/b/link")).unwrap();
    let run = world.run(["encrypt", "-r", "--update", "src", "-o", "vault"]).succeeds();
    assert!(run.stderr.starts_with("3 files encrypted, "), "{}", run.stderr);
    assert!(run.stderr.contains(", 1 link, 12 unchanged"), "{}", run.stderr);
    world.run(["decrypt", "-q", "-r", "--update", "vault", "-o", "back"]).succeeds_silently();
    assert_same(&world.path("src"), &world.path("back"));
    let run = world.run(["decrypt", "-r", "--update", "vault", "-o", "back"]).succeeds();
    assert!(run.stderr.starts_with("0 files decrypted, "), "{}", run.stderr);
}

#[test]
fn a_changed_mode_is_taken_over_without_a_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::with_store();
    make(&world);
    world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
    for name in ["src/one", "src/a"] {
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::rename(world.home(), world.path("home is gone")).unwrap();
    world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
    for name in ["vault/one.wax", "vault/a"] {
        assert_eq!(fs::metadata(world.path(name)).unwrap().permissions().mode() & 0o7777, 0o700, "{name}");
    }
}

#[test]
fn containers_whose_source_is_gone_are_removed_when_asked() {
    let world = World::with_store();
    make(&world);
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    world.write("vault/a/notes", "no container, and so not ours");
    world.write("vault/a/b/fake.wax", "no container either");
    fs::remove_dir_all(world.path("src/a/b/c")).unwrap();
    fs::remove_dir_all(world.path("src/closed")).unwrap();
    for name in ["one", "dangling", "a/chunk"] {
        fs::remove_file(world.path("src").join(name)).unwrap();
    }
    touch(&world.path("src/a"), "2009-01-01 00:00:00.25");
    let run = world.run(["encrypt", "-r", "--update", "src", "-o", "vault"]).succeeds();
    assert!(!run.stderr.contains("deleted") && world.path("vault/one.wax").exists());
    let run = world.run(["encrypt", "-r", "--update", "--delete", "src", "-o", "vault"]).succeeds();
    assert!(run.stderr.contains(", 6 deleted\n"), "{}", run.stderr);
    assert_eq!(world.read("vault/a/notes"), b"no container, and so not ours");
    assert_eq!(world.read("vault/a/b/fake.wax"), b"no container either");
    fs::remove_file(world.path("vault/a/notes")).unwrap();
    fs::remove_file(world.path("vault/a/b/fake.wax")).unwrap();
    world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    assert_same(&world.path("src"), &world.path("back"));
}

#[test]
fn nothing_is_removed_that_no_pattern_means_or_after_half_a_listing() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/d")).unwrap();
    for name in ["keep.log", "d/gone.log", "d/gone.txt", "d/other"] {
        world.write(&format!("src/{name}"), name);
    }
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    fs::remove_file(world.path("src/d/gone.log")).unwrap();
    fs::remove_file(world.path("src/d/gone.txt")).unwrap();
    let update = ["encrypt", "-r", "--update", "--delete", "src", "-o", "vault"];
    world.run(update.iter().chain(&["--exclude", "*.log"])).succeeds().says(", 1 deleted");
    assert!(world.path("vault/d/gone.log.wax").exists() && world.path("vault/keep.log.wax").exists());
    // A part of the tree that cannot be gone into: a link that leads back.
    std::os::unix::fs::symlink("..", world.path("src/d/up")).unwrap();
    let run = world.run(update.iter().chain(&["-L"])).fails_with(10);
    run.says("vault: nothing is removed from it, because something has failed");
    assert!(world.path("vault/d/gone.log.wax").exists());
    // A tree without files may be one that is not mounted.
    fs::create_dir(world.path("unmounted")).unwrap();
    let run = world.run(["encrypt", "-r", "--update", "--delete", "unmounted", "-o", "vault"]).fails_with(10);
    run.says("the tree has no files");
    assert!(world.path("vault/d/other.wax").exists());
}

#[test]
fn sources_are_removed_once_their_containers_are_verified() {
    let world = World::with_store();
    make(&world);
    world.run(["encrypt", "-q", "-r", "src", "-o", "reference"]).succeeds_silently();
    fs::create_dir_all(world.path("vault/a")).unwrap();
    world.write("vault/a/chunk.wax", "in the way");
    let run = world.run(["encrypt", "-r", "--remove-source", "src", "-o", "vault"]).fails_with(10);
    run.says("vault/a/chunk.wax: exists already");
    // What failed stays, and so do links and files of several names.
    let left = listing(&world.path("src"));
    let files: Vec<&str> = left.iter().filter(|line| line.contains(" f ")).map(String::as_str).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.iter().any(|line| line.starts_with("a/chunk ")), "{files:?}");
    fs::remove_file(world.path("vault/a/chunk.wax")).unwrap();
    world.run(["encrypt", "-q", "-r", "--update", "--remove-source", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    for name in ["one", "a/b/large", "a/chunk", "sparse", "a/group"] {
        let expected = world.run(["decrypt", &format!("reference/{name}.wax"), "-o", "-"]).succeeds().stdout;
        assert!(world.read(&format!("back/{name}")) == expected, "{name}");
    }
}

#[test]
fn a_run_that_was_interrupted_before_it_removed_its_sources_is_completed() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    for name in ["a", "b"] {
        world.write(&format!("src/{name}"), name);
    }
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    // What a kill leaves between the name of a container and the end of its source.
    world.run(["encrypt", "-q", "-r", "-u", "--remove-source", "src", "-o", "vault"]).succeeds_silently();
    assert!(names_in(&world.path("src")).is_empty());
    for name in ["a", "b"] {
        assert_eq!(world.run(["cat", &format!("vault/{name}.wax")]).succeeds_silently().text(), name);
    }
}

#[test]
fn sources_that_are_named_are_removed_too_beside_directories_and_not_alone() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/a", "a");
    world.write("named", "named");
    world.write("target", "target");
    std::os::unix::fs::symlink("target", world.path("link")).unwrap();
    for option in ["--remove-source", "--delete"] {
        let alone = world.run(["encrypt", "-r", option, "named", "-o", "vault"]).fails_with(2);
        alone.says("for directories").says("-r");
    }
    world.run(["encrypt", "-q", "-r", "--remove-source", "src", "named", "link", "-o", "vault"]).succeeds_silently();
    assert!(!world.path("src/a").exists() && !world.path("named").exists());
    assert!(world.path("link").exists(), "what a link leads to stays");
    for (container, content) in [("src/a.wax", "a"), ("named.wax", "named"), ("link.wax", "target")] {
        assert_eq!(world.run(["cat", &format!("vault/{container}")]).succeeds_silently().text(), content);
    }
}

#[test]
fn regression_names_that_are_no_longer_of_one_file_get_files_of_their_own() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/a", "the same");
    fs::hard_link(world.path("src/a"), world.path("src/b")).unwrap();
    let update = ["encrypt", "-q", "-r", "-u", "src", "-o", "vault"];
    world.run(update).succeeds_silently();
    // The same size and time of change, for its owner only.
    let modified = fs::metadata(world.path("src/a")).unwrap().modified().unwrap();
    fs::remove_file(world.path("src/b")).unwrap();
    world.write("src/b", "the same");
    fs::File::options().write(true).open(world.path("src/b")).unwrap().set_modified(modified).unwrap();
    fs::set_permissions(world.path("src/b"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(world.path("src/a"), fs::Permissions::from_mode(0o644)).unwrap();
    world.run(update).succeeds_silently();
    let facts = |name: &str| fs::metadata(world.path(name)).map(|file| (file.mode() & 0o777, file.nlink())).unwrap();
    assert_eq!((facts("vault/a.wax"), facts("vault/b.wax")), ((0o644, 1), (0o600, 1)));
}

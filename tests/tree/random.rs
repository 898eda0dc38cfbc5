//! Random trees through encrypt, mount and decrypt, compared by rsync; and what happens to trees that change meanwhile.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::fs::XattrFlags;

use super::support::{assert_same, touch};
use crate::support::{World, noise};

/// One thing to be made in a tree.
#[derive(Clone, Debug)]
enum Made {
    Folder {
        mode: u32,
    },
    File {
        length: usize,
        mode: u32,
        xattr: Option<Vec<u8>>,
    },
    Sparse {
        parts: Vec<(u64, usize)>,
        size: u64,
    },
    Symlink {
        target: Vec<u8>,
    },
    /// Another name of the file made so many steps before.
    HardLink {
        back: prop::sample::Index,
    },
}

/// Where it is made, and when it was changed last.
#[derive(Clone, Debug)]
pub(super) struct Step {
    name: Vec<u8>,
    /// The directory it is made in: one of those made before.
    within: prop::sample::Index,
    made: Made,
    seconds: u32,
    nanoseconds: u32,
}

/// Names of any bytes that a name may have.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::collection::vec((1_u8..=255).prop_filter("no slash", |byte| *byte != b'/'), 1..40);
    let plain = "[a-c]{1,3}(\\.wax|\\.txt)?".prop_map(String::into_bytes);
    let long = (200_usize..=251).prop_map(|length| vec![b'n'; length]);
    prop_oneof![3 => odd, 3 => plain, 1 => long].prop_filter("not itself", |name| name != b"." && name != b"..")
}

fn made() -> impl Strategy<Value = Made> {
    let mode = prop::sample::select(vec![0o600, 0o644, 0o755, 0o400, 0o1777, 0o2755, 0o4711, 0o000]);
    let length = prop_oneof![Just(0), 1_usize..5000, Just(4096), Just(131_072), Just(131_073), 100_000_usize..600_000];
    let xattr = prop::option::weighted(0.3, prop::collection::vec(any::<u8>(), 0..300));
    let parts = prop::collection::vec((0_u64..5_000_000, 1_usize..20_000), 0..5);
    let target = prop::collection::vec((1_u8..=255).prop_map(|byte| byte), 1..60);
    prop_oneof![
        3 => mode.clone().prop_map(|mode| Made::Folder { mode: mode | 0o500 }),
        5 => (length, mode, xattr).prop_map(|(length, mode, xattr)| Made::File { length, mode, xattr }),
        2 => (parts, 0_u64..6_000_000).prop_map(|(parts, size)| Made::Sparse { parts, size }),
        2 => target.prop_map(|target| Made::Symlink { target }),
        2 => any::<prop::sample::Index>().prop_map(|back| Made::HardLink { back }),
    ]
}

/// Trees of up to 40 things.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (name(), any::<prop::sample::Index>(), made(), any::<u32>(), 0_u32..1_000_000_000);
    let step =
        step.prop_map(|(name, within, made, seconds, nanoseconds)| Step { name, within, made, seconds, nanoseconds });
    prop::collection::vec(step, 0..40)
}

/// Makes the tree. Steps whose name is taken, or would be that of a container, are passed over.
pub(super) fn make(root: &Path, steps: &[Step]) {
    fs::create_dir(root).unwrap();
    let (mut folders, mut files, mut times) = (vec![root.to_owned()], Vec::<PathBuf>::new(), Vec::new());
    for step in steps {
        let path = step.within.get(&folders).join(OsString::from_vec(step.name.clone()));
        let beside = |ending: &str| {
            let mut name = path.clone().into_os_string();
            name.push(ending);
            fs::symlink_metadata(name).is_ok()
        };
        let is_file = !matches!(step.made, Made::Folder { .. } | Made::Symlink { .. });
        if fs::symlink_metadata(&path).is_ok() || is_file && beside(".wax") || !is_file && step.name.ends_with(b".wax")
        {
            continue;
        }
        match &step.made {
            Made::Folder { .. } => {
                fs::create_dir(&path).unwrap();
                folders.push(path.clone());
            }
            Made::File { length, mode, xattr } => {
                let file = File::create(&path).unwrap();
                file.write_all_at(&noise(*length, u64::from(step.seconds)), 0).unwrap();
                if let Some(value) = xattr {
                    rustix::fs::fsetxattr(&file, "user.random", value, XattrFlags::empty()).unwrap();
                }
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
                files.push(path.clone());
            }
            Made::Sparse { parts, size } => {
                let file = File::create(&path).unwrap();
                file.set_len(*size).unwrap();
                for (offset, length) in parts {
                    file.write_all_at(&noise(*length, *offset), *offset).unwrap();
                }
                files.push(path.clone());
            }
            Made::Symlink { target } => symlink(OsString::from_vec(target.clone()), &path).unwrap(),
            Made::HardLink { back } if !files.is_empty() => fs::hard_link(back.get(&files), &path).unwrap(),
            Made::HardLink { .. } => continue,
        }
        times.push((path, step));
    }
    // What is made in a directory changes its time, so times come last, and modes that forbid come after that.
    for (path, step) in times.iter().rev() {
        touch(path, &format!("@{}.{:09}", step.seconds, step.nanoseconds));
        if let Made::Folder { mode } = &step.made {
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
        }
    }
}

/// How often random trees are tried.
pub(super) fn config() -> Config {
    let cases = u32::try_from(12 * crate::support::scale()).unwrap();
    Config { cases, failure_persistence: None, ..Config::default() }
}

#[test]
fn any_tree_comes_back_and_a_second_update_changes_nothing() {
    if !rustix::process::geteuid().is_root() {
        return crate::support::skipped("files without any permission can be read by root only");
    }
    let world = World::with_store();
    TestRunner::new(config())
        .run(&steps(), |steps| {
            for name in ["src", "vault", "back"] {
                fs::remove_dir_all(world.path(name)).ok();
            }
            make(&world.path("src"), &steps);
            world.run(["encrypt", "-q", "-r", "--update", "src", "-o", "vault"]).succeeds_silently();
            let before = super::support::listing(&world.path("vault"));
            world.run(["encrypt", "-q", "-r", "--update", "--delete", "src", "-o", "vault"]);
            prop_assert_eq!(before, super::support::listing(&world.path("vault")));
            world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
            assert_same(&world.path("src"), &world.path("back"));
            Ok(())
        })
        .unwrap();
}

#[cfg(feature = "fuse")]
#[test]
fn any_tree_is_shown_by_the_mount() {
    use crate::mount::support::{CLEAR, Mounted, VAULT, mountable};
    if !rustix::process::geteuid().is_root() {
        return crate::support::skipped("files without any permission can be read by root only");
    }
    let Some(world) = mountable() else { return };
    TestRunner::new(Config { cases: 4, ..config() })
        .run(&steps(), |steps| {
            for name in ["src", VAULT] {
                fs::remove_dir_all(world.path(name)).ok();
            }
            make(&world.path("src"), &steps);
            world.run(["encrypt", "-q", "-r", "src", "-o", VAULT]).succeeds_silently();
            let mounted = Mounted::new(&world, &["--read-only"]);
            assert_same(&world.path("src"), &world.path(CLEAR));
            mounted.unmount();
            Ok(())
        })
        .unwrap();
}

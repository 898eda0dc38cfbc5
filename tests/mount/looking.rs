//! Looking at a directory: names and sizes are told without a header and without a key.

use std::collections::BTreeSet;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use super::support::{Mounted, VAULT, mountable, succeeds};
use crate::support::SUITES;

/// Who opens or reads files in some directories (inotify(7)).
struct Watch(OwnedFd);

impl Watch {
    fn new(directories: &[&Path]) -> Self {
        let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        for directory in directories {
            add_watch(&watch, *directory, WatchFlags::OPEN | WatchFlags::ACCESS).unwrap();
        }
        Self(watch)
    }

    /// The names of the files that were opened or read since this was asked last.
    fn touched(&self) -> BTreeSet<String> {
        let mut buffer = [MaybeUninit::uninit(); 16384];
        let mut events = Reader::new(&self.0, &mut buffer);
        let mut names = BTreeSet::new();
        loop {
            match events.next() {
                Ok(event) if event.events().contains(ReadFlags::ISDIR) => {}
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_str().unwrap().to_owned());
                    names.insert(name.expect("too many events for the kernel to keep"));
                }
                Err(Errno::WOULDBLOCK) => return names,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn names_and_sizes_are_told_without_opening_a_container_and_without_a_key() {
    let Some(world) = mountable() else { return };
    fs::create_dir(world.path("vault/d")).unwrap();
    let files = [("one", 1), ("chunk", 4096), ("d/many", 1_000_000), ("empty", 0)];
    for (number, (name, length)) in files.iter().enumerate() {
        world.container(&format!("{VAULT}/{name}.wax"), &vec![7; *length], SUITES[number % 2]);
    }
    let mounted = Mounted::new(&world, &[]);
    let watch = Watch::new(&[&world.path(VAULT), &world.path("vault/d")]);
    for _ in 0..2 {
        succeeds(Command::new("ls").arg("-laR").arg(mounted.root()));
        assert_eq!(
            succeeds(Command::new("find").arg(mounted.root()).args(["-type", "f", "-size", "+900k"])).lines().count(),
            1
        );
        for (name, length) in files {
            assert_eq!(fs::metadata(mounted.path(name)).unwrap().len(), length as u64, "{name}");
        }
        fs::rename(mounted.path("one"), mounted.path("moved")).unwrap();
        fs::rename(mounted.path("moved"), mounted.path("one")).unwrap();
    }
    // What is shown as empty may be a prepared container, which is to be shown as something else.
    assert_eq!(watch.touched(), BTreeSet::from(["empty.wax".to_owned()]));
    assert_eq!(fs::read(mounted.path("one")).unwrap(), [7]);
    assert_eq!(watch.touched(), BTreeSet::from(["one.wax".to_owned()]));
    mounted.unmount();
    let log = fs::read_to_string(world.path("log")).unwrap();
    assert!(log.contains("data keys: 1 decrypted by the key service, 0 taken from memory"), "{log}");
}

//! A fault of the program costs one request an `EIO`, and the mount goes on (SEMANTICS.md, "Faults").

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::fs;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use rustix::io::Errno;
use tempfile::TempDir;
use waxseal_envelope::{Envelope, NewContainer, Reading};
use waxseal_fuse::{Level, Log, Options, mount};
use waxseal_key_service::KeyService;
use waxseal_kms_local::{CreateOptions, LocalKms};

/// A log that panics when it is told why a name is taken: amid a request, by a way that every program has.
#[derive(Default)]
struct Faulty(Mutex<Vec<String>>);

impl Log for Faulty {
    fn line(&self, _level: Level, text: &str) {
        assert!(!text.contains("is taken by something that is not shown"), "a fault, on purpose");
        self.0.lock().unwrap().push(text.to_owned());
    }
}

#[test]
fn a_panic_costs_one_request_and_nothing_else() {
    if fs::File::options().read(true).write(true).open("/dev/fuse").is_err() {
        assert!(std::env::var_os("CI").is_none(), "this test has to run in CI: nothing can be mounted here");
        std::io::stderr().write_all(b"SKIPPED: nothing can be mounted here\n").unwrap();
        return;
    }
    let home = TempDir::new().unwrap();
    let (below, mountpoint) = (home.path().join("below"), home.path().join("clear"));
    fs::create_dir(&below).unwrap();
    fs::create_dir(&mountpoint).unwrap();
    fs::write(below.join("hidden"), b"no container").unwrap();
    let kms = LocalKms::create(&home.path().join("kms"), &CreateOptions::default()).unwrap();
    let log = Arc::new(Faulty::default());
    let new = NewContainer::new(vec!["alias/default".parse().unwrap()]);
    let options = Options::new(new, Reading::default(), Arc::clone(&log) as Arc<dyn Log>);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let envelope = Envelope::new(vec![Arc::new(kms) as Arc<dyn KeyService>]);
    let mounted = mount(&below, &mountpoint, envelope, runtime.handle().clone(), options).unwrap();
    fs::write(mountpoint.join("before"), b"written before").unwrap();

    for fault in [fs::create_dir(mountpoint.join("hidden")), fs::write(mountpoint.join("hidden"), b"x")] {
        assert_eq!(fault.unwrap_err().raw_os_error(), Some(Errno::IO.raw_os_error()));
    }

    fs::write(mountpoint.join("after"), b"written after").unwrap();
    assert_eq!(fs::read(mountpoint.join("before")).unwrap(), b"written before");
    assert_eq!(fs::read(mountpoint.join("after")).unwrap(), b"written after");
    assert_eq!(log.0.lock().unwrap().iter().filter(|line| line.contains("a fault of the program")).count(), 2);
    mounted.unmounter().unmount().unwrap();
    mounted.wait().unwrap();
    assert_eq!(fs::read(below.join("hidden")).unwrap(), b"no container");
}

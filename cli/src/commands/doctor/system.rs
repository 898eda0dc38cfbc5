//! The store and its backup, locked memory, and whether anything can be mounted.

use serde_json::json;
use waxseal_key_service::{DataKey, memory_is_locked};
use waxseal_kms_local::{SealKind, StoreError};

use super::{Finding, State};
use crate::commands::status::since_backup;
use crate::home::Home;
use crate::library_errors;
use crate::shown::{shown, utc};

/// The store of the embedded KMS, and its backup.
pub(super) fn store(home: &Home) -> Vec<Finding> {
    let directory = home.kms();
    let place = shown(&directory.to_string_lossy());
    let status = match waxseal_kms_local::status(&directory) {
        Ok(status) => status,
        Err(StoreError::NotThere { .. }) => {
            return vec![
                Finding::good("key store", format!("none yet in {place}")).members(json!({ "exists": false })),
            ];
        }
        Err(error) => return vec![Finding::failed("key store", &library_errors::store(&error))],
    };
    let sealed = match status.seal {
        SealKind::Passphrase => "by a passphrase",
        SealKind::KeyService => "by a key of AWS KMS",
        _ => "by a key file beside it",
    };
    let keys = if status.keys == 1 { "1 key".to_owned() } else { format!("{} keys", status.keys) };
    let store = Finding::good("key store", format!("{place}: {keys}, sealed {sealed}"))
        .members(json!({ "exists": true, "directory": directory.to_string_lossy() }));
    let backup = match status.last_backup_at {
        Some(at) if status.keys_since_backup == 0 => {
            Finding::good("backup", format!("made {}", utc(at.as_millis() / 1000)))
        }
        Some(at) => {
            let since = since_backup(status.keys_since_backup);
            Finding::new("backup", State::Notice, format!("made {}; {since}", utc(at.as_millis() / 1000)))
                .hint("'waxseal kms backup -f FILE' makes a new one")
        }
        None => {
            Finding::new("backup", State::Notice, "none: losing the store loses everything that was encrypted with it")
                .hint("'waxseal kms backup FILE' makes one")
        }
    };
    vec![store, backup]
}

/// Whether data keys are kept out of the swap space.
pub(super) fn memory() -> Finding {
    // Memory is locked when the first secret needs some.
    drop(DataKey::take(&mut [0; 32]));
    if memory_is_locked() {
        return Finding::good("memory", "can be locked: no data key is swapped out");
    }
    Finding::new("memory", State::Notice, "cannot be locked: data keys may be written to the swap space")
        .hint("raise the limit of locked memory ('ulimit -l') to 64 KiB or more, or encrypt the swap space")
}

/// Whether a directory of containers can be mounted.
#[cfg(feature = "fuse")]
pub(super) fn mount() -> Finding {
    const DEVICE: &str = "/dev/fuse";
    if let Err(error) = std::fs::File::options().read(true).write(true).open(DEVICE) {
        let reason = crate::error::reason(&error);
        return Finding::new("mount", State::Problem, format!("{DEVICE} cannot be opened: {reason}")).hint(
            "install the package fuse3, 'modprobe fuse', and see that you may use it; in a container, pass the device",
        );
    }
    if !rustix::process::geteuid().is_root() && !has_helper() {
        return Finding::new("mount", State::Problem, "fusermount3 is missing, which mounts for ordinary users")
            .hint("install the package fuse3");
    }
    Finding::good("mount", "directories can be mounted")
}

/// Nothing can be mounted by this program.
#[cfg(not(feature = "fuse"))]
pub(super) fn mount() -> Finding {
    Finding::new("mount", State::Notice, "this waxseal was built without the mount")
}

#[cfg(feature = "fuse")]
fn has_helper() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("fusermount3").is_file())
}

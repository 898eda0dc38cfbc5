//! A key file with any change, under the right checksum or another: refused, or read as it stands there.
#![no_main]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use support::{masked, place, with_checksum};
use waxseal_kms_local::fuzzing::{create_key_file, load_key_file};

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| {
    create_key_file(&place("root.key")).unwrap();
    fs::write(place("tried.key"), b"").unwrap();
    fs::set_permissions(place("tried.key"), Permissions::from_mode(0o600)).unwrap();
    fs::read(place("root.key")).unwrap()
});

fuzz_target!(|input: (bool, Vec<u8>)| {
    let bytes = masked(&VALID, &input.1);
    let bytes = if input.0 { with_checksum(bytes) } else { bytes };
    fs::write(place("tried.key"), &bytes).unwrap();
    if let Ok(Some(said)) = load_key_file(&place("tried.key")) {
        assert_eq!(with_checksum([b"waxseal root key\x01", &said[..], &[0; 32]].concat()), bytes);
    }
});

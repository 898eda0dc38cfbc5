//! Any bytes as a ciphertext blob, and a valid one with any change: only the one that Encrypt returned opens.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use support::{STORE, masked};
use waxseal_kms_local::{DecryptRequest, EncryptRequest, Region, fuzzing::parse_blob};

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (region, key_id) = (Region::default(), "alias/default".parse().unwrap());
    let encryption_context = &Default::default();
    let request = EncryptRequest { region: &region, key_id: &key_id, encryption_context, plaintext: &[7; 32] };
    STORE.encrypt(&request).unwrap().ciphertext_blob
});

fuzz_target!(|input: (bool, Vec<u8>)| {
    let blob = if input.0 { input.1 } else { masked(&VALID, &input.1) };
    let parsed = parse_blob(&blob);
    if let Some((version, length)) = parsed {
        assert_eq!((blob[0], &blob[17..21], blob.len()), (1, &version.to_be_bytes()[..], 49 + length));
    }
    let (region, encryption_context) = (Region::default(), &Default::default());
    let request = DecryptRequest { region: &region, ciphertext_blob: &blob, encryption_context, key_id: None };
    assert_eq!(STORE.decrypt(&request).is_ok(), blob == *VALID);
});

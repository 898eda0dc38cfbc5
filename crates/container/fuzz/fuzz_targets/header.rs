//! Any bytes as a header, and a valid one with any change: an error, or a header that says the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use support::{forgery::forger, masked};
use waxseal_container::{Header, State, fuzzing::data_key};

fuzz_target!(|input: (bool, bool, Vec<u8>)| {
    let (raw, second_suite, data) = input;
    let bytes = if raw { data } else { masked(forger(second_suite).header(), &data) };
    let again = Header::read_from(&mut &bytes[..]);
    let Ok(header) = Header::parse(&bytes) else { return assert!(again.is_err()) };
    assert_eq!(format!("{header:?}"), format!("{:?}", again.unwrap()));
    let keys = header.encrypted_data_keys();
    assert!(!keys.is_empty() && keys.iter().all(|key| (1..=6144).contains(&key.ciphertext_blob.len())));
    assert!(header.slot_generation() > 0 && header.core().key_service_context().get("waxseal:file-id").is_some());
    let (filled, changed) = (header.state() == State::Filled, bytes[..112] != forger(second_suite).header()[..112]);
    assert!(header.unlock(&data_key()).is_err() || (filled && !changed));
});

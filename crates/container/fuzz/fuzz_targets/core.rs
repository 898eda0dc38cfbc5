//! Any bytes as a core, and a valid one with any change: what is decoded encodes to the same bytes, but for keys of later
//! writers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use support::masked;
use waxseal_container::fuzzing::{decode_core, encode_core};

fuzz_target!(|input: (bool, Vec<u8>)| {
    let valid =
        [&[0xa4, 1, 1, 2, 0x58, 32][..], &[7; 32], b"\x03\xa2\x61a\x61b\x62cd\x60\x04\x1a\x65\x53\xf1\x00"].concat();
    let bytes = if input.0 { input.1 } else { masked(&valid, &input.1) };
    let Some(core) = decode_core(&bytes) else { return };
    let again = encode_core(&core);
    assert_eq!(decode_core(&again), Some(core.clone()));
    let known = 3 + u8::from(core.created().is_some());
    assert!(again == bytes || (bytes[0] & 0x1f > known && again.len() < bytes.len()));
});

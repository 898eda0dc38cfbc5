//! Any bytes as what a store says about its seal, under the right checksum: refused, or they encode to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use support::with_checksum;
use waxseal_kms_local::fuzzing::seal_again;

fuzz_target!(|input: &[u8]| {
    let bytes = with_checksum(input.to_vec());
    assert!(seal_again(&bytes).is_none_or(|again| again == bytes));
});

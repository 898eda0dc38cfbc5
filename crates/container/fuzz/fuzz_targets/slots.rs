//! Key slots with the right checksum over any payload: an error, or keys within the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use support::{forgery::forger, masked};
use waxseal_container::Header;

fuzz_target!(|slots: [(u32, u8, u8, bool, Vec<u8>, u8); 2]| {
    let mut header = forger(false).header().to_vec();
    let area = &mut header[128..]; // behind a core of 40 bytes
    let (half, valid) = (area.len() / 16 * 8, area[16..16 + usize::from(area[4])].to_vec());
    for ((generation, mode, count, raw, mask, padding), at) in slots.iter().zip([0, half]) {
        let room = if *mode == 2 && at == 0 { 2 * half } else { half };
        let mut payload = if *raw { mask.clone() } else { masked(&valid, mask) };
        payload.truncate(room - 16);
        let head = [&generation.to_le_bytes()[..], &(payload.len() as u16).to_le_bytes(), &[*mode, *count]].concat();
        let sum = Sha256::new().chain_update(&head).chain_update(&payload).finalize();
        let slot = [&head[..], &sum[..8], &payload[..]].concat();
        area[at..2 * half].fill(0);
        area[at..at + slot.len()].copy_from_slice(&slot);
        area[at + room - 1] |= padding;
        if room > half {
            break;
        }
    }
    let Ok(header) = Header::parse(&header) else { return };
    let keys = header.encrypted_data_keys();
    assert!(!keys.is_empty() && header.slot_generation() > 0);
    assert!(keys.iter().all(|key| (1..=1900).contains(&key.ciphertext_blob.len()) && !key.key_arn.as_str().is_empty()));
});

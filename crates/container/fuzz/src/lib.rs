//! What the fuzz targets share: storage in memory, the three readers, containers to damage, and forgeries.

pub mod disk;
pub mod family;
pub mod forgery;
pub mod reading;

/// Applies fuzzer input to valid bytes: an empty input leaves them valid, and each byte of it changes one.
pub fn masked(valid: &[u8], mask: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    bytes.resize(valid.len().max(mask.len()), 0);
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    bytes
}

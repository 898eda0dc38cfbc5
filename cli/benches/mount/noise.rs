//! Bytes and places that are the same in every run, and look random.

/// A xorshift generator: not random enough for anything but filling files and choosing places in them.
#[derive(Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    /// The same seed gives the same numbers.
    pub(crate) fn new(seed: u32) -> Self {
        Self((u64::from(seed) * 2 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// So many bytes, in whole words of 8.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len / 8).flat_map(|_| self.next().to_le_bytes()).collect()
    }
}

//! A range of plaintext bytes, as typed: `OFFSET:LENGTH`.

use std::str::FromStr;

/// Bytes from `offset` on: `length` of them, or all to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first byte.
    pub(crate) offset: u64,
    /// How many bytes; none means to the end.
    pub(crate) length: Option<u64>,
}

impl Range {
    /// The part of the range that lies within `size` bytes: first byte, and the byte after the last.
    pub(crate) fn within(self, size: u64) -> (u64, u64) {
        let end = self.length.map_or(size, |length| self.offset.saturating_add(length).min(size));
        (self.offset.min(end), end)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (offset, length) =
            text.split_once(':').ok_or("not of the form OFFSET:LENGTH, for instance 1048576:4096")?;
        if offset.is_empty() {
            return Err("there is no OFFSET before the colon; 0 is the beginning".to_owned());
        }
        let number = |part: &str| bytes(part).ok_or_else(|| format!("{part:?} is not a number of bytes"));
        let length = if length.is_empty() { None } else { Some(number(length)?) };
        Ok(Self { offset: number(offset)?, length })
    }
}

/// Parses a number of bytes; K, M, G and T stand for powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 10),
        (at, 'm' | 'M') => (&text[..at], 20),
        (at, 'g' | 'G') => (&text[..at], 30),
        (at, 't' | 'T') => (&text[..at], 40),
        _ => (text, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_numbers_or_one_and_the_end() {
        assert_eq!("0:10".parse(), Ok(Range { offset: 0, length: Some(10) }));
        assert_eq!("4K:".parse(), Ok(Range { offset: 4096, length: None }));
        assert_eq!("1G:2M".parse(), Ok(Range { offset: 1 << 30, length: Some(2 << 20) }));
        for wrong in ["", "1", ":1", "-1:2", "1:+2", "1:2:3", "K:1", "99999999999T:1", "1.5:2"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_is_cut_at_the_end() {
        let range = |text: &str| text.parse::<Range>().unwrap();
        assert_eq!(range("10:5").within(100), (10, 15));
        assert_eq!(range("90:50").within(100), (90, 100));
        assert_eq!(range("200:50").within(100), (100, 100));
        assert_eq!(range("20:").within(100), (20, 100));
        assert_eq!(range("5:18446744073709551615").within(100), (5, 100));
    }
}

//! Regions: each has its own keys and aliases.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// Longest name of a region; the longest of AWS has 14 letters.
const MAX_LEN: usize = 32;

/// A region, for instance `us-east-1`. The embedded KMS takes any name of the right form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

/// A text that is not of the form of a region.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a region: 1 to 32 of the characters a-z 0-9 -")]
pub struct RegionError(String);

impl Region {
    /// The region's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The region of a store that was made without naming one: AWS's first.
impl Default for Region {
    fn default() -> Self {
        Self(Arc::from("us-east-1"))
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if text.is_empty() || text.len() > MAX_LEN || !text.bytes().all(allowed) {
            return Err(RegionError(text.to_owned()));
        }
        Ok(Self(Arc::from(text)))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_fit_an_arn_are_regions() {
        for text in ["us-east-1", "x", &"a".repeat(32)] {
            assert_eq!(text.parse::<Region>().unwrap().as_str(), text);
        }
        for text in ["", "US-EAST-1", "a:b", "a b", "ü", &"a".repeat(33)] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}

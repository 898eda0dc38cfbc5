//! The data key: the one secret that opens one file.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};

use crate::SecretBytes;

/// Length of a data key in bytes (key spec AES_256).
pub const DATA_KEY_LEN: usize = 32;

/// A plaintext data key of 32 bytes.
///
/// It lives in locked memory where the limit allows, so that moving it leaves no copies; it is wiped when dropped,
/// compares in constant time and shows nothing of itself. [`DataKey::expose`] is the only way to its bytes.
pub struct DataKey(SecretBytes);

impl DataKey {
    /// Takes over key bytes, and wipes what was handed in.
    #[must_use]
    pub fn take(bytes: &mut [u8; DATA_KEY_LEN]) -> Self {
        Self(SecretBytes::take(bytes))
    }

    /// Makes a data key by letting `fill` write its bytes in place, so that they never stand anywhere else.
    ///
    /// # Errors
    /// Whatever `fill` returns; the partly written bytes are wiped.
    pub fn try_fill<E>(fill: impl FnOnce(&mut [u8; DATA_KEY_LEN]) -> Result<(), E>) -> Result<Self, E> {
        SecretBytes::try_fill(fill).map(Self)
    }

    /// Shows the key bytes. Every use of them is found by searching for this name.
    #[must_use]
    pub fn expose(&self) -> &[u8; DATA_KEY_LEN] {
        self.0.expose()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

impl ConstantTimeEq for DataKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for DataKey {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for DataKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_key() {
        let key = DataKey::take(&mut [0xA5; 32]);
        let shown = format!("{key:?} {key:#?}").to_lowercase();
        assert!(!shown.contains("a5") && !shown.contains("165"), "{shown}");
    }

    #[test]
    fn taking_wipes_the_source() {
        let mut bytes = [7; 32];
        let key = DataKey::take(&mut bytes);
        assert_eq!(bytes, [0; 32]);
        assert_eq!(key.expose(), &[7; 32]);
    }

    #[test]
    fn keys_compare_by_value() {
        assert_eq!(DataKey::take(&mut [1; 32]), DataKey::take(&mut [1; 32]));
        assert_ne!(DataKey::take(&mut [1; 32]), DataKey::take(&mut [2; 32]));
    }
}

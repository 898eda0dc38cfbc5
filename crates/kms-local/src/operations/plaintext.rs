//! Plaintext that leaves the KMS.

use std::fmt;

use zeroize::Zeroizing;

/// Plaintext bytes: wiped when dropped, and shown by [`Plaintext::expose`] only.
#[derive(Clone)]
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    pub(super) fn zeros(len: usize) -> Self {
        Self(Zeroizing::new(vec![0; len]))
    }

    /// Shows the bytes. Every use of them is found by searching for this name.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plaintext(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_plaintext() {
        let mut plaintext = Plaintext::zeros(3);
        plaintext.expose_mut().fill(0xA5);
        let shown = format!("{plaintext:?}").to_lowercase();
        assert!(!shown.contains("a5") && !shown.contains("165"), "{shown}");
    }
}

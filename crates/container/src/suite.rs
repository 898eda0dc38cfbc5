//! The two cipher suites behind one seam (SPEC.md, "Suites").

use std::fmt;
use std::str::FromStr;

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{AeadInOut, KeyInit, inout::InOutBuf};
use chacha20poly1305::XChaCha20Poly1305;
use zeroize::Zeroizing;

/// Bytes of an authentication tag, in both suites.
pub(crate) const TAG_LEN: usize = 16;
/// Bytes of a nonce as a table entry stores it.
pub(crate) const NONCE_LEN: usize = 12;
/// Bytes of the nonce field of a table page.
pub(crate) const TABLE_NONCE_LEN: usize = 24;

/// The cipher suite of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// AES-256-GCM-SIV (RFC 8452), the default: a repeated nonce reveals whether two chunks are equal, and no more.
    #[default]
    Aes256GcmSiv,
    /// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): as fast without AES instructions, but a repeated nonce is fatal.
    XChaCha20Poly1305,
}

impl Suite {
    /// Every suite of this version of the format.
    pub const ALL: [Self; 2] = [Self::Aes256GcmSiv, Self::XChaCha20Poly1305];

    /// The suite's name in commands and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes256GcmSiv => "aes-256-gcm-siv",
            Self::XChaCha20Poly1305 => "xchacha20-poly1305",
        }
    }

    /// The suite's number in the core.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Aes256GcmSiv => 1,
            Self::XChaCha20Poly1305 => 2,
        }
    }

    /// The suite with this number in the core.
    pub(crate) fn from_number(number: i128) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| i128::from(suite.number()) == number)
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no suite's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown suite {0:?}; there are aes-256-gcm-siv and xchacha20-poly1305")]
pub struct UnknownSuite(String);

impl FromStr for Suite {
    type Err = UnknownSuite;

    fn from_str(text: &str) -> Result<Self, UnknownSuite> {
        Self::ALL.into_iter().find(|suite| suite.name() == text).ok_or_else(|| UnknownSuite(text.to_owned()))
    }
}

/// Authentication failed: the key, the nonce, the associated data, the tag or the ciphertext is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unauthentic;

/// One key of one suite. The key schedule is wiped on drop (feature `zeroize` of both cipher crates).
#[expect(
    clippy::large_enum_variant,
    reason = "two of these live per open container, and indirection costs every chunk"
)]
pub(crate) enum Cipher {
    Aes256GcmSiv(Aes256GcmSiv),
    XChaCha20Poly1305(XChaCha20Poly1305),
}

impl Cipher {
    pub(crate) fn new(suite: Suite, key: &Zeroizing<[u8; 32]>) -> Self {
        match suite {
            Suite::Aes256GcmSiv => Self::Aes256GcmSiv(Aes256GcmSiv::new((&**key).into())),
            Suite::XChaCha20Poly1305 => Self::XChaCha20Poly1305(XChaCha20Poly1305::new((&**key).into())),
        }
    }

    /// Encrypts a chunk in place and returns its tag.
    pub(crate) fn seal_chunk(&self, nonce: &[u8; NONCE_LEN], number: u64, data: &mut [u8]) -> [u8; TAG_LEN] {
        self.seal(&extended_nonce(nonce, number), &number.to_le_bytes(), data.into())
    }

    /// Encrypts a chunk from where it is to where it goes, which is as long, and returns its tag.
    pub(crate) fn seal_chunk_to(
        &self,
        nonce: &[u8; NONCE_LEN],
        number: u64,
        plaintext: &[u8],
        sealed: &mut [u8],
    ) -> [u8; TAG_LEN] {
        let buffer = InOutBuf::new(plaintext, sealed).expect("a chunk is as long as its place");
        self.seal(&extended_nonce(nonce, number), &number.to_le_bytes(), buffer)
    }

    /// Decrypts a chunk in place; where it fails, `data` is as it was.
    pub(crate) fn open_chunk(
        &self,
        nonce: &[u8; NONCE_LEN],
        number: u64,
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthentic> {
        self.open(&extended_nonce(nonce, number), &number.to_le_bytes(), data, tag)
    }

    /// Encrypts a table in place and returns its tag; suite 1 uses the first 12 bytes of the nonce.
    pub(crate) fn seal_table(&self, nonce: &[u8; TABLE_NONCE_LEN], group: u64, data: &mut [u8]) -> [u8; TAG_LEN] {
        self.seal(nonce, &group.to_le_bytes(), data.into())
    }

    /// Decrypts a table in place; where it fails, `data` is as it was.
    pub(crate) fn open_table(
        &self,
        nonce: &[u8; TABLE_NONCE_LEN],
        group: u64,
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthentic> {
        self.open(nonce, &group.to_le_bytes(), data, tag)
    }

    /// Encrypts the value of an extended attribute in place and returns its tag; the nonce is as a table's.
    pub(crate) fn seal_attribute(&self, nonce: &[u8; TABLE_NONCE_LEN], name: &[u8], data: &mut [u8]) -> [u8; TAG_LEN] {
        self.seal(nonce, name, data.into())
    }

    /// Decrypts the value of an extended attribute in place; where it fails, `data` is as it was.
    pub(crate) fn open_attribute(
        &self,
        nonce: &[u8; TABLE_NONCE_LEN],
        name: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthentic> {
        self.open(nonce, name, data, tag)
    }

    /// Bytes of the table nonce that the suite uses; the rest of the field is zero.
    pub(crate) fn table_nonce_len(&self) -> usize {
        match self {
            Self::Aes256GcmSiv(_) => NONCE_LEN,
            Self::XChaCha20Poly1305(_) => TABLE_NONCE_LEN,
        }
    }

    fn seal(&self, nonce: &[u8; TABLE_NONCE_LEN], associated: &[u8], buffer: InOutBuf<'_, '_, u8>) -> [u8; TAG_LEN] {
        const WITHIN_LIMITS: &str = "pages and attributes are far below the length limits of both suites";
        match self {
            Self::Aes256GcmSiv(cipher) => {
                cipher.encrypt_inout_detached(short_nonce(nonce).into(), associated, buffer).expect(WITHIN_LIMITS).0
            }
            Self::XChaCha20Poly1305(cipher) => {
                cipher.encrypt_inout_detached(nonce.into(), associated, buffer).expect(WITHIN_LIMITS).0
            }
        }
    }

    fn open(
        &self,
        nonce: &[u8; TABLE_NONCE_LEN],
        associated: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthentic> {
        let buffer = InOutBuf::from(data);
        match self {
            Self::Aes256GcmSiv(cipher) => {
                cipher.decrypt_inout_detached(short_nonce(nonce).into(), associated, buffer, tag.into())
            }
            Self::XChaCha20Poly1305(cipher) => {
                cipher.decrypt_inout_detached(nonce.into(), associated, buffer, tag.into())
            }
        }
        .map_err(|_| Unauthentic)
    }
}

/// The 24-byte nonce of a chunk: its 12 stored bytes, its number, 4 zero bytes. Suite 1 uses the first 12.
fn extended_nonce(nonce: &[u8; NONCE_LEN], number: u64) -> [u8; TABLE_NONCE_LEN] {
    let mut extended = [0; TABLE_NONCE_LEN];
    extended[..NONCE_LEN].copy_from_slice(nonce);
    extended[NONCE_LEN..NONCE_LEN + 8].copy_from_slice(&number.to_le_bytes());
    extended
}

fn short_nonce(nonce: &[u8; TABLE_NONCE_LEN]) -> &[u8; NONCE_LEN] {
    nonce.first_chunk().expect("24 bytes have 12 first ones")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_both_ways() {
        for suite in Suite::ALL {
            assert_eq!(suite.name().parse(), Ok(suite));
            assert_eq!(Suite::from_number(suite.number().into()), Some(suite));
        }
        assert!("aes".parse::<Suite>().is_err());
        assert_eq!(Suite::from_number(0), None);
        assert_eq!(Suite::from_number(257), None);
    }

    #[test]
    fn a_chunk_opens_only_at_its_place_and_failure_leaves_the_bytes() {
        for suite in Suite::ALL {
            let cipher = Cipher::new(suite, &Zeroizing::new([7; 32]));
            let mut data = *b"four score and seven years";
            let tag = cipher.seal_chunk(&[1; 12], 5, &mut data);
            let sealed = data;
            let mut elsewhere = [0; 26];
            assert_eq!(cipher.seal_chunk_to(&[1; 12], 5, b"four score and seven years", &mut elsewhere), tag);
            assert_eq!(elsewhere, sealed);
            assert_eq!(cipher.open_chunk(&[1; 12], 6, &mut data, &tag), Err(Unauthentic));
            assert_eq!(cipher.open_chunk(&[2; 12], 5, &mut data, &tag), Err(Unauthentic));
            assert_eq!(data, sealed);
            assert_eq!(cipher.open_chunk(&[1; 12], 5, &mut data, &tag), Ok(()));
            assert_eq!(&data, b"four score and seven years");
        }
    }
}

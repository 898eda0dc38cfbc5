//! AES-256-GCM-SIV with a fresh random nonce in front: `nonce (12) | ciphertext | tag (16)`.
//!
//! The nonces are random because stores and virtual machines get cloned; should one repeat, this AEAD reveals only
//! whether the same bytes were sealed twice (RFC 8452).

use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit, Nonce, Tag};

pub(crate) const KEY_LEN: usize = 32;
pub(crate) const NONCE_LEN: usize = 12;
pub(crate) const TAG_LEN: usize = 16;
/// What sealing adds to the length.
pub(crate) const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// The bytes are not what was sealed under this key with this associated data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAuthentic;

/// Appends `plaintext`, sealed, to `out`.
pub(crate) fn seal(
    key: &[u8; KEY_LEN],
    associated: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), getrandom::Error> {
    let mut nonce = Nonce::default();
    getrandom::fill(&mut nonce)?;
    out.extend_from_slice(&nonce);
    let start = out.len();
    out.resize(start + plaintext.len(), 0);
    let buffer = InOutBuf::new(plaintext, &mut out[start..]).expect("both sides have the length of the plaintext");
    let tag = Aes256GcmSiv::new(key.into())
        .encrypt_inout_detached(&nonce, associated, buffer)
        .expect("what is sealed here is far below the 64 GiB limit");
    out.extend_from_slice(&tag);
    Ok(())
}

/// Opens `sealed` into `out`, which has to be [`OVERHEAD`] shorter. Nothing of an unauthentic plaintext stays in `out`.
pub(crate) fn open(key: &[u8; KEY_LEN], associated: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), NotAuthentic> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotAuthentic)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(NotAuthentic)?;
    let buffer = InOutBuf::new(ciphertext, out).map_err(|_| NotAuthentic)?;
    Aes256GcmSiv::new(key.into())
        .decrypt_inout_detached(&Nonce::from(*nonce), associated, buffer, &Tag::from(*tag))
        .map_err(|_| NotAuthentic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_with_the_same_key_and_data_only() {
        let mut sealed = vec![0xEE];
        seal(&[1; 32], b"ad", b"secret", &mut sealed).unwrap();
        assert_eq!(sealed.len(), 1 + 6 + OVERHEAD);
        let mut out = [0; 6];
        assert_eq!(open(&[1; 32], b"ad", &sealed[1..], &mut out), Ok(()));
        assert_eq!(&out, b"secret");
        assert_eq!(open(&[2; 32], b"ad", &sealed[1..], &mut out), Err(NotAuthentic));
        assert_eq!(open(&[1; 32], b"da", &sealed[1..], &mut out), Err(NotAuthentic));
        assert_eq!(open(&[1; 32], b"ad", &sealed[1..], &mut out[1..]), Err(NotAuthentic));
        assert_eq!(open(&[1; 32], b"ad", &[0; 27], &mut []), Err(NotAuthentic));
    }

    #[test]
    fn an_unauthentic_plaintext_does_not_stay_in_the_output() {
        let mut sealed = Vec::new();
        seal(&[1; 32], b"", b"secret", &mut sealed).unwrap();
        *sealed.last_mut().unwrap() ^= 1;
        let mut out = [0; 6];
        assert_eq!(open(&[1; 32], b"", &sealed, &mut out), Err(NotAuthentic));
        assert_ne!(&out, b"secret");
    }

    /// RFC 8452, appendix C.2: the seventh vector of AES-256-GCM-SIV, so that the cipher is the one its name says.
    #[test]
    fn the_cipher_is_rfc_8452() {
        let mut key = [0; 32];
        key[0] = 1;
        let mut nonce = [0; 12];
        nonce[0] = 3;
        let plaintext = [1, 0, 0, 0, 0, 0, 0, 0];
        let expected = [
            0xc2, 0xef, 0x32, 0x8e, 0x5c, 0x71, 0xc8, 0x3b, 0x84, 0x31, 0x22, 0x13, 0x0f, 0x73, 0x64, 0xb7, 0x61, 0xe0,
            0xb9, 0x74, 0x27, 0xe3, 0xdf, 0x28,
        ];
        let sealed = [&nonce[..], &expected[..]].concat();
        let mut out = [0; 8];
        assert_eq!(open(&key, b"", &sealed, &mut out), Ok(()));
        assert_eq!(out, plaintext);
    }
}

//! Key pairs: RSA and elliptic curves, in the encodings that AWS KMS gives out.
//!
//! They are made and handed out here, never used.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::KeypairBytes;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use p256::pkcs8::{self, EncodePrivateKey, EncodePublicKey};
use rsa::RsaPrivateKey;
use waxseal_key_service::{ErrorCode, KeyServiceError};
use zeroize::Zeroizing;

use crate::encoding::{Reader, SecretWriter};
use crate::error::StoreError;
use crate::key::KeySpec;

/// Longest encoding of either half in bytes; that of a private RSA key of 4096 bits has some 2400.
const MAX_ENCODED: usize = 4096;

/// A private key and its public key.
pub(crate) struct KeyPair {
    /// SubjectPublicKeyInfo in DER (RFC 5280, section 4.1).
    pub(crate) public: Vec<u8>,
    /// PrivateKeyInfo in DER (RFC 5208), unencrypted.
    pub(crate) private: Zeroizing<Vec<u8>>,
}

impl KeyPair {
    /// Makes a random key pair; `None` means that keys of this spec are no pairs. RSA takes seconds at times.
    pub(crate) fn generate(spec: KeySpec) -> Result<Option<Self>, KeyServiceError> {
        let pair = match spec {
            KeySpec::SymmetricDefault => return Ok(None),
            KeySpec::Rsa2048 => rsa(2048)?,
            KeySpec::Rsa3072 => rsa(3072)?,
            KeySpec::Rsa4096 => rsa(4096)?,
            KeySpec::EccNistP256 => encode(|| {
                let secret = on_curve(p256::SecretKey::from_slice, [0; 32], 0xFF)?;
                Ok((secret.public_key().to_public_key_der(), secret.to_pkcs8_der()))
            })?,
            KeySpec::EccNistP384 => encode(|| {
                let secret = on_curve(p384::SecretKey::from_slice, [0; 48], 0xFF)?;
                Ok((secret.public_key().to_public_key_der(), secret.to_pkcs8_der()))
            })?,
            // Its order has 521 bits: 65 bytes and one bit.
            KeySpec::EccNistP521 => encode(|| {
                let secret = on_curve(p521::SecretKey::from_slice, [0; 66], 0x01)?;
                Ok((secret.public_key().to_public_key_der(), secret.to_pkcs8_der()))
            })?,
            KeySpec::EccSecgP256k1 => encode(|| {
                let secret = on_curve(k256::SecretKey::from_slice, [0; 32], 0xFF)?;
                Ok((secret.public_key().to_public_key_der(), secret.to_pkcs8_der()))
            })?,
            KeySpec::EccNistEdwards25519 => encode(|| {
                let mut seed = Zeroizing::new([0; 32]);
                getrandom::fill(&mut *seed).map_err(StoreError::random)?;
                let key = SigningKey::from_bytes(&seed);
                // Without the public key in it: that is version 2, which many a reader does not know.
                let mut bytes = KeypairBytes { secret_key: *seed, public_key: None };
                let private = bytes.to_pkcs8_der();
                zeroize::Zeroize::zeroize(&mut bytes.secret_key);
                Ok((key.verifying_key().to_public_key_der(), private))
            })?,
        };
        Ok(Some(pair))
    }

    /// Both halves in one, as the store seals them: what gives out the public key has authenticated it.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = SecretWriter::new();
        writer.push_bytes(&self.public);
        writer.push_bytes(&self.private);
        writer.into_bytes()
    }

    /// Reads what [`KeyPair::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let public = reader.bytes(MAX_ENCODED)?.to_vec();
        let private = Zeroizing::new(reader.bytes(MAX_ENCODED)?.to_vec());
        reader.finish()?;
        Some(Self { public, private })
    }
}

fn rsa(bits: usize) -> Result<KeyPair, KeyServiceError> {
    encode(|| {
        // The library's generator cannot fail, so a system without random bytes has to show here.
        getrandom::fill(&mut [0; 32]).map_err(StoreError::random)?;
        let secret = RsaPrivateKey::new(&mut UnwrapErr(SysRng), bits).map_err(|_| not_made())?;
        Ok((secret.to_public_key().to_public_key_der(), secret.to_pkcs8_der()))
    })
}

/// Draws random bytes until they are a private key of the curve, which nearly all are. `top` masks the first byte.
fn on_curve<T, E, const LEN: usize>(
    from_slice: impl Fn(&[u8]) -> Result<T, E>,
    bytes: [u8; LEN],
    top: u8,
) -> Result<T, KeyServiceError> {
    let mut bytes = Zeroizing::new(bytes);
    loop {
        getrandom::fill(&mut *bytes).map_err(StoreError::random)?;
        bytes[0] &= top;
        if let Ok(secret) = from_slice(&*bytes) {
            return Ok(secret);
        }
    }
}

/// The two halves as the libraries encode them.
type Encoded = (pkcs8::spki::Result<pkcs8::Document>, pkcs8::Result<pkcs8::SecretDocument>);

fn encode(make: impl FnOnce() -> Result<Encoded, KeyServiceError>) -> Result<KeyPair, KeyServiceError> {
    let (public, private) = make()?;
    let (public, private) = (public.map_err(|_| not_made())?, private.map_err(|_| not_made())?);
    Ok(KeyPair { public: public.as_bytes().to_vec(), private: Zeroizing::new(private.as_bytes().to_vec()) })
}

fn not_made() -> KeyServiceError {
    KeyServiceError::new(ErrorCode::Internal, "The key pair cannot be made.")
}

#[cfg(test)]
mod tests {
    use p256::pkcs8::{DecodePrivateKey, DecodePublicKey};
    use rsa::RsaPublicKey;
    use rsa::traits::PublicKeyParts;

    use super::*;

    fn pair(spec: KeySpec) -> KeyPair {
        let pair = KeyPair::generate(spec).unwrap().unwrap();
        let again = KeyPair::from_bytes(&pair.to_bytes()).unwrap();
        assert_eq!((&again.public, &again.private), (&pair.public, &pair.private));
        pair
    }

    #[test]
    fn an_rsa_pair_is_read_back_as_one() {
        let pair = pair(KeySpec::Rsa2048);
        let secret = RsaPrivateKey::from_pkcs8_der(&pair.private).unwrap();
        let public = RsaPublicKey::from_public_key_der(&pair.public).unwrap();
        assert_eq!((secret.to_public_key(), public.n().bits_precision()), (public.clone(), 2048));
    }

    #[test]
    fn pairs_on_curves_are_read_back_as_such() {
        let p256 = pair(KeySpec::EccNistP256);
        let secret = p256::SecretKey::from_pkcs8_der(&p256.private).unwrap();
        assert_eq!(secret.public_key(), p256::PublicKey::from_public_key_der(&p256.public).unwrap());
        let p384 = pair(KeySpec::EccNistP384);
        let secret = p384::SecretKey::from_pkcs8_der(&p384.private).unwrap();
        assert_eq!(secret.public_key(), p384::PublicKey::from_public_key_der(&p384.public).unwrap());
        let p521 = pair(KeySpec::EccNistP521);
        let secret = p521::SecretKey::from_pkcs8_der(&p521.private).unwrap();
        assert_eq!(secret.public_key(), p521::PublicKey::from_public_key_der(&p521.public).unwrap());
        let k256 = pair(KeySpec::EccSecgP256k1);
        let secret = k256::SecretKey::from_pkcs8_der(&k256.private).unwrap();
        assert_eq!(secret.public_key(), k256::PublicKey::from_public_key_der(&k256.public).unwrap());
        let edwards = pair(KeySpec::EccNistEdwards25519);
        let secret = SigningKey::from_pkcs8_der(&edwards.private).unwrap();
        assert_eq!(secret.verifying_key().to_public_key_der().unwrap().as_bytes(), edwards.public);
    }

    #[test]
    fn a_symmetric_key_is_no_pair() {
        assert!(KeyPair::generate(KeySpec::SymmetricDefault).unwrap().is_none());
        assert!(KeyPair::from_bytes(&[]).is_none());
        assert!(KeyPair::from_bytes(&[0, 0, 0, 0, 0, 0, 0, 0, 0]).is_none());
    }
}

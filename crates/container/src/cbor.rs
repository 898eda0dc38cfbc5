//! Strict CBOR: what is not in the one deterministic encoding (RFC 8949, section 4.2.1) is refused.

use serde_cbor::Value;

/// Why bytes are not deterministic CBOR, and where in them, counted from their start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CborError {
    pub(crate) position: u64,
    pub(crate) reason: String,
}

/// Decodes one CBOR value that fills `bytes`, encodes it again and compares.
///
/// The comparison refuses whatever the decoder is lenient about: longer integers than needed, indefinite lengths, keys out
/// of order, duplicate keys.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, CborError> {
    let value: Value = serde_cbor::from_slice(bytes)
        .map_err(|error| CborError { position: error.offset(), reason: format!("not CBOR: {error}") })?;
    let again = encode(&value);
    if again != bytes {
        let position = again.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
        return Err(CborError { position: position as u64, reason: "not in deterministic encoding".to_owned() });
    }
    Ok(value)
}

/// Encodes a value deterministically: `Value` keeps its maps in canonical order.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    serde_cbor::to_vec(value).expect("encoding a value into memory has nothing that can fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_deterministic_encoding_is_taken() {
        assert!(decode(&[0xa2, 0x01, 0x02, 0x03, 0x04]).is_ok());
        for (bytes, position) in [
            (&[0xa2, 0x01, 0x02, 0x01, 0x02][..], 0), // duplicate key
            (&[0xa2, 0x03, 0x04, 0x01, 0x02], 1),     // keys out of order
            (&[0xa1, 0x01, 0x18, 0x02], 2),           // an integer in two bytes that fits one
            (&[0xbf, 0x01, 0x02, 0xff], 0),           // indefinite length
            (&[0x5f, 0x41, 0x00, 0xff], 0),           // indefinite byte string
        ] {
            assert_eq!(decode(bytes).unwrap_err().position, position, "{bytes:02x?}");
        }
        assert!(decode(&[0x01, 0x00]).is_err(), "trailing byte");
        assert!(decode(&[0xa1, 0x01]).is_err(), "cut");
        assert!(decode(&[]).is_err());
    }

    #[test]
    fn deep_nesting_and_huge_counts_are_refused_without_allocating_for_them() {
        assert!(decode(&[0x81; 1024]).is_err());
        assert!(decode(&[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(decode(&[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}

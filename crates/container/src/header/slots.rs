//! The key slots A and B: encrypted data keys, outside the header tag (SPEC.md, "Key slots").
//!
//! Each ciphertext blob authenticates itself in its key service under a context that holds the file id, so a slot can be
//! replaced without the data key. The checksum finds torn writes and accidents; it is no protection against an attacker,
//! who can at most make the container unopenable.

use serde_cbor::Value;
use sha2::{Digest, Sha256};
use waxseal_key_service::{EncryptedDataKey, Provider};

use crate::error::Damage;
use crate::{ContainerError, cbor};

/// Longest ciphertext blob that AWS KMS returns, in bytes.
const MAX_BLOB_LEN: usize = 6144;
/// Bytes in front of a slot's payload.
const SLOT_HEADER_LEN: usize = 16;
/// Bytes of a slot that its checksum covers in front of the payload.
const CHECKED_LEN: usize = 8;

const ALONE: u8 = 1;
const CONTINUES: u8 = 2;

/// What the two slots hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySlots {
    /// The encrypted data keys, those of the newer slot first.
    pub(crate) keys: Vec<EncryptedDataKey>,
    /// How many of them, from the first on, are of the newest slot.
    pub(crate) newest: usize,
    /// The generation of the newest slot.
    pub(crate) generation: u32,
    /// Where the newest slot is.
    pub(crate) place: Place,
    /// Whether there is nothing at all beside the newest slot, neither older keys nor torn ones.
    pub(crate) is_alone: bool,
}

/// Where a set of keys lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In slot A, mode 1.
    A,
    /// In slot B, mode 1.
    B,
    /// From A on through B, mode 2.
    Both,
}

impl Place {
    /// Its bytes in a slot area of so many bytes.
    pub(super) fn range(self, area_len: usize) -> std::ops::Range<usize> {
        match self {
            Self::A => 0..area_len / 2,
            Self::B => area_len / 2..area_len,
            Self::Both => 0..area_len,
        }
    }
}

/// Writes `keys` as generation 1 into the slot area, which is zero before: into slot A, or across both. Returns what the slots
/// hold then.
pub(crate) fn encode(keys: &[EncryptedDataKey], area: &mut [u8]) -> Result<KeySlots, ContainerError> {
    let payload = Payload::new(keys, area.len())?;
    payload.lay_out(1, area);
    let place = if payload.fits_one { Place::A } else { Place::Both };
    Ok(KeySlots { keys: keys.to_vec(), newest: keys.len(), generation: 1, place, is_alone: true })
}

/// A set of keys that fits a slot area.
#[derive(Debug)]
pub(super) struct Payload {
    bytes: Vec<u8>,
    length: u16,
    count: u8,
    /// Whether it fits one slot.
    pub(super) fits_one: bool,
}

impl Payload {
    /// Encodes the keys for a slot area of so many bytes.
    pub(super) fn new(keys: &[EncryptedDataKey], area_len: usize) -> Result<Self, ContainerError> {
        if keys.is_empty() || keys.iter().any(|key| !fits_a_blob(key.ciphertext_blob.len())) {
            // Nobody could read it.
            return Err(ContainerError::damaged(0, Damage::KeySlots("a key is missing, empty or too long".to_owned())));
        }
        let bytes = cbor::encode(&Value::Array(keys.iter().map(key_value).collect()));
        let available = area_len - SLOT_HEADER_LEN;
        match (u8::try_from(keys.len()), u16::try_from(bytes.len())) {
            (Ok(count), Ok(length)) if bytes.len() <= available => {
                let fits_one = SLOT_HEADER_LEN + bytes.len() <= area_len / 2;
                Ok(Self { bytes, length, count, fits_one })
            }
            _ => Err(ContainerError::TooManyKeys { keys: keys.len(), needed: bytes.len(), available }),
        }
    }

    /// Writes it with a generation into `place`, a slot or both of them, which is zero before.
    pub(super) fn lay_out(&self, generation: u32, place: &mut [u8]) {
        place[..4].copy_from_slice(&generation.to_le_bytes());
        place[4..6].copy_from_slice(&self.length.to_le_bytes());
        place[6] = if self.fits_one { ALONE } else { CONTINUES };
        place[7] = self.count;
        let sum = checksum(&place[..CHECKED_LEN], &self.bytes);
        place[CHECKED_LEN..SLOT_HEADER_LEN].copy_from_slice(&sum);
        place[SLOT_HEADER_LEN..SLOT_HEADER_LEN + self.bytes.len()].copy_from_slice(&self.bytes);
    }
}

/// Reads the slot area. One usable slot is enough: the other may be torn by a crash of whoever replaced keys.
pub(crate) fn decode(area: &[u8]) -> Result<KeySlots, String> {
    let (a, b) = area.split_at(area.len() / 2);
    let slots = match decode_slot(area, CONTINUES) {
        Ok(Some(both)) => vec![(Place::Both, Ok(Some(both)))],
        _ => vec![(Place::A, decode_slot(a, ALONE)), (Place::B, decode_slot(b, ALONE))],
    };
    let is_alone = slots.iter().filter(|(_, slot)| !matches!(slot, Ok(None))).count() == 1;
    let mut usable = Vec::new();
    let mut reason = "both are empty".to_owned();
    for (place, slot) in slots {
        match slot {
            Ok(Some((generation, keys))) => usable.push((generation, place, keys)),
            Ok(None) => {}
            Err(why) => reason = why,
        }
    }
    usable.sort_by_key(|(generation, ..)| std::cmp::Reverse(*generation));
    let (generation, place, keys) = usable.first().ok_or(reason)?;
    let (generation, place, newest) = (*generation, *place, keys.len());
    let keys = usable.into_iter().flat_map(|(_, _, keys)| keys).collect();
    Ok(KeySlots { keys, newest, generation, place, is_alone })
}

/// Reads one slot, or the two as one where the mode says so: its generation and its keys. An all-zero slot is empty.
fn decode_slot(slot: &[u8], mode: u8) -> Result<Option<(u32, Vec<EncryptedDataKey>)>, String> {
    if is_zero(slot) {
        return Ok(None);
    }
    let number = |at: usize| u32::from_le_bytes(slot[at..at + 4].try_into().expect("four bytes"));
    let (generation, length) = (number(0), (number(4) & 0xffff) as usize);
    let (header, rest) = slot.split_at(SLOT_HEADER_LEN);
    if header[6] != mode || generation == 0 || length > rest.len() {
        return Err("impossible mode, generation or length".to_owned());
    }
    let (payload, padding) = rest.split_at(length);
    if header[CHECKED_LEN..] != checksum(&header[..CHECKED_LEN], payload) {
        return Err("checksum mismatch".to_owned());
    }
    if !is_zero(padding) {
        return Err("bytes after the keys are not zero".to_owned());
    }
    let value = cbor::decode(payload).map_err(|error| error.reason)?;
    let Value::Array(items) = value else { return Err("not a list of keys".to_owned()) };
    if items.is_empty() || items.len() != usize::from(header[7]) {
        return Err("the number of keys is not the one announced".to_owned());
    }
    let keys = items.into_iter().map(key_from).collect::<Result<_, _>>()?;
    Ok(Some((generation, keys)))
}

/// Whether all bytes are zero; asked of many at once, which takes a fraction of asking each.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(64).all(|piece| piece.iter().fold(0, |any, byte| any | byte) == 0)
}

fn checksum(header: &[u8], payload: &[u8]) -> [u8; 8] {
    let digest = Sha256::new().chain_update(header).chain_update(payload).finalize();
    digest.0[..8].try_into().expect("a digest has 32 bytes")
}

fn key_value(key: &EncryptedDataKey) -> Value {
    Value::Array(vec![
        Value::Integer(provider_number(key.provider)),
        Value::Text(key.key_arn.as_str().to_owned()),
        Value::Bytes(key.ciphertext_blob.clone()),
    ])
}

fn key_from(value: Value) -> Result<EncryptedDataKey, String> {
    let Value::Array(parts) = value else { return Err("a key is not a list".to_owned()) };
    let [Value::Integer(provider), Value::Text(arn), Value::Bytes(blob)] =
        <[Value; 3]>::try_from(parts).map_err(|_| "a key does not have three parts".to_owned())?
    else {
        return Err("a key has parts of other types".to_owned());
    };
    let provider = [Provider::Local, Provider::Aws]
        .into_iter()
        .find(|known| provider_number(*known) == provider)
        .ok_or_else(|| format!("unknown key service {provider}"))?;
    let key_arn = arn.parse().map_err(|error| format!("{error}"))?;
    if !fits_a_blob(blob.len()) {
        return Err("an encrypted key is empty or too long".to_owned());
    }
    Ok(EncryptedDataKey { provider, key_arn, ciphertext_blob: blob })
}

/// Whether a ciphertext blob can have so many bytes.
fn fits_a_blob(len: usize) -> bool {
    (1..=MAX_BLOB_LEN).contains(&len)
}

/// The key service's number in a slot.
fn provider_number(provider: Provider) -> i128 {
    match provider {
        Provider::Local => 1,
        Provider::Aws => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: usize = 1600;

    fn key(blob: usize) -> EncryptedDataKey {
        EncryptedDataKey {
            provider: Provider::Local,
            key_arn: "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
            ciphertext_blob: vec![9; blob],
        }
    }

    fn area(keys: &[EncryptedDataKey]) -> Vec<u8> {
        let mut area = vec![0; AREA];
        encode(keys, &mut area).unwrap();
        area
    }

    #[test]
    fn keys_fill_one_slot_then_both_then_are_refused() {
        for count in 1..=8 {
            let keys = vec![key(100); count];
            let mut area = vec![0; AREA];
            let written = encode(&keys, &mut area).unwrap();
            assert_eq!((&written.keys, written.place == Place::A), (&keys, count <= 4));
            assert_eq!(decode(&area).unwrap(), written);
        }
        let Err(ContainerError::TooManyKeys { keys, needed, available }) = encode(&vec![key(100); 9], &mut [0; AREA])
        else {
            panic!("nine keys do not fit")
        };
        assert_eq!((keys, available), (9, AREA - 16));
        assert!(needed > available);
    }

    #[test]
    fn a_damaged_slot_is_unusable_at_every_byte() {
        let whole = area(&[key(100)]);
        for at in 0..AREA / 2 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(decode(&damaged).is_err(), "byte {at}");
        }
    }

    #[test]
    fn the_newer_slot_comes_first_and_a_torn_one_is_passed_over() {
        let mut both = area(&[key(100)]);
        let mut newer = area(&[key(50)]);
        newer[0] = 2;
        let sum = checksum(&newer[..8], &newer[16..16 + usize::from(newer[4])]);
        newer[8..16].copy_from_slice(&sum);
        both[AREA / 2..].copy_from_slice(&newer[..AREA / 2]);
        let slots = decode(&both).unwrap();
        assert_eq!((slots.generation, slots.keys), (2, vec![key(50), key(100)]));
        both[AREA / 2 + 20] ^= 1;
        let slots = decode(&both).unwrap();
        assert_eq!((slots.generation, slots.keys), (1, vec![key(100)]));
    }

    #[test]
    fn empty_slots_are_refused() {
        assert_eq!(decode(&[0; AREA]), Err("both are empty".to_owned()));
    }
}

//! Every key of a container, derived from its data key (SPEC.md, "Keys").

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use waxseal_key_service::DataKey;
use zeroize::Zeroizing;

use crate::Suite;
use crate::header::{FileId, PREAMBLE_LEN, TAG_LEN};
use crate::suite::Cipher;

const INFO_PREFIX: &[u8; 10] = b"waxseal v1";

/// Derives a container's keys: from its data key, file id and body salt, and from the preamble and core.
///
/// With any of them another, every key is another: content moved under another header does not decrypt.
pub(crate) struct KeySchedule {
    hkdf: Hkdf<Sha256>,
    header_hash: [u8; 32],
}

impl KeySchedule {
    pub(crate) fn new(
        data_key: &DataKey,
        file_id: FileId,
        body_salt: &[u8; 32],
        preamble: &[u8; PREAMBLE_LEN],
        core: &[u8],
    ) -> Self {
        let salt = [file_id.0, *body_salt].concat();
        Self {
            hkdf: Hkdf::new(Some(&salt), data_key.expose()),
            header_hash: Sha256::new().chain_update(preamble).chain_update(core).finalize().0,
        }
    }

    /// The header tag over preamble, body salt and core, ready to be verified or finished.
    pub(crate) fn header_tag(&self, preamble: &[u8; PREAMBLE_LEN], body_salt: &[u8; 32], core: &[u8]) -> Hmac<Sha256> {
        let key = self.derive("header");
        let mut mac = hmac(&key);
        mac.update(preamble);
        mac.update(body_salt);
        mac.update(core);
        mac
    }

    pub(crate) fn content_keys(&self, suite: Suite) -> ContentKeys {
        ContentKeys {
            chunk: Cipher::new(suite, &self.derive("chunk")),
            table: Cipher::new(suite, &self.derive("table")),
            fresh: self.derive("fresh"),
            attribute: self.derive("xattr"),
        }
    }

    fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut info = [0; INFO_PREFIX.len() + 8 + 32];
        info[..10].copy_from_slice(INFO_PREFIX);
        info[10..10 + label.len()].copy_from_slice(label.as_bytes());
        info[18..].copy_from_slice(&self.header_hash);
        let mut key = Zeroizing::new([0; 32]);
        self.hkdf.expand(&info, key.as_mut_slice()).expect("HKDF-SHA-256 gives up to 8160 bytes");
        key
    }
}

/// The keys that open and seal a container's content. There is one way to them: past the header tag.
pub(crate) struct ContentKeys {
    pub(crate) chunk: Cipher,
    pub(crate) table: Cipher,
    fresh: Zeroizing<[u8; 32]>,
    /// For extended attributes, which are rare: their cipher is made when one is used.
    attribute: Zeroizing<[u8; 32]>,
}

/// The root's commitment to tables: the exclusive or of one value for each table.
pub(crate) type FreshnessHash = [u8; 16];

impl ContentKeys {
    /// The cipher of extended attributes.
    pub(crate) fn attribute_cipher(&self, suite: Suite) -> Cipher {
        Cipher::new(suite, &self.attribute)
    }

    /// Adds group `group`'s table of id `id` to a freshness hash, or takes it away again; an id of 0 counts for nothing.
    pub(crate) fn toggle_table(&self, hash: &mut FreshnessHash, group: u64, id: u64) {
        if id == 0 {
            return;
        }
        let mut mac = hmac(&self.fresh);
        mac.update(&group.to_le_bytes());
        mac.update(&id.to_le_bytes());
        let value = mac.finalize().into_bytes();
        hash.iter_mut().zip(value).for_each(|(byte, other)| *byte ^= other);
    }
}

impl std::fmt::Debug for ContentKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentKeys(redacted)")
    }
}

fn hmac(key: &Zeroizing<[u8; 32]>) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_slice()).expect("HMAC takes keys of any length")
}

const _: () = assert!(TAG_LEN == 32, "the header tag is a whole HMAC-SHA-256");

//! A second reader, written from SPEC.md alone with bare primitives: writer and reader agree with the document, and not
//! only with each other.

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{AeadInOut, KeyInit as _, inout::InOutBuf};
use chacha20poly1305::XChaCha20Poly1305;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::Suite;
use crate::tests::support::*;

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// What the document says about a container, read by hand.
struct ByHand<'a> {
    bytes: &'a [u8],
    suite: Suite,
    core: &'a [u8],
}

impl<'a> ByHand<'a> {
    fn new(bytes: &'a [u8], suite: Suite) -> Self {
        let core_len = usize::from(u16::from_le_bytes([bytes[10], bytes[11]]));
        Self { bytes, suite, core: &bytes[80..80 + core_len] }
    }

    /// The file id: in the map behind key 1 and the suite's number stands key 2 and a byte string of 32 bytes.
    fn file_id(&self) -> &'a [u8] {
        assert_eq!(self.core[1..6], [1, if self.suite == Suite::Aes256GcmSiv { 1 } else { 2 }, 2, 0x58, 32]);
        &self.core[6..38]
    }

    /// HKDF-SHA-256 of RFC 5869, spelled out.
    fn key(&self, label: &str) -> [u8; 32] {
        let prk = hmac(&[self.file_id(), &self.bytes[48..80]].concat(), &[&KEY]);
        let mut padded = [0; 8];
        padded[..label.len()].copy_from_slice(label.as_bytes());
        let hash = Sha256::new().chain_update(&self.bytes[..16]).chain_update(self.core).finalize();
        hmac(&prk, &[b"waxseal v1", &padded, &hash, &[1]])
    }

    fn open(&self, label: &str, nonce: &[u8; 24], number: u64, data: &[u8], tag: &[u8]) -> Vec<u8> {
        let (key, mut data, tag) = (self.key(label), data.to_vec(), <[u8; 16]>::try_from(tag).unwrap());
        let (associated, buffer) = (number.to_le_bytes(), InOutBuf::from(&mut data[..]));
        match self.suite {
            Suite::Aes256GcmSiv => {
                let nonce: [u8; 12] = nonce[..12].try_into().unwrap();
                let cipher = Aes256GcmSiv::new(&key.into());
                cipher.decrypt_inout_detached(&nonce.into(), &associated, buffer, &tag.into()).unwrap();
            }
            Suite::XChaCha20Poly1305 => {
                let cipher = XChaCha20Poly1305::new(&key.into());
                cipher.decrypt_inout_detached(nonce.into(), &associated, buffer, &tag.into()).unwrap();
            }
        }
        data
    }

    fn table(&self, group: u64, page: &[u8]) -> Vec<u8> {
        if self.suite == Suite::Aes256GcmSiv {
            assert_eq!(page[12..24], [0; 12]);
        }
        self.open("table", page[..24].try_into().unwrap(), group, &page[40..], &page[24..40])
    }

    fn chunk(&self, number: u64, entry: &[u8], data: &[u8]) -> Vec<u8> {
        let mut nonce = [0; 24];
        nonce[..12].copy_from_slice(&entry[..12]);
        if self.suite == Suite::XChaCha20Poly1305 {
            nonce[12..20].copy_from_slice(&number.to_le_bytes());
        }
        self.open("chunk", &nonce, number, data, &entry[12..28])
    }
}

#[test]
fn a_reader_written_from_the_document_reads_what_the_writers_write() {
    for suite in Suite::ALL {
        let original = plaintext(400_000);
        for (container, is_stream) in [(seal_file(suite, &original), false), (seal_stream(suite, &original), true)] {
            let by_hand = ByHand::new(&container, suite);
            let tag = hmac(&by_hand.key("header"), &[&container[..16], &container[48..80], by_hand.core]);
            assert_eq!(container[16..48], tag, "{suite}: the header tag");

            let root = by_hand.table(0, &container[2048..4096]);
            let len = if is_stream { u64::MAX } else { 400_000 };
            assert_eq!([number(&root, 48), number(&root, 56), number(&root, 64)], [len; 3], "{suite}: lengths");
            assert_eq!((number(&root, 0), number(&root, 24), root[45]), (0, 1, 2), "{suite}: r, next, settled");

            let (mut read, mut hash) = (Vec::new(), [0; 16]);
            let mut end = u32::from_le_bytes(root[40..44].try_into().unwrap()) as usize;
            let (mut table, mut entries, mut place) = (root.clone(), 72, 4096);
            loop {
                let mut left = end;
                for index in 0..end.div_ceil(4096) {
                    let length = left.min(4096);
                    let entry = &table[entries + 28 * index..][..28];
                    let data = &container[place + 4096 * index..][..length];
                    read.extend(by_hand.chunk((read.len() / 4096) as u64, entry, data));
                    left -= length;
                }
                let group = number(&table, 24);
                if group == 0 {
                    break;
                }
                let offset = usize::try_from(135_168 + 266_240 * (group - 1)).unwrap();
                table = by_hand.table(group, &container[offset..offset + 4096]);
                end = u32::from_le_bytes(table[40..44].try_into().unwrap()) as usize;
                (entries, place) = (48, offset + 4096);
                let id = &table[8..16];
                assert_eq!(id == [0; 8], is_stream, "{suite}: only a stream's tables have no id");
                if id != [0; 8] {
                    let value = hmac(&by_hand.key("fresh"), &[&group.to_le_bytes(), id]);
                    hash.iter_mut().zip(value).for_each(|(byte, other)| *byte ^= other);
                }
            }
            assert!(read == original, "{suite}: the plaintext");
            assert_eq!(root[8..24], hash, "{suite}: H");
        }
    }
}

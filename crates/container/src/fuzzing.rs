//! What the fuzz targets in `fuzz/` need beyond the public API: the core's decoder by itself, and the pen of a hostile key
//! holder, who can seal what no writer writes. It is compiled for them alone.

use hmac::Mac;
use waxseal_key_service::{DataKey, EncryptedDataKey, Provider};

use crate::geometry::{CHUNK_LEN, GroupIndex, HEADER_LEN};
use crate::header::PREAMBLE_LEN;
use crate::keys::KeySchedule;
use crate::suite::TABLE_NONCE_LEN;
use crate::table::Table;
use crate::{ContainerError, Core, Header, Suite, Unlocked};

/// Bytes in front of a table's body in its page: nonce and tag.
const SEAL_LEN: usize = 40;

/// Decodes a core strictly; `None` where it is refused.
#[must_use]
pub fn decode_core(bytes: &[u8]) -> Option<Core> {
    Core::decode(bytes).ok()
}

/// Encodes a core: what a later writer said under keys -1 to -24 is not in it.
#[must_use]
pub fn encode_core(core: &Core) -> Vec<u8> {
    core.encode()
}

/// The data key of everything that is forged.
#[must_use]
pub fn data_key() -> DataKey {
    DataKey::take(&mut [0x5a; 32])
}

/// An encrypted data key that no key service has made.
#[must_use]
pub fn encrypted_data_key() -> EncryptedDataKey {
    let arn = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    EncryptedDataKey {
        provider: Provider::Local,
        key_arn: arn.parse().expect("it is an ARN"),
        ciphertext_blob: vec![0xc1; 81],
    }
}

/// A holder of the data key, who seals tables of any content and chunks for any place.
#[derive(Debug)]
pub struct Forger {
    header: [u8; HEADER_LEN],
    unlocked: Unlocked,
}

impl Forger {
    /// Takes up the pen: the header is the same for the same suite, and so is all that is sealed under it.
    ///
    /// # Errors
    /// There are no random bytes.
    pub fn new(suite: Suite) -> Result<Self, ContainerError> {
        let map = |suite: u8| [&[0xa3, 1, suite, 2, 0x58, 32][..], &[7; 32], &[3, 0xa0]].concat();
        let core_bytes = match suite {
            Suite::Aes256GcmSiv => map(1),
            Suite::XChaCha20Poly1305 => map(2),
        };
        let core = Core::decode(&core_bytes).expect("it is the encoding of a core");
        let file_id = core.file_id();
        let (mut header, _) = Header::create(core, &[encrypted_data_key()], &data_key())?;
        let (salt, preamble) = ([9; 32], *header.first_chunk::<PREAMBLE_LEN>().expect("16 of 2048 bytes"));
        let tag = KeySchedule::new(&data_key(), file_id, &salt, &preamble, &core_bytes)
            .header_tag(&preamble, &salt, &core_bytes)
            .finalize();
        header[16..48].copy_from_slice(&tag.into_bytes());
        header[48..80].copy_from_slice(&salt);
        let unlocked = Header::parse(&header)?.unlock(&data_key())?;
        Ok(Self { header, unlocked })
    }

    /// The header of everything that this forger makes.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Seals bytes as the body of a group's table, cut or filled up with zeros to its length; returns where the page
    /// belongs, and the page.
    #[must_use]
    pub fn seal_table(&self, group: u64, body: &[u8]) -> (u64, Vec<u8>) {
        let group = GroupIndex(group);
        let mut page = vec![0; group.table_len()];
        let (seal, place) = page.split_at_mut(SEAL_LEN);
        let length = body.len().min(place.len());
        place[..length].copy_from_slice(&body[..length]);
        let cipher = &self.unlocked.keys.table;
        seal[..cipher.table_nonce_len()].fill(1);
        let nonce = seal.first_chunk().expect("a nonce begins the page");
        let tag = cipher.seal_table(nonce, group.0, place);
        seal[TABLE_NONCE_LEN..].copy_from_slice(&tag);
        (group.table_offset(), page)
    }

    /// Opens a table's page, and seals what was decoded from it under the same nonce.
    ///
    /// # Errors
    /// It is not authentic, or breaks a rule of its layout.
    pub fn reseal_table(&self, group: u64, page: &[u8]) -> Result<Option<Vec<u8>>, ContainerError> {
        let keys = &self.unlocked.keys;
        let nonce = page.first_chunk().expect("the target gives a whole page");
        let opened = Table::open(keys, GroupIndex(group), &mut page.to_vec())?;
        Ok(opened.map(|table| {
            let mut again = vec![0; page.len()];
            table.seal(keys, GroupIndex(group), nonce, &mut again);
            again
        }))
    }

    /// Seals a chunk in place, and returns its entry.
    #[must_use]
    pub fn seal_chunk(&self, number: u64, nonce: &[u8; 12], data: &mut [u8]) -> [u8; 28] {
        let tag = self.unlocked.keys.chunk.seal_chunk(nonce, number, data);
        let mut entry = [0; 28];
        entry[..12].copy_from_slice(nonce);
        entry[12..].copy_from_slice(&tag);
        entry
    }

    /// The commitment of a root to tables, each given by its group and the id that counts.
    #[must_use]
    pub fn commit(&self, tables: impl IntoIterator<Item = (u64, u64)>) -> [u8; 16] {
        let mut hash = [0; 16];
        for (group, id) in tables {
            self.unlocked.keys.toggle_table(&mut hash, group, id);
        }
        hash
    }

    /// The number of a group's first chunk, and how many chunks it has room for.
    #[must_use]
    pub fn chunks(group: u64) -> (u64, usize) {
        (GroupIndex(group).plaintext_start() / CHUNK_LEN as u64, GroupIndex(group).chunks())
    }
}

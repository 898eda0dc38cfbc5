//! The header: the first 2048 bytes of a container (SPEC.md, "Header").

mod core;
mod rewrap;
mod slots;

use std::io::Read;
use std::sync::Arc;

use hmac::Mac;
use waxseal_key_service::{DataKey, EncryptedDataKey};

use self::core::MAX_CORE_LEN;
pub use self::core::{Core, FileId, MAX_CONTEXT_LEN};
pub use self::rewrap::KeyReplacement;
use crate::error::{ContainerError, Damage};
use crate::geometry::HEADER_LEN;
use crate::io::{ReadAt, read_full, read_full_at};
use crate::keys::{ContentKeys, KeySchedule};

/// The first 8 bytes of every container. The first is no text in any encoding, so no text file is taken for one.
pub const MAGIC: [u8; 8] = *b"\x97WAXSEAL";

/// Bytes of the preamble: magic, version, state, core length.
pub(crate) const PREAMBLE_LEN: usize = 16;
/// Bytes of the header tag.
pub(crate) const TAG_LEN: usize = 32;

const VERSION: u8 = 1;
const PREPARED: u8 = 0;
const FILLED: u8 = 1;
const TAG_AT: usize = PREAMBLE_LEN;
const SALT_AT: usize = TAG_AT + TAG_LEN;
const CORE_AT: usize = SALT_AT + 32;

/// Whether a container has content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds a data key that nobody has used yet. It is not an empty file.
    Prepared,
    /// It has content, be it of no bytes.
    Filled,
}

/// A parsed header. Until [`Header::unlock`] has verified the tag, everything in it is a claim.
///
/// Two headers are equal if every byte that means something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    preamble: [u8; PREAMBLE_LEN],
    tag: [u8; TAG_LEN],
    body_salt: [u8; 32],
    core_bytes: Vec<u8>,
    core: Core,
    slots: slots::KeySlots,
}

impl Header {
    /// Reads a header from the beginning of a stream, and nothing beyond it.
    ///
    /// # Errors
    /// Not a container, one of a later version, cut within the header, or malformed; reading failed.
    pub fn read_from(input: &mut (impl Read + ?Sized)) -> Result<Self, ContainerError> {
        let mut bytes = [0; HEADER_LEN];
        let length = read_full(input, &mut bytes).map_err(ContainerError::Read)?;
        Self::parse(&bytes[..length])
    }

    /// Reads a header from the beginning of a file, by position.
    ///
    /// # Errors
    /// As [`Header::read_from`].
    pub fn read_at(file: &(impl ReadAt + ?Sized)) -> Result<Self, ContainerError> {
        let mut bytes = [0; HEADER_LEN];
        let length = read_full_at(file, &mut bytes, 0).map_err(ContainerError::Read)?;
        Self::parse(&bytes[..length])
    }

    /// Parses a header strictly from the first bytes of a container.
    ///
    /// # Errors
    /// Not a container, one of a later version, fewer than 2048 bytes, or malformed: every field is checked, and every
    /// byte that has no meaning has to be zero.
    pub fn parse(bytes: &[u8]) -> Result<Self, ContainerError> {
        check_magic(bytes)?;
        let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else {
            let size = bytes.len() as u64;
            return Err(ContainerError::damaged(size, Damage::Truncated { size, expected: crate::file_size(0) }));
        };
        let malformed =
            |offset: usize, reason: &str| ContainerError::damaged(offset as u64, Damage::Header(reason.to_owned()));
        match bytes[8] {
            0 => return Err(malformed(8, "version 0")),
            VERSION => {}
            newer => return Err(ContainerError::NewerVersion(newer)),
        }
        let (preamble, tag, body_salt) = fields(bytes);
        match preamble[9] {
            PREPARED if tag != [0; 32] || body_salt != [0; 32] => {
                return Err(malformed(9, "prepared, but with the traces of content"));
            }
            PREPARED | FILLED => {}
            _ => return Err(malformed(9, "unknown state")),
        }
        let core_len = usize::from(u16::from_le_bytes([preamble[10], preamble[11]]));
        if core_len == 0 || core_len > MAX_CORE_LEN {
            return Err(malformed(10, "impossible core length"));
        }
        if preamble[12..] != [0; 4] {
            return Err(malformed(12, "bytes that must be zero are not"));
        }
        let core_bytes = bytes[CORE_AT..CORE_AT + core_len].to_vec();
        let core = Core::decode(&core_bytes)
            .map_err(|(at, reason)| ContainerError::damaged(CORE_AT as u64 + at, Damage::Header(reason)))?;
        let area = slot_area(core_len);
        if let Some(at) = (CORE_AT + core_len..area.start).chain(area.end..HEADER_LEN).find(|at| bytes[*at] != 0) {
            return Err(malformed(at, "bytes that must be zero are not"));
        }
        let start = area.start as u64;
        let slots =
            slots::decode(&bytes[area]).map_err(|reason| ContainerError::damaged(start, Damage::KeySlots(reason)))?;
        Ok(Self { preamble, tag, body_salt, core_bytes, core, slots })
    }

    /// Builds the header of a new, filled container with a fresh body salt: its bytes, and what reading them would come to.
    pub(crate) fn create(
        core: Core,
        keys: &[EncryptedDataKey],
        data_key: &DataKey,
    ) -> Result<([u8; HEADER_LEN], Unlocked), ContainerError> {
        let core_bytes = core.encode();
        let mut bytes = [0; HEADER_LEN];
        lay_out_core(&mut bytes, FILLED, &core_bytes);
        let slots = slots::encode(keys, &mut bytes[slot_area(core_bytes.len())])?;
        let keys = lay_out_tag(&mut bytes, &core, &core_bytes, data_key)?;
        let (preamble, tag, body_salt) = fields(&bytes);
        let header = Self { preamble, tag, body_salt, core_bytes, core, slots };
        Ok((bytes, Unlocked::new(header, keys)))
    }

    /// Builds the header of a prepared container.
    pub(crate) fn create_prepared(core: &Core, keys: &[EncryptedDataKey]) -> Result<[u8; HEADER_LEN], ContainerError> {
        let core_bytes = core.encode();
        let mut bytes = [0; HEADER_LEN];
        lay_out_core(&mut bytes, PREPARED, &core_bytes);
        slots::encode(keys, &mut bytes[slot_area(core_bytes.len())])?;
        Ok(bytes)
    }

    /// Builds what makes a filled header of this prepared one: its bytes up to the key slots, which stay as they are.
    pub(crate) fn create_filled(self, data_key: &DataKey) -> Result<(FilledHead, Unlocked), ContainerError> {
        if self.state() == State::Filled {
            return Err(ContainerError::Filled);
        }
        let mut bytes = [0; HEADER_LEN];
        lay_out_core(&mut bytes, FILLED, &self.core_bytes);
        let keys = lay_out_tag(&mut bytes, &self.core, &self.core_bytes, data_key)?;
        let (preamble, tag, body_salt) = fields(&bytes);
        let len = slot_area(self.core_bytes.len()).start;
        Ok((FilledHead { bytes, len }, Unlocked::new(Self { preamble, tag, body_salt, ..self }, keys)))
    }

    /// Whether the container has content.
    #[must_use]
    pub fn state(&self) -> State {
        if self.preamble[9] == FILLED { State::Filled } else { State::Prepared }
    }

    /// What the container is, as it claims.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The encrypted data keys, as claimed: those of the newer slot first. Each opens the same data key.
    #[must_use]
    pub fn encrypted_data_keys(&self) -> &[EncryptedDataKey] {
        &self.slots.keys
    }

    /// The encrypted data keys of the newest key slot, as claimed: those that the container is meant to have. Others are left
    /// of a replacement that was interrupted.
    #[must_use]
    pub fn current_data_keys(&self) -> &[EncryptedDataKey] {
        &self.slots.keys[..self.slots.newest]
    }

    /// Whether the last replacement of its keys came to its end: nothing is left of those before.
    #[must_use]
    pub fn is_rewrap_complete(&self) -> bool {
        self.slots.is_alone
    }

    /// The generation of the newest key slot: 1 when the container is made, higher after keys have been replaced.
    #[must_use]
    pub fn slot_generation(&self) -> u32 {
        self.slots.generation
    }

    /// Verifies the header under a data key and derives the content keys. The tag is also the commitment to the key: no
    /// two data keys verify one header.
    ///
    /// # Errors
    /// The container is prepared only; the header was changed or belongs to another data key.
    pub fn unlock(self, data_key: &DataKey) -> Result<Unlocked, ContainerError> {
        if self.state() == State::Prepared {
            return Err(ContainerError::Prepared);
        }
        let schedule =
            KeySchedule::new(data_key, self.core.file_id(), &self.body_salt, &self.preamble, &self.core_bytes);
        schedule
            .header_tag(&self.preamble, &self.body_salt, &self.core_bytes)
            .verify_slice(&self.tag)
            .map_err(|_| ContainerError::damaged(TAG_AT as u64, Damage::HeaderTag))?;
        let keys = schedule.content_keys(self.core.suite());
        Ok(Unlocked::new(self, keys))
    }
}

/// A header whose tag has been verified, with the keys to its content.
///
/// Clones share both, and the keys are wiped when the last of them goes.
#[derive(Clone, Debug)]
pub struct Unlocked {
    header: Arc<Header>,
    pub(crate) keys: Arc<ContentKeys>,
}

impl Unlocked {
    /// A header with the keys that were derived together with its tag.
    pub(crate) fn new(header: Header, keys: ContentKeys) -> Self {
        Self { header: Arc::new(header), keys: Arc::new(keys) }
    }

    /// The verified header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }
}

/// The bytes of a header up to its key slots.
#[derive(Debug)]
pub(crate) struct FilledHead {
    bytes: [u8; HEADER_LEN],
    len: usize,
}

impl FilledHead {
    /// They lie at the beginning of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Writes preamble and core.
fn lay_out_core(bytes: &mut [u8; HEADER_LEN], state: u8, core_bytes: &[u8]) {
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8] = VERSION;
    bytes[9] = state;
    let core_len = u16::try_from(core_bytes.len()).expect("a core with a bounded context is below 1024 bytes");
    bytes[10..12].copy_from_slice(&core_len.to_le_bytes());
    bytes[CORE_AT..CORE_AT + core_bytes.len()].copy_from_slice(core_bytes);
}

/// Draws a body salt, writes it and the tag, and derives the content keys.
fn lay_out_tag(
    bytes: &mut [u8; HEADER_LEN],
    core: &Core,
    core_bytes: &[u8],
    data_key: &DataKey,
) -> Result<ContentKeys, ContainerError> {
    getrandom::fill(&mut bytes[SALT_AT..CORE_AT]).map_err(ContainerError::Random)?;
    let (preamble, _, body_salt) = fields(bytes);
    let schedule = KeySchedule::new(data_key, core.file_id(), &body_salt, &preamble, core_bytes);
    let tag = schedule.header_tag(&preamble, &body_salt, core_bytes).finalize().into_bytes();
    bytes[TAG_AT..SALT_AT].copy_from_slice(&tag);
    Ok(schedule.content_keys(core.suite()))
}

/// Preamble, tag and body salt.
fn fields(bytes: &[u8; HEADER_LEN]) -> ([u8; PREAMBLE_LEN], [u8; TAG_LEN], [u8; 32]) {
    (
        bytes[..PREAMBLE_LEN].try_into().expect("16 of 2048 bytes"),
        bytes[TAG_AT..SALT_AT].try_into().expect("32 of 2048 bytes"),
        bytes[SALT_AT..CORE_AT].try_into().expect("32 of 2048 bytes"),
    )
}

/// The bytes of the header that both key slots take: from the core's end, aligned to 8, to the end of the header, in two
/// halves of a multiple of 8 bytes.
fn slot_area(core_len: usize) -> std::ops::Range<usize> {
    let start = (CORE_AT + core_len).next_multiple_of(8);
    let slot = (HEADER_LEN - start) / 16 * 8;
    start..start + 2 * slot
}

fn check_magic(bytes: &[u8]) -> Result<(), ContainerError> {
    if bytes.is_empty() {
        return Err(ContainerError::NotAContainer("it is empty"));
    }
    let compared = bytes.len().min(MAGIC.len());
    if bytes[..compared] != MAGIC[..compared] {
        return Err(ContainerError::NotAContainer("it does not begin like one"));
    }
    Ok(())
}

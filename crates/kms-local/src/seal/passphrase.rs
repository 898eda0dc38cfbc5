//! Passphrases, and the keys that argon2id derives from them.

use std::error::Error;
use std::fmt;
use std::path::Path;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use waxseal_key_service::SecretBytes;
use zeroize::{Zeroize, Zeroizing};

use super::derive;
use crate::encoding::Reader;
use crate::error::StoreError;

/// Longest passphrase in bytes.
const MAX_LEN: usize = 1024;
const SALT_LEN: usize = 16;
const CHECK_LEN: usize = 16;

/// A passphrase: 1 to 1024 bytes, taken as they are.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes over a passphrase.
    ///
    /// # Errors
    /// It is empty or longer than 1024 bytes.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, StoreError> {
        match bytes.len() {
            1..=MAX_LEN => Ok(Self(bytes)),
            len => Err(StoreError::PassphraseLength { len, max: MAX_LEN }),
        }
    }

    /// Shows the bytes. Every use of them is found by searching for this name.
    fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// Whoever can give a passphrase; asked only when one is needed, and then once.
pub type PassphraseSource<'a> = &'a mut dyn FnMut() -> Result<Passphrase, Box<dyn Error + Send + Sync>>;

/// What deriving a key from a passphrase costs: the parameters of argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl PassphraseCost {
    /// Most memory that one derivation may take. What a store or a backup asks for beyond it is not granted: its author
    /// may be hostile.
    const MAX_MEMORY_KIB: u32 = 256 * 1024;
    const MAX_PASSES: u32 = 16;
    const MAX_LANES: u32 = 4;

    /// Makes other costs than the default: memory in KiB (8 for each lane, up to 262144), passes (1 to 16), lanes (1 to
    /// 4). `None` means out of these bounds.
    #[must_use]
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let in_bounds = (1..=Self::MAX_PASSES).contains(&passes)
            && (1..=Self::MAX_LANES).contains(&lanes)
            && (8 * lanes..=Self::MAX_MEMORY_KIB).contains(&memory_kib);
        in_bounds.then_some(Self { memory_kib, passes, lanes })
    }
}

/// 64 MiB and 3 passes: the second choice of RFC 9106, section 4, for machines where 2 GiB cannot be had, with one lane
/// because one core computes it here. A fifth of a second for the owner, and for every guess of a thief.
impl Default for PassphraseCost {
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

/// What is stored of a passphrase: salt, costs, and a check value that tells a wrong one at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PassphraseLock {
    salt: [u8; SALT_LEN],
    cost: PassphraseCost,
    check: [u8; CHECK_LEN],
}

/// A passphrase's key, and what to store to derive it again.
pub(crate) struct PassphraseKey {
    pub(crate) lock: PassphraseLock,
    pub(crate) key: SecretBytes,
}

impl PassphraseKey {
    /// Derives a key with a fresh salt, for the file at `path`.
    pub(crate) fn new(path: &Path, passphrase: &Passphrase, cost: PassphraseCost) -> Result<Self, StoreError> {
        let mut salt = [0; SALT_LEN];
        getrandom::fill(&mut salt).map_err(StoreError::random)?;
        let (key, check) = stretch(path, passphrase, &salt, cost)?;
        Ok(Self { lock: PassphraseLock { salt, cost, check }, key })
    }
}

impl PassphraseLock {
    /// Length of the encoding in bytes.
    pub(crate) const ENCODED_LEN: usize = SALT_LEN + 12 + CHECK_LEN;

    /// Asks for the passphrase of the file at `path` and derives its key.
    pub(crate) fn open(&self, path: &Path, source: PassphraseSource<'_>) -> Result<SecretBytes, StoreError> {
        let passphrase = source().map_err(|source| StoreError::Passphrase { path: path.to_owned(), source })?;
        let (key, check) = stretch(path, &passphrase, &self.salt, self.cost)?;
        // The check value is public: comparing it needs no constant time.
        if check == self.check { Ok(key) } else { Err(StoreError::WrongPassphrase { path: path.to_owned() }) }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.salt);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.check);
    }

    /// Decodes it; costs beyond the bounds are refused like any other damage.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let salt = reader.array()?;
        let cost = PassphraseCost::new(reader.u32()?, reader.u32()?, reader.u32()?)?;
        Some(Self { salt, cost, check: reader.array()? })
    }
}

/// Argon2id, then a key and a check value that tells nothing about the key.
fn stretch(
    path: &Path,
    passphrase: &Passphrase,
    salt: &[u8; SALT_LEN],
    cost: PassphraseCost,
) -> Result<(SecretBytes, [u8; CHECK_LEN]), StoreError> {
    let out_of_memory = || StoreError::OutOfMemory { path: path.to_owned(), memory_kib: cost.memory_kib };
    let params =
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).expect("costs are made within argon2's bounds");
    let mut blocks: Vec<Block> = Vec::new();
    blocks.try_reserve_exact(params.block_count()).map_err(|_| out_of_memory())?;
    blocks.resize(params.block_count(), Block::new());
    let stretched = SecretBytes::try_fill(|out| {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
            passphrase.expose(),
            salt,
            out,
            blocks.as_mut_slice(),
        )
    });
    blocks.zeroize();
    let stretched = stretched.map_err(|_| out_of_memory())?;
    let check = derive(salt, stretched.expose(), b"waxseal kms 1: passphrase check");
    let check = *check.expose().first_chunk().expect("32 bytes hold a check value");
    Ok((derive(salt, stretched.expose(), b"waxseal kms 1: passphrase key"), check))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    fn cheap() -> PassphraseCost {
        PassphraseCost::new(64, 1, 1).unwrap()
    }

    #[test]
    fn debug_shows_nothing_of_a_passphrase() {
        assert!(!format!("{:?}", passphrase("hunter2")).contains("hunter2"));
    }

    #[test]
    fn empty_and_endless_passphrases_are_refused() {
        assert!(Passphrase::new(Zeroizing::new(vec![])).is_err());
        assert!(Passphrase::new(Zeroizing::new(vec![b'x'; 1025])).is_err());
        assert!(Passphrase::new(Zeroizing::new(vec![b'x'; 1024])).is_ok());
    }

    #[test]
    fn the_same_passphrase_gives_the_same_key_and_another_is_wrong() {
        let path = Path::new("x");
        let made = PassphraseKey::new(path, &passphrase("right"), cheap()).unwrap();
        assert_eq!(made.lock.open(path, &mut || Ok(passphrase("right"))).unwrap(), made.key);
        let wrong = made.lock.open(path, &mut || Ok(passphrase("wrong")));
        assert!(matches!(wrong, Err(StoreError::WrongPassphrase { .. })));
        let absent = made.lock.open(path, &mut || Err("no terminal".into()));
        assert!(matches!(absent, Err(StoreError::Passphrase { .. })));
    }

    #[test]
    fn costs_beyond_the_bounds_are_not_granted() {
        assert!(PassphraseCost::new(256 * 1024, 16, 4).is_some());
        for (memory, passes, lanes) in
            [(256 * 1024 + 1, 1, 1), (7, 1, 1), (64, 0, 1), (64, 17, 1), (64, 1, 0), (64, 1, 5)]
        {
            assert_eq!(PassphraseCost::new(memory, passes, lanes), None);
        }
        let mut bytes = vec![0; SALT_LEN];
        bytes.extend_from_slice(&[0xFF; 12 + CHECK_LEN]);
        assert_eq!(PassphraseLock::decode(&mut Reader::new(&bytes)), None);
    }

    #[test]
    fn the_default_cost_is_the_stated_one() {
        assert_eq!(Some(PassphraseCost::default()), PassphraseCost::new(65536, 3, 1));
    }
}

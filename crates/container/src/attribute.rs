//! Values of extended attributes, encrypted beside the content (SPEC.md, "Extended attributes").

use thiserror::Error;

use crate::error::ContainerError;
use crate::header::Unlocked;
use crate::suite::{Cipher, TABLE_NONCE_LEN, TAG_LEN};

/// The longest value in bytes: encrypted it is as long as the kernel takes (XATTR_SIZE_MAX of linux/limits.h).
pub const MAX_ATTRIBUTE_LEN: usize = 65536 - TABLE_NONCE_LEN - TAG_LEN;

/// The name spaces of attributes that a container's file can carry for programs.
const SPACES: [&[u8]; 2] = [b"user.", b"trusted."];

/// What stored names have behind their name space, so that attributes of other programs are not taken for ours.
const INFIX: &[u8] = b"waxseal.";

/// The name under which an attribute is stored; `None` for a name space that is not kept.
#[must_use]
pub fn stored_attribute_name(name: &[u8]) -> Option<Vec<u8>> {
    SPACES.iter().find_map(|space| name.strip_prefix(*space).map(|rest| [space, INFIX, rest].concat()))
}

/// The name that a stored attribute has for programs; `None` if it is another program's own.
#[must_use]
pub fn plain_attribute_name(stored: &[u8]) -> Option<Vec<u8>> {
    let rest = |space: &&[u8]| stored.strip_prefix(*space).and_then(|rest| rest.strip_prefix(INFIX));
    SPACES.iter().find_map(|space| rest(space).map(|rest| [space, rest].concat()))
}

/// The value of an extended attribute is not one that was encrypted for this container under this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the value of this extended attribute does not verify: it was changed, or is another's")]
pub struct UnauthenticAttribute;

impl Unlocked {
    /// Encrypts the value of an extended attribute of this name.
    ///
    /// # Errors
    /// The value is longer than [`MAX_ATTRIBUTE_LEN`]; there are no random bytes.
    pub fn seal_attribute(&self, name: &[u8], value: &[u8]) -> Result<Vec<u8>, ContainerError> {
        if value.len() > MAX_ATTRIBUTE_LEN {
            return Err(ContainerError::TooLong);
        }
        let cipher = self.attribute_cipher();
        let mut nonce = [0; TABLE_NONCE_LEN];
        let used = cipher.table_nonce_len();
        getrandom::fill(&mut nonce[..used]).map_err(ContainerError::Random)?;
        let mut data = value.to_vec();
        let tag = cipher.seal_attribute(&nonce, name, &mut data);
        Ok([&nonce[..used], &tag, &data].concat())
    }

    /// Decrypts the value of an extended attribute of this name.
    ///
    /// # Errors
    /// It was not encrypted for this container and this name.
    pub fn open_attribute(&self, name: &[u8], stored: &[u8]) -> Result<Vec<u8>, UnauthenticAttribute> {
        let cipher = self.attribute_cipher();
        let mut nonce = [0; TABLE_NONCE_LEN];
        let used = cipher.table_nonce_len();
        let (start, rest) = stored.split_at_checked(used).ok_or(UnauthenticAttribute)?;
        nonce[..used].copy_from_slice(start);
        let (tag, data) = rest.split_first_chunk::<TAG_LEN>().ok_or(UnauthenticAttribute)?;
        let mut data = data.to_vec();
        cipher.open_attribute(&nonce, name, &mut data, tag).map_err(|_| UnauthenticAttribute)?;
        Ok(data)
    }

    fn attribute_cipher(&self) -> Cipher {
        self.keys.attribute_cipher(self.header().core().suite())
    }
}

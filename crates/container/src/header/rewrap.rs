//! Replacing the encrypted data keys of a container in its place (SPEC.md, W12).

use waxseal_key_service::EncryptedDataKey;

use super::slots::{Payload, Place};
use super::{Header, slot_area};
use crate::error::ContainerError;
use crate::io::Backing;

/// What has to be written so that a container has other encrypted data keys.
///
/// It holds for the container as its header was read. The caller keeps others away from the file from before it reads that
/// header until everything is written (an OFD lock, fcntl(2)).
#[derive(Debug)]
pub struct KeyReplacement {
    steps: Vec<Step>,
}

/// A write that is followed by a barrier; or a barrier alone.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    offset: u64,
    bytes: Vec<u8>,
}

impl Header {
    /// Plans to replace all encrypted data keys by `keys`, of which each has to encrypt this container's data key. No data
    /// key is needed for that.
    ///
    /// `proven` is the encrypted data key that the new ones were made from. Its slot stays until theirs is on disk. Without
    /// one it is the newest slot that stays.
    ///
    /// # Errors
    /// The keys do not fit the header, or there are none.
    pub fn replace_keys(
        &self,
        keys: &[EncryptedDataKey],
        proven: Option<&EncryptedDataKey>,
    ) -> Result<KeyReplacement, ContainerError> {
        let area = slot_area(self.core_bytes.len());
        let (start, len) = (area.start as u64, area.len());
        if keys.is_empty() {
            return Err(ContainerError::NoKeys);
        }
        let payload = Payload::new(keys, len)?;
        let kept = self.place_of(proven);
        let generation = self.slots.generation.checked_add(1);
        let unused = kept.other().filter(|_| payload.fits_one);
        let steps = match (unused, generation) {
            (Some(unused), Some(generation)) => {
                let mut new = vec![0; len / 2];
                payload.lay_out(generation, &mut new);
                // What is overwritten may be the only newer copy, and the kept one may not be on disk.
                let mut steps = self.barrier();
                steps.extend([Step::at(start, unused, len, new), Step::clear(start, kept, len)]);
                steps
            }
            // No slot is unused: one write replaces both.
            (_, generation) => {
                let mut new = vec![0; len];
                payload.lay_out(generation.unwrap_or(1), &mut new);
                let mut steps = self.barrier();
                steps.push(Step::at(start, Place::Both, len, new));
                steps
            }
        };
        Ok(KeyReplacement { steps })
    }

    /// Plans to complete a replacement that was interrupted, by clearing whatever is beside the newest slot.
    #[must_use]
    pub fn complete_rewrap(&self) -> KeyReplacement {
        let area = slot_area(self.core_bytes.len());
        let mut steps = self.barrier();
        if let Some(other) = self.slots.place.other().filter(|_| !self.slots.is_alone) {
            steps.push(Step::clear(area.start as u64, other, area.len()));
        }
        KeyReplacement { steps }
    }

    /// The slot that holds an encrypted data key, the newest one if both do or none is meant.
    fn place_of(&self, key: Option<&EncryptedDataKey>) -> Place {
        let slots = &self.slots;
        // A multi-Region key may have been asked for by its name in another region.
        let holds = |keys: &[EncryptedDataKey], key: &EncryptedDataKey| {
            keys.iter().any(|other| other.ciphertext_blob == key.ciphertext_blob)
        };
        let is_older = key.is_some_and(|key| !holds(self.current_data_keys(), key) && holds(&slots.keys, key));
        slots.place.other().filter(|_| is_older).unwrap_or(slots.place)
    }

    /// A barrier, where the slots are in the middle of a replacement of which nobody knows how much is on disk.
    fn barrier(&self) -> Vec<Step> {
        if self.slots.is_alone { Vec::new() } else { vec![Step { offset: 0, bytes: Vec::new() }] }
    }
}

impl KeyReplacement {
    /// Writes it, each step with a barrier behind it. After a kill or a power cut in the middle the container has the old
    /// keys, the new ones, or both, and the same replacement can be planned once more.
    ///
    /// `written` is called after each write, before its barrier.
    ///
    /// # Errors
    /// The storage fails.
    pub fn apply(&self, backing: &dyn Backing, mut written: impl FnMut()) -> Result<(), ContainerError> {
        for Step { offset, bytes } in &self.steps {
            if !bytes.is_empty() {
                backing.write_all_at(bytes, *offset).map_err(ContainerError::Write)?;
                written();
            }
            backing.sync_data().map_err(ContainerError::Write)?;
        }
        Ok(())
    }
}

impl Step {
    /// Bytes for a place in the slot area of length `len`, which begins at byte `start` of the file.
    fn at(start: u64, place: Place, len: usize, bytes: Vec<u8>) -> Self {
        Self { offset: start + place.range(len).start as u64, bytes }
    }

    /// Zeros for all of a place.
    fn clear(start: u64, place: Place, len: usize) -> Self {
        Self::at(start, place, len, vec![0; place.range(len).len()])
    }
}

impl Place {
    /// The slot beside this one; none if it takes both.
    fn other(self) -> Option<Self> {
        match self {
            Self::A => Some(Self::B),
            Self::B => Some(Self::A),
            Self::Both => None,
        }
    }
}

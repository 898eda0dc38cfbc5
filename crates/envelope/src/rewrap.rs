//! Other keys for a container that is there, in its place: content and data key stay (SPEC.md, W12).

mod change;
mod make;
#[cfg(test)]
mod tests;

use std::fs::File;

use waxseal_container::{Header, KeyReplacement};
use waxseal_key_service::{EncryptedDataKey, KeyArn, KeyReference, Provider};

use self::change::Change;
use crate::lock::{claim, unlock};
use crate::{Envelope, EnvelopeError, Reading};

/// How often a rewrap begins anew because others have changed the header meanwhile.
const ATTEMPTS: usize = 3;

/// A KMS key, by the one name that never comes to mean another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName {
    /// The service that has it.
    pub provider: Provider,
    /// Its ARN.
    pub arn: KeyArn,
}

/// What is to become of a container's keys.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// These keys open it, and no others. One at least.
    To(Vec<KeyName>),
    /// These keys open it as well.
    Add(Vec<KeyName>),
    /// These keys, each by its ARN or its key id, do not open it any more; a multi-Region key in no region. An alias names
    /// none here, for what it stands for is not in the container.
    Remove(Vec<KeyReference>),
}

/// Which containers get other keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Each that does not have the keys that it is to have.
    Wrong,
    /// Each of which a key was rotated since its data key was encrypted.
    Stale,
}

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The keys are replaced.
    Replace,
    /// It is only found out what would be done.
    Look,
}

/// A demand for other keys.
#[derive(Clone, Debug)]
pub struct Rewrap {
    /// The keys that the container is to have.
    pub change: KeyChange,
    /// Which containers are meant.
    pub selection: Selection,
    /// Whether it is done.
    pub act: Act,
    /// The keys that may be asked to give the data key to others, and the context that the container has to have.
    pub reading: Reading,
}

/// What a rewrap came to.
#[derive(Debug)]
pub struct Rewrapped {
    /// The header as it was before.
    pub header: Header,
    /// The keys that the container has now, or would have.
    pub keys: Vec<KeyName>,
    /// Whether they are others than before, or the remains of an interrupted rewrap are gone.
    pub changed: bool,
}

impl KeyName {
    /// The name of a container's key, as the container claims.
    #[must_use]
    pub fn of(key: &EncryptedDataKey) -> Self {
        Self { provider: key.provider, arn: key.key_arn.clone() }
    }

    /// Whether it is the name of a container's key.
    fn names(&self, key: &EncryptedDataKey) -> bool {
        (self.provider, &self.arn) == (key.provider, &key.key_arn)
    }
}

impl Envelope {
    /// Gives a container other keys, in its place.
    ///
    /// What it has already is left alone, without a write and without asking anybody. Otherwise the data key goes from a key
    /// of the container that `reading` allows to the new ones: by ReEncrypt where all of them are of one service and region,
    /// so that it is not seen here; else it is decrypted, checked against the header's tag, and encrypted. Nothing but key
    /// slots is written, under the file's exclusive lock, and the time of the last change stays where the caller owns the
    /// file. After a kill or a power cut the container opens with the old keys or the new ones, and the same rewrap, run
    /// again, completes it.
    ///
    /// `file` has an open file description of its own, open for reading; to be changed it has to be open for writing as well.
    /// It is locked while it is written, and not while a key service is asked.
    ///
    /// # Errors
    /// It is no container, or damaged in its header; its context is not as asserted; no key may be asked, or every key service
    /// refuses or cannot be reached; what it gives is found not to open the container; no key would be left, or too many;
    /// another process uses it; it cannot be locked or written.
    pub async fn rewrap(&self, file: &File, rewrap: &Rewrap) -> Result<Rewrapped, EnvelopeError> {
        for _ in 0..ATTEMPTS {
            let header = Header::read_at(file)?;
            rewrap.reading.context.iter().try_for_each(|assertion| assertion.check(header.core().context()))?;
            let Some(change) = self.change_of(&header, rewrap).await? else {
                let keys = header.current_data_keys().iter().map(KeyName::of).collect();
                return Ok(Rewrapped { header, keys, changed: false });
            };
            if rewrap.act == Act::Look {
                let keys = self.foreseen(&header, change, &rewrap.reading).await?;
                return Ok(Rewrapped { header, keys, changed: true });
            }
            // Who uses the file is found out before anybody is asked. Nobody is kept waiting for a key service, though: what
            // it answers holds for the header that was read, if that is still there.
            claim(file)?;
            unlock(file).map_err(EnvelopeError::Lock)?;
            let (replacement, keys) = self.planned(&header, change, &rewrap.reading).await?;
            claim(file)?;
            let is_as_it_was = Header::read_at(file)? == header;
            if is_as_it_was {
                write(file, &replacement)?;
            }
            unlock(file).map_err(EnvelopeError::Lock)?;
            if is_as_it_was {
                return Ok(Rewrapped { header, keys, changed: true });
            }
        }
        Err(EnvelopeError::InUse)
    }

    /// What has to be written for a change, and the keys that the container has then. Key services are asked for that.
    async fn planned(
        &self,
        header: &Header,
        change: Change,
        reading: &Reading,
    ) -> Result<(KeyReplacement, Vec<KeyName>), EnvelopeError> {
        let (replacement, keys) = match change {
            Change::Complete => (header.complete_rewrap(), header.current_data_keys().to_vec()),
            Change::Replace { keep, make } if make.is_empty() => (header.replace_keys(&keep, None)?, keep),
            Change::Replace { mut keep, make } => {
                let (made, proven) = self.encrypted_under(header, &make, reading).await?;
                self.prove(header, &made).await?;
                keep.extend(made);
                (header.replace_keys(&keep, Some(&proven))?, keep)
            }
        };
        Ok((replacement, keys.iter().map(KeyName::of).collect()))
    }

    /// The keys that a change would lead to, as far as can be said without asking for them.
    async fn foreseen(
        &self,
        header: &Header,
        change: Change,
        reading: &Reading,
    ) -> Result<Vec<KeyName>, EnvelopeError> {
        let (keep, make) = match change {
            Change::Complete => (header.current_data_keys().to_vec(), Vec::new()),
            Change::Replace { keep, make } => (keep, make),
        };
        if !make.is_empty() {
            self.sources(header, reading).await?;
        }
        Ok(keep.iter().map(KeyName::of).chain(make).collect())
    }
}

/// Writes key slots to a locked file. The time of the last change stays, for the content does.
fn write(file: &File, replacement: &KeyReplacement) -> Result<(), EnvelopeError> {
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    replacement.apply(file, || {
        if let Ok(modified) = modified {
            // Only the owner may set it, and the keys are none the worse without.
            file.set_modified(modified).ok();
        }
    })?;
    Ok(())
}

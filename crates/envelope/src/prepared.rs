//! Prepared containers: made by who may not see a data key, filled by who may (SPEC.md, "Header" and W11).

use waxseal_container::{CHUNK_LEN, ContainerError, Core, Filling, Header, State};
use waxseal_key_service::KeyArn;

use crate::envelope::refused;
use crate::{Envelope, EnvelopeError, NewContainer, Reading};

impl Envelope {
    /// Has a data key generated that nobody here sees, and gives the prepared container that holds it, all of its bytes.
    ///
    /// # Errors
    /// The context does not fit a container; not exactly one key is named; the key service refuses or cannot be reached; its
    /// encrypted data key does not fit the header.
    pub async fn prepare(&self, new: &NewContainer) -> Result<[u8; CHUNK_LEN], EnvelopeError> {
        let [key] = &new.keys[..] else {
            // A second key would have to encrypt a data key that is not here.
            return Err(if new.keys.is_empty() { EnvelopeError::NoKey } else { EnvelopeError::PreparedForOne });
        };
        let core = Core::new(new.suite, new.context.clone(), new.created)?;
        let service = self.service_of(key)?;
        let encrypted = service.generate_data_key_without_plaintext(&key.key, &core.key_service_context()).await;
        Ok(Header::prepare(&core, &[encrypted.map_err(|source| refused(key, source))?])?)
    }

    /// Has a prepared container's data key decrypted, under the same demands as those of [`Envelope::open`]. The
    /// KMS key is returned that did so.
    ///
    /// Nothing in a prepared header is authenticated by itself: its context and file id are bound to the data key by the key
    /// service, and the rest becomes part of what the content is encrypted under.
    ///
    /// # Errors
    /// It is filled already; else as [`Envelope::open`].
    pub async fn fill(&self, header: Header, reading: &Reading) -> Result<(Filling, KeyArn), EnvelopeError> {
        if header.state() == State::Filled {
            return Err(ContainerError::Filled.into());
        }
        let (filling, encrypted) = self.with_data_key(header, reading, Header::fill).await?;
        Ok((filling, encrypted.key_arn))
    }
}

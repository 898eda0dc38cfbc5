//! What was asked of AWS KMS, for whoever reads an error.

use std::error::Error;
use std::fmt;

/// A request that failed: the operation, the key and the region, and what the service called it.
#[derive(Debug)]
pub struct Call {
    /// The operation, for instance `Decrypt`; the permission for it is `kms:Decrypt`.
    pub operation: &'static str,
    /// The key, as it was asked for.
    pub key: String,
    /// The region that was asked, where one is known.
    pub region: Option<String>,
    /// The service's request id, if it answered at all.
    pub request_id: Option<String>,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kms:{} with {}", self.operation, self.key)?;
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
        }
        match &self.request_id {
            Some(id) => write!(f, ", request id {id}"),
            None => Ok(()),
        }
    }
}

impl Error for Call {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

//! The errors of a key service, by AWS KMS's codes.

use std::error::Error;
use std::fmt;

/// The code of a key-service error: the exception's name in AWS KMS
/// (<https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html> and each operation's page).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The caller is not allowed to do this.
    AccessDenied,
    /// The name is taken.
    AlreadyExists,
    /// The service waited too long for something it depends on.
    DependencyTimeout,
    /// The key is disabled.
    Disabled,
    /// The request would have succeeded, but asked for a dry run.
    DryRunOperation,
    /// The encrypted data key was made under another KMS key than the request names.
    IncorrectKey,
    /// The alias is not of the allowed form.
    InvalidAliasName,
    /// The ARN is not of the allowed form.
    InvalidArn,
    /// The ciphertext is damaged, or its encryption context is another.
    InvalidCiphertext,
    /// The grant token is not valid.
    InvalidGrantToken,
    /// The key's usage or spec does not fit the operation.
    InvalidKeyUsage,
    /// The key's state does not fit the operation.
    InvalidState,
    /// The service failed by a fault of its own.
    Internal,
    /// The key cannot be used right now.
    KeyUnavailable,
    /// A quota is used up.
    LimitExceeded,
    /// The name is reserved for the service itself.
    NotAuthorized,
    /// There is no such key or alias.
    NotFound,
    /// Too many requests.
    Throttling,
    /// The operation or an option of it is not supported.
    UnsupportedOperation,
    /// The request breaks a constraint of the service model.
    Validation,
}

impl ErrorCode {
    /// The code as AWS writes it, for instance `NotFoundException`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::AlreadyExists => "AlreadyExistsException",
            Self::DependencyTimeout => "DependencyTimeoutException",
            Self::Disabled => "DisabledException",
            Self::DryRunOperation => "DryRunOperationException",
            Self::IncorrectKey => "IncorrectKeyException",
            Self::InvalidAliasName => "InvalidAliasNameException",
            Self::InvalidArn => "InvalidArnException",
            Self::InvalidCiphertext => "InvalidCiphertextException",
            Self::InvalidGrantToken => "InvalidGrantTokenException",
            Self::InvalidKeyUsage => "InvalidKeyUsageException",
            Self::InvalidState => "KMSInvalidStateException",
            Self::Internal => "KMSInternalException",
            Self::KeyUnavailable => "KeyUnavailableException",
            Self::LimitExceeded => "LimitExceededException",
            Self::NotAuthorized => "NotAuthorizedException",
            Self::NotFound => "NotFoundException",
            Self::Throttling => "ThrottlingException",
            Self::UnsupportedOperation => "UnsupportedOperationException",
            Self::Validation => "ValidationException",
        }
    }

    /// Whether the same request may succeed later: the service, not the request, is at fault.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::DependencyTimeout | Self::Internal | Self::KeyUnavailable | Self::Throttling)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key service's refusal or failure: the code, the service's own text, and what caused it.
#[derive(Debug)]
pub struct KeyServiceError {
    code: ErrorCode,
    message: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl KeyServiceError {
    /// Makes an error with the service's text.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), source: None }
    }

    /// Makes an error without text, as AWS KMS answers a ciphertext it cannot open.
    #[must_use]
    pub fn bare(code: ErrorCode) -> Self {
        Self { code, message: None, source: None }
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The exception.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The service's text, where it gave one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl fmt::Display for KeyServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

impl Error for KeyServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_text_shows_its_code_alone() {
        assert_eq!(KeyServiceError::bare(ErrorCode::InvalidCiphertext).to_string(), "InvalidCiphertextException");
        assert_eq!(
            KeyServiceError::new(ErrorCode::NotFound, "Alias x is not found.").to_string(),
            "NotFoundException: Alias x is not found."
        );
    }
}

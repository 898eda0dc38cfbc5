//! The errors of a key service, by AWS KMS's codes.

use std::error::Error;
use std::fmt;

/// Declares the codes with the names that AWS gives them.
macro_rules! codes {
    ($(#[$about:meta])* $name:ident { $($(#[$code_about:meta])* $code:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$code_about])* $code,)+
        }

        impl $name {
            /// The code as AWS writes it, for instance `NotFoundException`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text,)+ }
            }

            /// Reads the code as AWS writes it; `None` means that it has no name here.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$code),)+ _ => None }
            }
        }
    };
}

codes! {
    /// The code of a key-service error: the exception's name in AWS KMS
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html> and each operation's page).
    ErrorCode {
        /// The caller is not allowed to do this.
        AccessDenied = "AccessDeniedException",
        /// The name is taken.
        AlreadyExists = "AlreadyExistsException",
        /// Another change of the same key is under way.
        Conflict = "ConflictException",
        /// The service waited too long for something it depends on.
        DependencyTimeout = "DependencyTimeoutException",
        /// The key is disabled.
        Disabled = "DisabledException",
        /// The request would have succeeded, but asked for a dry run.
        DryRunOperation = "DryRunOperationException",
        /// The import token is too old.
        ExpiredImportToken = "ExpiredImportTokenException",
        /// The caller's session has ended.
        ExpiredToken = "ExpiredTokenException",
        /// The request's signature lacks a part.
        IncompleteSignature = "IncompleteSignatureException",
        /// The ciphertext was made under another KMS key than the request names.
        IncorrectKey = "IncorrectKeyException",
        /// The imported material is not the one that the key had.
        IncorrectKeyMaterial = "IncorrectKeyMaterialException",
        /// The service failed by a fault of its own.
        Internal = "KMSInternalException",
        /// The alias is not of the allowed form.
        InvalidAliasName = "InvalidAliasNameException",
        /// What was answered is no answer of the service, or not one to this request. Found by the caller, whose word it is.
        InvalidAnswer = "InvalidAnswer",
        /// The ARN is not of the allowed form.
        InvalidArn = "InvalidArnException",
        /// The ciphertext is damaged, or its encryption context is another.
        InvalidCiphertext = "InvalidCiphertextException",
        /// The grant id is not valid.
        InvalidGrantId = "InvalidGrantIdException",
        /// The grant token is not valid.
        InvalidGrantToken = "InvalidGrantTokenException",
        /// The import token is not valid.
        InvalidImportToken = "InvalidImportTokenException",
        /// The key's usage or spec does not fit the operation.
        InvalidKeyUsage = "InvalidKeyUsageException",
        /// The message authentication code does not verify.
        InvalidMac = "KMSInvalidMacException",
        /// The marker is not one that a page ended with.
        InvalidMarker = "InvalidMarkerException",
        /// The message's signature does not verify.
        InvalidMessageSignature = "KMSInvalidSignatureException",
        /// The request's signature is not the one that the caller's key makes.
        InvalidSignature = "InvalidSignatureException",
        /// The key's state does not fit the operation.
        InvalidState = "KMSInvalidStateException",
        /// The key cannot be used right now.
        KeyUnavailable = "KeyUnavailableException",
        /// A quota is used up.
        LimitExceeded = "LimitExceededException",
        /// The key policy cannot be understood.
        MalformedPolicyDocument = "MalformedPolicyDocumentException",
        /// The request is not signed.
        MissingAuthenticationToken = "MissingAuthenticationTokenException",
        /// There are no credentials to call the service with. Found by the caller, whose word it is.
        NoCredentials = "NoCredentials",
        /// The name is reserved for the service itself.
        NotAuthorized = "NotAuthorizedException",
        /// There is no such key or alias.
        NotFound = "NotFoundException",
        /// An error of the service that is none of these: its text begins with its code.
        Other = "Other",
        /// The request's date is too far from the service's clock.
        RequestExpired = "RequestExpired",
        /// The request is not of the form that the protocol demands.
        Serialization = "SerializationException",
        /// The tags are not valid.
        Tag = "TagException",
        /// Too many requests.
        Throttling = "ThrottlingException",
        /// There is no such operation.
        UnknownOperation = "UnknownOperationException",
        /// The service cannot be reached, or does not answer. Found by the caller, whose word it is.
        Unreachable = "Unreachable",
        /// The caller's access key is not known.
        UnrecognizedClient = "UnrecognizedClientException",
        /// The operation or an option of it is not supported.
        UnsupportedOperation = "UnsupportedOperationException",
        /// The request breaks a constraint of the service model.
        Validation = "ValidationException",
    }
}

impl ErrorCode {
    /// Whether it is the caller's own word for an answer that it has not got, or cannot believe.
    #[must_use]
    pub fn is_found_by_the_caller(self) -> bool {
        matches!(self, Self::InvalidAnswer | Self::NoCredentials | Self::Unreachable)
    }

    /// Whether the same request may succeed later: the service, not the request, is at fault.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::DependencyTimeout | Self::Internal | Self::KeyUnavailable | Self::Throttling | Self::Unreachable
        )
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
            Some(message) if self.code == ErrorCode::Other => f.write_str(message),
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
    fn a_code_is_read_as_it_is_written() {
        for code in [ErrorCode::Disabled, ErrorCode::InvalidState, ErrorCode::RequestExpired, ErrorCode::Validation] {
            assert_eq!(ErrorCode::from_name(code.as_str()), Some(code));
        }
        assert_eq!(ErrorCode::from_name("disabledException"), None);
    }

    #[test]
    fn an_error_without_text_shows_its_code_alone() {
        assert_eq!(KeyServiceError::bare(ErrorCode::InvalidCiphertext).to_string(), "InvalidCiphertextException");
        assert_eq!(
            KeyServiceError::new(ErrorCode::NotFound, "Alias x is not found.").to_string(),
            "NotFoundException: Alias x is not found."
        );
    }
}

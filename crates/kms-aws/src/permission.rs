//! What a caller may do with a key, found out by requests that ask for a dry run: nothing is done, and nothing is charged
//! to the key (<https://docs.aws.amazon.com/kms/latest/developerguide/testing-permissions.html>).

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, DryRunModifierType};
use waxseal_key_service::{DATA_KEY_LEN, EncryptionContext, ErrorCode, KeyId, KeyServiceError};

use crate::connection::AwsKms;
use crate::key_service::pairs;

/// What somebody wants to do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make new files: GenerateDataKey.
    GenerateDataKey,
    /// Be a further key of new files: Encrypt.
    Encrypt,
    /// Open files: Decrypt.
    Decrypt,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::GenerateDataKey, Self::Encrypt, Self::Decrypt];

    /// The operation's name; the permission for it is this behind `kms:`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GenerateDataKey => "GenerateDataKey",
            Self::Encrypt => "Encrypt",
            Self::Decrypt => "Decrypt",
        }
    }
}

/// Whether a caller may do something with a key.
#[derive(Debug)]
pub enum Permission {
    /// The service says that the request would have succeeded.
    Granted,
    /// The service does not say: it knows no dry run for this.
    Unknown(KeyServiceError),
    /// The service refused, or could not be asked.
    Refused(KeyServiceError),
}

impl AwsKms {
    /// Finds out whether the caller may do something with a key. The key is named as for any other request.
    pub async fn permission(&self, action: Action, key: &KeyId, context: &EncryptionContext) -> Permission {
        let (context, tokens) = (pairs(context), self.grant_tokens());
        // A service that takes no notice of the wish for a dry run has answered, and what it answered is dropped.
        let asked = match action {
            Action::GenerateDataKey => {
                let send = |client: Client, id| {
                    let request = client.generate_data_key().key_id(id).key_spec(DataKeySpec::Aes256).dry_run(true);
                    request.set_encryption_context(context).set_grant_tokens(tokens).send()
                };
                self.ask("GenerateDataKey", key, send, |_| Ok(())).await
            }
            Action::Encrypt => {
                let send = |client: Client, id| {
                    let request = client.encrypt().key_id(id).plaintext(Blob::new([0; DATA_KEY_LEN])).dry_run(true);
                    request.set_encryption_context(context).set_grant_tokens(tokens).send()
                };
                self.ask("Encrypt", key, send, |_| Ok(())).await
            }
            Action::Decrypt => {
                let send = |client: Client, id| {
                    let request = client.decrypt().key_id(id).dry_run(true);
                    let request = request.dry_run_modifiers(DryRunModifierType::IgnoreCiphertext);
                    request.set_encryption_context(context).set_grant_tokens(tokens).send()
                };
                self.ask("Decrypt", key, send, |_| Ok(())).await
            }
        };
        asked.map_or_else(judged, |()| Permission::Granted)
    }
}

/// What a refusal of a dry run says about the permission.
fn judged(error: KeyServiceError) -> Permission {
    match error.code() {
        ErrorCode::DryRunOperation => Permission::Granted,
        // Older services want a ciphertext even where none is looked at.
        ErrorCode::Validation | ErrorCode::InvalidCiphertext => Permission::Unknown(error),
        _ => Permission::Refused(error),
    }
}

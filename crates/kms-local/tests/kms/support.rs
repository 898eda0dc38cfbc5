//! A store in a directory of its own for each test.

use std::error::Error;
use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use serde_json::Value;
use tempfile::TempDir;
use waxseal_key_service::{EncryptionContext, KeyArn, KeyId, KeyServiceError};
use waxseal_kms_local::{
    CreateKeyRequest, CreateOptions, DataKeySpec, DecryptRequest, DecryptResponse, DisableKeyRequest, EncryptRequest,
    GenerateDataKeyRequest, GenerateDataKeyResponse, LocalKms, Passphrase, PassphraseCost, Region,
};
use zeroize::Zeroizing;

pub(crate) type Boxed = Box<dyn Error + Send + Sync>;

/// A store, sealed by a key file, and what is often needed of it.
pub(crate) struct Fixture {
    pub(crate) kms: LocalKms,
    pub(crate) region: Region,
    pub(crate) directory: PathBuf,
    pub(crate) dir: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("kms");
        let kms = LocalKms::create(&directory, &CreateOptions::default()).unwrap();
        Self { kms, region: Region::default(), directory, dir }
    }

    /// The store once more, as another process would open it.
    pub(crate) fn reopen(&self) -> LocalKms {
        LocalKms::open(&self.directory, &mut no_passphrase).unwrap()
    }

    pub(crate) fn default_key(&self) -> KeyArn {
        self.kms.default_key().unwrap().unwrap()
    }

    pub(crate) fn new_key(&self) -> KeyArn {
        self.kms.create_key(&CreateKeyRequest { region: &self.region, description: "" }).unwrap().arn
    }

    /// Performs an operation of the protocol in the fixture's region; an answer without a body is null.
    pub(crate) fn call(&self, operation: &str, body: Value) -> Result<Value, KeyServiceError> {
        let answer = self.kms.call(&self.region, operation, body.to_string().as_bytes())?;
        Ok(if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer).unwrap() })
    }

    /// The refusal of an operation as text, its code in front.
    pub(crate) fn refused(&self, operation: &str, body: Value) -> String {
        let shown = format!("{operation} {body}");
        self.call(operation, body).map(|answer| panic!("{shown} answers {answer}")).unwrap_err().to_string()
    }

    pub(crate) fn disable(&self, arn: &KeyArn) {
        let key_id = &KeyId::Arn(arn.clone());
        self.kms.disable_key(&DisableKeyRequest { region: &self.region, key_id }).unwrap();
    }
}

pub(crate) fn key(text: &str) -> KeyId {
    text.parse().unwrap()
}

/// The bytes of a blob in an answer.
pub(crate) fn base64(blob: &Value) -> Vec<u8> {
    Base64::decode_vec(blob.as_str().unwrap()).unwrap()
}

pub(crate) fn no_context() -> EncryptionContext {
    EncryptionContext::new()
}

pub(crate) fn context(pairs: &[&str]) -> EncryptionContext {
    EncryptionContext::from_pairs(pairs).unwrap()
}

/// Makes a 256-bit data key.
pub(crate) fn generate(
    kms: &LocalKms,
    key_id: &KeyId,
    encryption_context: &EncryptionContext,
) -> Result<GenerateDataKeyResponse, KeyServiceError> {
    kms.generate_data_key(&GenerateDataKeyRequest {
        region: &Region::default(),
        key_id,
        encryption_context,
        key_spec: Some(DataKeySpec::Aes256),
        number_of_bytes: None,
    })
}

pub(crate) fn encrypt(kms: &LocalKms, key_id: &KeyId, plaintext: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
    let encryption_context = &no_context();
    let request = EncryptRequest { region: &Region::default(), key_id, encryption_context, plaintext };
    kms.encrypt(&request).map(|response| response.ciphertext_blob)
}

pub(crate) fn decrypt(
    kms: &LocalKms,
    ciphertext_blob: &[u8],
    encryption_context: &EncryptionContext,
    key_id: Option<&KeyId>,
) -> Result<DecryptResponse, KeyServiceError> {
    kms.decrypt(&DecryptRequest { region: &Region::default(), ciphertext_blob, encryption_context, key_id })
}

/// A source for stores that need no passphrase.
pub(crate) fn no_passphrase() -> Result<Passphrase, Boxed> {
    Err("nobody was to be asked for a passphrase".into())
}

pub(crate) fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

pub(crate) fn cheap() -> PassphraseCost {
    PassphraseCost::new(64, 1, 1).unwrap()
}

/// The names in a directory, sorted.
pub(crate) fn names(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

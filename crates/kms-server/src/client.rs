//! The other end of a served KMS at a Unix socket: what uses it as if it had the store itself.
//!
//! Nothing is signed: the server asks the system whose process it is, and so does this end. A data key from a server of
//! somebody else's would be one that somebody else knows.

mod answer;
mod connection;

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value, json};
use waxseal_key_service::{
    DataKey, EncryptedDataKey, EncryptionContext, ErrorCode, GeneratedDataKey, KeyArn, KeyId, KeyService,
    KeyServiceError, Provider,
};
use waxseal_kms_local::Region;
use waxseal_kms_local::model::operation;
use zeroize::Zeroizing;

use self::answer::{Answer, wrong};
use self::connection::Connections;

/// The embedded KMS that a server of one's own serves at a Unix socket.
pub struct ServedKms {
    connections: Connections,
}

impl ServedKms {
    /// Takes the server at this socket. Nothing is sent.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { connections: Connections::to(path) }
    }

    /// The socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.connections.path()
    }

    /// Performs an operation as AWS KMS's JSON 1.1 protocol has it, in a region or in the store's home:
    /// see [`LocalKms::call`](waxseal_kms_local::LocalKms::call).
    ///
    /// # Errors
    /// Whatever the server answers; `Unreachable` if there is none; `AccessDeniedException` if it is somebody else's.
    pub async fn call(
        &self,
        region: Option<&Region>,
        operation: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
        self.connections.ask(region, operation, body).await
    }

    /// Asks for one of the operations that files need. A key ARN and an alias ARN name their region.
    async fn ask(&self, key: &KeyId, operation: &str, request: Request) -> Result<Answer, KeyServiceError> {
        let region = match key {
            KeyId::Id(_) | KeyId::Alias(_) => None,
            KeyId::Arn(arn) => Some(arn.region()),
            KeyId::AliasArn { region, .. } => Some(region.as_str()),
        };
        let region = region.map(str::parse).transpose().map_err(|_| {
            KeyServiceError::new(ErrorCode::NotFound, format!("Invalid arn {}", region.unwrap_or_default()))
        })?;
        self.call(region.as_ref(), operation, request.encode()).await.and_then(Answer::read)
    }
}

impl ServedKms {
    /// Has a data key encrypted under `to`.
    async fn re_encrypt(
        &self,
        encrypted: &EncryptedDataKey,
        to: &KeyArn,
        context: &EncryptionContext,
    ) -> Result<Answer, KeyServiceError> {
        if encrypted.provider != Provider::Local {
            return Err(KeyServiceError::bare(ErrorCode::IncorrectKey));
        }
        let (source, destination) = (KeyId::Arn(encrypted.key_arn.clone()), KeyId::Arn(to.clone()));
        let blob = Base64::encode_string(&encrypted.ciphertext_blob);
        let request = Request::about("SourceKeyId", &source, &EncryptionContext::new())
            .with("DestinationKeyId", destination.to_string().into())
            .with("CiphertextBlob", blob.into())
            .with_context("SourceEncryptionContext", context)
            .with_context("DestinationEncryptionContext", context);
        let answer = self.ask(&destination, "ReEncrypt", request).await?;
        answer.source_key(&source)?;
        Ok(answer)
    }
}

impl fmt::Debug for ServedKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedKms").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// A request for a data key, in the making.
struct Request {
    members: Map<String, Value>,
    secret: Option<(&'static str, Zeroizing<String>)>,
}

impl Request {
    fn about(member: &str, key: &KeyId, context: &EncryptionContext) -> Self {
        let request = Self { members: Map::new(), secret: None };
        request.with(member, key.to_string().into()).with_context("EncryptionContext", context)
    }

    fn with_context(self, member: &str, context: &EncryptionContext) -> Self {
        if context.is_empty() {
            return self;
        }
        let pairs: Map<String, Value> = context.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        self.with(member, pairs.into())
    }

    fn with(mut self, member: &str, value: Value) -> Self {
        self.members.insert(member.to_owned(), value);
        self
    }

    /// The request's JSON, in memory that is wiped.
    fn encode(self) -> Zeroizing<Vec<u8>> {
        let mut text = Value::Object(self.members).to_string().into_bytes();
        let Some((member, secret)) = self.secret else { return Zeroizing::new(text) };
        // Base64 needs no escapes.
        let mut body = Zeroizing::new(Vec::with_capacity(text.len() + member.len() + secret.len() + 8));
        text.pop();
        body.extend_from_slice(&text);
        for piece in [",\"", member, "\":\"", secret.as_str(), "\"}"] {
            body.extend_from_slice(piece.as_bytes());
        }
        body
    }
}

#[async_trait]
impl KeyService for ServedKms {
    fn provider(&self) -> Provider {
        Provider::Local
    }

    async fn resolve_key(&self, key: &KeyId) -> Result<KeyArn, KeyServiceError> {
        let request = Request::about("KeyId", key, &EncryptionContext::new());
        self.ask(key, "DescribeKey", request).await?.described_key(key)
    }

    async fn generate_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<GeneratedDataKey, KeyServiceError> {
        let request = Request::about("KeyId", key, context).with("KeySpec", json!("AES_256"));
        let answer = self.ask(key, "GenerateDataKey", request).await?;
        Ok(GeneratedDataKey { plaintext: answer.data_key()?, encrypted: answer.encrypted_data_key(key)? })
    }

    async fn generate_data_key_without_plaintext(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        let request = Request::about("KeyId", key, context).with("KeySpec", json!("AES_256"));
        self.ask(key, "GenerateDataKeyWithoutPlaintext", request).await?.encrypted_data_key(key)
    }

    async fn encrypt_data_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        data_key: &DataKey,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        let mut request = Request::about("KeyId", key, context);
        request.secret = Some(("Plaintext", Zeroizing::new(Base64::encode_string(data_key.expose()))));
        self.ask(key, "Encrypt", request).await?.encrypted_data_key(key)
    }

    async fn decrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<DataKey, KeyServiceError> {
        if encrypted.provider != Provider::Local {
            return Err(KeyServiceError::bare(ErrorCode::IncorrectKey));
        }
        let key = KeyId::Arn(encrypted.key_arn.clone());
        let blob = Base64::encode_string(&encrypted.ciphertext_blob);
        let request = Request::about("KeyId", &key, context).with("CiphertextBlob", blob.into());
        let answer = self.ask(&key, "Decrypt", request).await?;
        answer.key(&key)?;
        answer.data_key()
    }

    async fn re_encrypt_data_key(
        &self,
        encrypted: &EncryptedDataKey,
        to: &KeyArn,
        context: &EncryptionContext,
    ) -> Result<EncryptedDataKey, KeyServiceError> {
        self.re_encrypt(encrypted, to, context).await?.encrypted_data_key(&KeyId::Arn(to.clone()))
    }

    /// The answer to a ReEncrypt under its own key names both versions.
    async fn is_stale(
        &self,
        encrypted: &EncryptedDataKey,
        context: &EncryptionContext,
    ) -> Result<bool, KeyServiceError> {
        self.re_encrypt(encrypted, &encrypted.key_arn, context).await?.is_renewed()
    }
}

/// The operation of this name, which is one of the service model.
fn known(name: &str) -> Result<&'static str, KeyServiceError> {
    let found = operation(name).map(|operation| operation.name);
    found.ok_or_else(|| KeyServiceError::bare(ErrorCode::UnknownOperation))
}

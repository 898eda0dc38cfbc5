//! GenerateDataKeyPair (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyPair.html>).

use std::sync::Arc;

use waxseal_key_service::{KeyArn, KeyServiceError};

use crate::key::KeySpec;
use crate::key_pair::KeyPair;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments, Object};
use crate::refusals;
use crate::region::Region;

/// A data key pair, and its private key encrypted.
pub(super) struct Generated {
    pair: KeyPair,
    spec: KeySpec,
    private_key_ciphertext_blob: Vec<u8>,
    key_id: KeyArn,
    key_material_id: Arc<str>,
}

/// Answers the protocol's request.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let generated = generate(kms, region, arguments, "GenerateDataKeyPair")?;
    Ok(Answer::of(|answer| {
        answer.bytes("PrivateKeyCiphertextBlob", &generated.private_key_ciphertext_blob);
        answer.bytes("PrivateKeyPlaintext", &generated.pair.private);
        generated.write_rest(answer);
    }))
}

/// Makes a key pair, and encrypts its private key under the key of the request.
pub(super) fn generate(
    kms: &LocalKms,
    region: &Region,
    arguments: &Arguments<'_>,
    operation: &str,
) -> Result<Generated, KeyServiceError> {
    let name = arguments.required_text("KeyPairSpec");
    let spec = KeySpec::from_name(name).ok_or_else(|| refusals::unsupported(&format!("KeyPairSpec {name}")))?;
    let context = arguments.context("EncryptionContext")?;
    let with = kms.encrypting(region, &arguments.key("KeyId")?, &context, operation)?;
    let pair = KeyPair::generate(spec)?.ok_or_else(|| refusals::unsupported(&format!("KeyPairSpec {name}")))?;
    Ok(Generated {
        private_key_ciphertext_blob: with.encrypt(&context, &pair.private)?,
        pair,
        spec,
        key_id: with.key.metadata.arn.clone(),
        key_material_id: Arc::clone(&with.material.id),
    })
}

impl Generated {
    /// The encrypted private key.
    pub(super) fn ciphertext_blob(&self) -> &[u8] {
        &self.private_key_ciphertext_blob
    }

    /// Writes everything but the private key.
    pub(super) fn write_rest(&self, answer: &mut Object<'_>) {
        answer.bytes("PublicKey", &self.pair.public);
        answer.text("KeyId", self.key_id.as_str());
        answer.text("KeyPairSpec", self.spec.as_str());
        answer.text("KeyMaterialId", &self.key_material_id);
    }
}

//! KeyMetadata (<https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html>) on the wire.

use waxseal_key_service::LOCAL_ACCOUNT;

use super::SYMMETRIC_DEFAULT;
use crate::key::{KeyMetadata, KeySpec, KeyUsage};
use crate::protocol::Object;

/// Writes what DescribeKey and CreateKey show of a key. What a key does not have is absent.
pub(super) fn write(object: &mut Object<'_>, metadata: &KeyMetadata) {
    object.text("AWSAccountId", LOCAL_ACCOUNT);
    object.text("KeyId", metadata.arn.key_id());
    object.text("Arn", metadata.arn.as_str());
    object.time("CreationDate", metadata.creation_date);
    object.flag("Enabled", metadata.enabled());
    object.text("Description", &metadata.description);
    object.text("KeyUsage", metadata.key_usage.as_str());
    object.text("KeyState", metadata.key_state.as_str());
    if let Some(date) = metadata.deletion_date {
        object.time("DeletionDate", date);
    }
    object.text("Origin", metadata.origin.as_str());
    object.text("KeyManager", "CUSTOMER");
    object.text("CustomerMasterKeySpec", metadata.key_spec.as_str());
    object.text("KeySpec", metadata.key_spec.as_str());
    write_algorithms(object, metadata);
    object.flag("MultiRegion", false);
    // Only keys that rotate have more than one material to tell apart.
    if metadata.key_spec == KeySpec::SymmetricDefault {
        object.text("CurrentKeyMaterialId", &metadata.current_key_material_id);
    }
}

/// Writes the algorithms that a key can be used with.
pub(super) fn write_algorithms(object: &mut Object<'_>, metadata: &KeyMetadata) {
    let name = match metadata.key_usage {
        KeyUsage::EncryptDecrypt => "EncryptionAlgorithms",
        KeyUsage::SignVerify => "SigningAlgorithms",
        KeyUsage::KeyAgreement => "KeyAgreementAlgorithms",
    };
    object.texts(name, algorithms(metadata.key_spec, metadata.key_usage).iter().copied());
}

/// The algorithms of AWS KMS for keys of this spec and usage, in its order; none means that the two do not go together.
pub(super) fn algorithms(spec: KeySpec, usage: KeyUsage) -> &'static [&'static str] {
    use KeySpec::{
        EccNistEdwards25519, EccNistP256, EccNistP384, EccNistP521, EccSecgP256k1, Rsa2048, Rsa3072, Rsa4096,
        SymmetricDefault,
    };
    use KeyUsage::{EncryptDecrypt, KeyAgreement, SignVerify};
    match (spec, usage) {
        (SymmetricDefault, EncryptDecrypt) => &[SYMMETRIC_DEFAULT],
        (Rsa2048 | Rsa3072 | Rsa4096, EncryptDecrypt) => &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"],
        (Rsa2048 | Rsa3072 | Rsa4096, SignVerify) => &[
            "RSASSA_PKCS1_V1_5_SHA_256",
            "RSASSA_PKCS1_V1_5_SHA_384",
            "RSASSA_PKCS1_V1_5_SHA_512",
            "RSASSA_PSS_SHA_256",
            "RSASSA_PSS_SHA_384",
            "RSASSA_PSS_SHA_512",
        ],
        (EccNistP256 | EccSecgP256k1, SignVerify) => &["ECDSA_SHA_256"],
        (EccNistP384, SignVerify) => &["ECDSA_SHA_384"],
        (EccNistP521, SignVerify) => &["ECDSA_SHA_512"],
        (EccNistEdwards25519, SignVerify) => &["ED25519_SHA_512", "ED25519_PH_SHA_512"],
        (EccNistP256 | EccNistP384 | EccNistP521, KeyAgreement) => &["ECDH"],
        (SymmetricDefault, SignVerify | KeyAgreement)
        | (Rsa2048 | Rsa3072 | Rsa4096 | EccSecgP256k1 | EccNistEdwards25519, KeyAgreement)
        | (EccNistP256 | EccNistP384 | EccNistP521 | EccSecgP256k1 | EccNistEdwards25519, EncryptDecrypt) => &[],
    }
}

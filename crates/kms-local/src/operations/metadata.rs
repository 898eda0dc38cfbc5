//! KeyMetadata (<https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html>) on the wire.

use waxseal_key_service::LOCAL_ACCOUNT;

use super::SYMMETRIC_DEFAULT;
use crate::key::KeyMetadata;
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
    object.texts("EncryptionAlgorithms", [SYMMETRIC_DEFAULT]);
    object.flag("MultiRegion", false);
    object.text("CurrentKeyMaterialId", &metadata.current_key_material_id);
}

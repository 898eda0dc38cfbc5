//! Texts of which one is to be chosen, in the order of the service model.

use crate::model::Shape;

pub(crate) static ALGORITHM_SPEC: Shape = Shape::Enum {
    values: &[
        "RSAES_PKCS1_V1_5",
        "RSAES_OAEP_SHA_1",
        "RSAES_OAEP_SHA_256",
        "RSA_AES_KEY_WRAP_SHA_1",
        "RSA_AES_KEY_WRAP_SHA_256",
        "SM2PKE",
    ],
};
pub(crate) static CONNECTION_ERROR_CODE: Shape = Shape::Enum {
    values: &[
        "INVALID_CREDENTIALS",
        "CLUSTER_NOT_FOUND",
        "NETWORK_ERRORS",
        "INTERNAL_ERROR",
        "INSUFFICIENT_CLOUDHSM_HSMS",
        "USER_LOCKED_OUT",
        "USER_NOT_FOUND",
        "USER_LOGGED_IN",
        "SUBNET_NOT_FOUND",
        "INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET",
        "XKS_PROXY_ACCESS_DENIED",
        "XKS_PROXY_NOT_REACHABLE",
        "XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND",
        "XKS_PROXY_INVALID_RESPONSE",
        "XKS_PROXY_INVALID_CONFIGURATION",
        "XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION",
        "XKS_PROXY_TIMED_OUT",
        "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    ],
};
pub(crate) static CONNECTION_STATE: Shape =
    Shape::Enum { values: &["CONNECTED", "CONNECTING", "FAILED", "DISCONNECTED", "DISCONNECTING"] };
pub(crate) static CUSTOMER_MASTER_KEY_SPEC: Shape = Shape::Enum {
    values: &[
        "RSA_2048",
        "RSA_3072",
        "RSA_4096",
        "ECC_NIST_P256",
        "ECC_NIST_P384",
        "ECC_NIST_P521",
        "ECC_SECG_P256K1",
        "SYMMETRIC_DEFAULT",
        "HMAC_224",
        "HMAC_256",
        "HMAC_384",
        "HMAC_512",
        "SM2",
    ],
};
pub(crate) static CUSTOM_KEY_STORE: Shape = Shape::Enum { values: &["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"] };
pub(crate) static DATA_KEY_PAIR_SPEC: Shape = Shape::Enum {
    values: &[
        "RSA_2048",
        "RSA_3072",
        "RSA_4096",
        "ECC_NIST_P256",
        "ECC_NIST_P384",
        "ECC_NIST_P521",
        "ECC_SECG_P256K1",
        "SM2",
        "ECC_NIST_EDWARDS25519",
        "ML_KEM_512",
        "ML_KEM_768",
        "ML_KEM_1024",
    ],
};
pub(crate) static DATA_KEY_SPEC: Shape = Shape::Enum { values: &["AES_256", "AES_128"] };
pub(crate) static DRY_RUN_MODIFIER: Shape = Shape::Enum { values: &["IGNORE_CIPHERTEXT"] };
pub(crate) static ENCAPSULATION_ALGORITHM_SPEC: Shape = Shape::Enum { values: &["ML_KEM"] };
pub(crate) static ENCRYPTION_ALGORITHM_SPEC: Shape =
    Shape::Enum { values: &["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"] };
pub(crate) static EXPIRATION_MODEL: Shape =
    Shape::Enum { values: &["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"] };
pub(crate) static GRANT_OPERATION: Shape = Shape::Enum {
    values: &[
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "Sign",
        "Verify",
        "GetPublicKey",
        "CreateGrant",
        "RetireGrant",
        "DescribeKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateMac",
        "VerifyMac",
        "DeriveSharedSecret",
        "Encapsulate",
        "Decapsulate",
    ],
};
pub(crate) static IMPORT: Shape = Shape::Enum { values: &["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"] };
pub(crate) static IMPORT_STATE: Shape = Shape::Enum { values: &["IMPORTED", "PENDING_IMPORT"] };
pub(crate) static INCLUDE_KEY_MATERIAL: Shape = Shape::Enum { values: &["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"] };
pub(crate) static KEY_AGREEMENT_ALGORITHM_SPEC: Shape = Shape::Enum { values: &["ECDH"] };
pub(crate) static KEY_ENCRYPTION_MECHANISM: Shape = Shape::Enum { values: &["RSAES_OAEP_SHA_256"] };
pub(crate) static KEY_LAST_USAGE_TRACKING_OPERATION: Shape = Shape::Enum {
    values: &[
        "Decrypt",
        "DeriveSharedSecret",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "ReEncrypt",
        "Sign",
        "Verify",
        "VerifyMac",
        "Encapsulate",
        "Decapsulate",
    ],
};
pub(crate) static KEY_MANAGER: Shape = Shape::Enum { values: &["AWS", "CUSTOMER"] };
pub(crate) static KEY_MATERIAL_STATE: Shape =
    Shape::Enum { values: &["NON_CURRENT", "CURRENT", "PENDING_ROTATION", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"] };
pub(crate) static KEY_SPEC: Shape = Shape::Enum {
    values: &[
        "RSA_2048",
        "RSA_3072",
        "RSA_4096",
        "ECC_NIST_P256",
        "ECC_NIST_P384",
        "ECC_NIST_P521",
        "ECC_SECG_P256K1",
        "SYMMETRIC_DEFAULT",
        "HMAC_224",
        "HMAC_256",
        "HMAC_384",
        "HMAC_512",
        "SM2",
        "ML_DSA_44",
        "ML_DSA_65",
        "ML_DSA_87",
        "ECC_NIST_EDWARDS25519",
        "ML_KEM_512",
        "ML_KEM_768",
        "ML_KEM_1024",
    ],
};
pub(crate) static KEY_STATE: Shape = Shape::Enum {
    values: &[
        "Creating",
        "Enabled",
        "Disabled",
        "PendingDeletion",
        "PendingImport",
        "PendingReplicaDeletion",
        "Unavailable",
        "Updating",
    ],
};
pub(crate) static KEY_USAGE: Shape = Shape::Enum {
    values: &["SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"],
};
pub(crate) static MAC_ALGORITHM_SPEC: Shape =
    Shape::Enum { values: &["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"] };
pub(crate) static MESSAGE: Shape = Shape::Enum { values: &["RAW", "DIGEST", "EXTERNAL_MU"] };
pub(crate) static MULTI_REGION_KEY_TYPE: Shape = Shape::Enum { values: &["PRIMARY", "REPLICA"] };
pub(crate) static ORIGIN: Shape =
    Shape::Enum { values: &["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"] };
pub(crate) static RESOURCE_OWNER: Shape = Shape::Enum { values: &["SELF", "OTHER_ACCOUNTS_VIA_RAM"] };
pub(crate) static ROTATION: Shape = Shape::Enum { values: &["AUTOMATIC", "ON_DEMAND"] };
pub(crate) static SIGNING_ALGORITHM_SPEC: Shape = Shape::Enum {
    values: &[
        "RSASSA_PSS_SHA_256",
        "RSASSA_PSS_SHA_384",
        "RSASSA_PSS_SHA_512",
        "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384",
        "RSASSA_PKCS1_V1_5_SHA_512",
        "ECDSA_SHA_256",
        "ECDSA_SHA_384",
        "ECDSA_SHA_512",
        "SM2DSA",
        "ML_DSA_SHAKE_256",
        "ED25519_SHA_512",
        "ED25519_PH_SHA_512",
    ],
};
pub(crate) static WRAPPING_KEY_SPEC: Shape = Shape::Enum { values: &["RSA_2048", "RSA_3072", "RSA_4096", "SM2"] };
pub(crate) static XKS_PROXY_CONNECTIVITY: Shape = Shape::Enum { values: &["PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE"] };

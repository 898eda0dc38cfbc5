//! Bytes, texts and numbers with their bounds.

use crate::model::{Pattern, Shape};

/// The bound of what has none.
const UNBOUNDED: usize = usize::MAX;

/// A text of that many characters.
const fn text(min: usize, max: usize) -> Shape {
    Shape::Text { min, max, pattern: None, sensitive: false }
}

/// A text of that many characters that matches a pattern.
const fn pattern(min: usize, max: usize, pattern: &'static str) -> Shape {
    Shape::Text { min, max, pattern: Some(Pattern(pattern)), sensitive: false }
}

/// The same text, not to be shown.
const fn sensitive(shape: Shape) -> Shape {
    match shape {
        Shape::Text { min, max, pattern, .. } => Shape::Text { min, max, pattern, sensitive: true },
        other => other,
    }
}

pub(crate) static ACCOUNT_ID: Shape = pattern(12, 12, "[0-9]{12}");
pub(crate) static ALIAS_NAME: Shape = pattern(1, 256, "^[a-zA-Z0-9:/_-]+$");
pub(crate) static ARN: Shape = text(20, 2048);
pub(crate) static ATTESTATION_DOCUMENT: Shape = Shape::Blob { min: 1, max: 262144, sensitive: false };
pub(crate) static AWS_ACCOUNT_ID: Shape = text(0, UNBOUNDED);
pub(crate) static BACKING_KEY_ID: Shape = pattern(64, 64, "^[a-f0-9]+$");
pub(crate) static BACKING_KEY_ID_RESPONSE: Shape = pattern(0, 64, "^[a-f0-9]+$");
pub(crate) static BOOLEAN: Shape = Shape::Boolean;
pub(crate) static CIPHERTEXT: Shape = Shape::Blob { min: 1, max: 6144, sensitive: false };
pub(crate) static CLOUD_HSM_CLUSTER_ID: Shape = pattern(19, 24, "cluster-[2-7a-zA-Z]{11,16}");
pub(crate) static CLOUD_TRAIL_EVENT_ID: Shape = text(0, UNBOUNDED);
pub(crate) static CUSTOM_KEY_STORE_ID: Shape = text(1, 64);
pub(crate) static CUSTOM_KEY_STORE_NAME: Shape = text(1, 256);
pub(crate) static DATE: Shape = Shape::Timestamp;
pub(crate) static DESCRIPTION: Shape = text(0, 8192);
pub(crate) static ENCRYPTION_CONTEXT_KEY: Shape = text(0, UNBOUNDED);
pub(crate) static ENCRYPTION_CONTEXT_VALUE: Shape = text(0, UNBOUNDED);
pub(crate) static GRANT_CONSTRAINT_SOURCE_ARN: Shape =
    pattern(20, 512, "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$");
pub(crate) static GRANT_ID: Shape = text(1, 128);
pub(crate) static GRANT_NAME: Shape = pattern(1, 256, "^[a-zA-Z0-9:/_-]+$");
pub(crate) static GRANT_TOKEN: Shape = text(1, 8192);
pub(crate) static KEY_ID: Shape = text(1, 2048);
pub(crate) static KEY_MATERIAL_DESCRIPTION: Shape = pattern(0, 256, r"^[a-zA-Z0-9:/_\s.-]+$");
pub(crate) static KEY_STORE_PASSWORD: Shape = sensitive(text(7, 32));
pub(crate) static KMS_REQUEST_ID: Shape = text(0, UNBOUNDED);
pub(crate) static LIMIT: Shape = Shape::Integer { min: 1, max: 1000 };
pub(crate) static MARKER: Shape = pattern(1, 1024, r"[\u0020-\u00FF]*");
pub(crate) static NUMBER_OF_BYTES: Shape = Shape::Integer { min: 1, max: 1024 };
pub(crate) static PENDING_WINDOW_IN_DAYS: Shape = Shape::Integer { min: 1, max: 365 };
pub(crate) static PLAINTEXT: Shape = Shape::Blob { min: 1, max: 4096, sensitive: true };
pub(crate) static POLICY: Shape = pattern(1, 131072, r"[\u0009\u000A\u000D\u0020-\u00FF]+");
pub(crate) static POLICY_NAME: Shape = pattern(1, 128, r"[\w]+");
pub(crate) static PRINCIPAL_ID: Shape = pattern(1, 256, r"^[\w+=,.@:/-]+$");
pub(crate) static PUBLIC_KEY: Shape = Shape::Blob { min: 1, max: 8192, sensitive: false };
pub(crate) static REGION: Shape = pattern(1, 32, r"^([a-z]+-){2,3}\d+$");
pub(crate) static ROTATION_PERIOD_IN_DAYS: Shape = Shape::Integer { min: 90, max: 2560 };
pub(crate) static SERVICE_PRINCIPAL: Shape =
    pattern(1, 128, r"^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$");
pub(crate) static TAG_KEY: Shape = text(1, 128);
pub(crate) static TAG_VALUE: Shape = text(0, 256);
pub(crate) static TRUST_ANCHOR_CERTIFICATE: Shape = text(1, 5000);
pub(crate) static XKS_KEY_ID: Shape = pattern(1, 128, "^[a-zA-Z0-9-_.]+$");
pub(crate) static XKS_PROXY_AUTHENTICATION_ACCESS_KEY_ID: Shape = sensitive(pattern(20, 30, "^[A-Z2-7]+$"));
pub(crate) static XKS_PROXY_AUTHENTICATION_RAW_SECRET_ACCESS_KEY: Shape =
    sensitive(pattern(43, 64, r"^[a-zA-Z0-9\/+=]+$"));
pub(crate) static XKS_PROXY_URI_ENDPOINT: Shape = pattern(10, 128, "^https://[a-zA-Z0-9.-]+$");
pub(crate) static XKS_PROXY_URI_PATH: Shape =
    pattern(10, 128, r"^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$");
pub(crate) static XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME: Shape =
    pattern(20, 64, r"^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$");

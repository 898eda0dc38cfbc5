//! Lists, maps and structures.

use super::{enums::*, scalars::*};
use crate::model::Shape;

/// A list of any length.
const fn list(member: &'static Shape) -> Shape {
    Shape::List { member, min: 0, max: usize::MAX }
}

pub(crate) static ALIAS_LIST: Shape = list(&ALIAS_LIST_ENTRY);
pub(crate) static ALIAS_LIST_ENTRY: Shape = Shape::Structure(members![
    MAY AliasName: ALIAS_NAME, MAY AliasArn: ARN, MAY TargetKeyId: KEY_ID, MAY CreationDate: DATE,
    MAY LastUpdatedDate: DATE,
]);
pub(crate) static CUSTOM_KEY_STORES_LIST: Shape = list(&CUSTOM_KEY_STORES_LIST_ENTRY);
pub(crate) static CUSTOM_KEY_STORES_LIST_ENTRY: Shape = Shape::Structure(members![
    MAY CustomKeyStoreId: CUSTOM_KEY_STORE_ID, MAY CustomKeyStoreName: CUSTOM_KEY_STORE_NAME,
    MAY CloudHsmClusterId: CLOUD_HSM_CLUSTER_ID, MAY TrustAnchorCertificate: TRUST_ANCHOR_CERTIFICATE,
    MAY ConnectionState: CONNECTION_STATE, MAY ConnectionErrorCode: CONNECTION_ERROR_CODE, MAY CreationDate: DATE,
    MAY CustomKeyStoreType: CUSTOM_KEY_STORE, MAY XksProxyConfiguration: XKS_PROXY_CONFIGURATION,
]);
pub(crate) static DRY_RUN_MODIFIER_LIST: Shape = list(&DRY_RUN_MODIFIER);
pub(crate) static ENCAPSULATION_ALGORITHM_SPEC_LIST: Shape = list(&ENCAPSULATION_ALGORITHM_SPEC);
pub(crate) static ENCRYPTION_ALGORITHM_SPEC_LIST: Shape = list(&ENCRYPTION_ALGORITHM_SPEC);
pub(crate) static ENCRYPTION_CONTEXT: Shape =
    Shape::Map { key: &ENCRYPTION_CONTEXT_KEY, value: &ENCRYPTION_CONTEXT_VALUE };
pub(crate) static GRANT_CONSTRAINTS: Shape = Shape::Structure(members![
    MAY EncryptionContextSubset: ENCRYPTION_CONTEXT, MAY EncryptionContextEquals: ENCRYPTION_CONTEXT,
    MAY SourceArn: GRANT_CONSTRAINT_SOURCE_ARN,
]);
pub(crate) static GRANT_LIST: Shape = list(&GRANT_LIST_ENTRY);
pub(crate) static GRANT_LIST_ENTRY: Shape = Shape::Structure(members![
    MAY KeyId: KEY_ID, MAY GrantId: GRANT_ID, MAY Name: GRANT_NAME, MAY CreationDate: DATE,
    MAY GranteePrincipal: PRINCIPAL_ID, MAY RetiringPrincipal: PRINCIPAL_ID, MAY IssuingAccount: PRINCIPAL_ID,
    MAY Operations: GRANT_OPERATION_LIST, MAY Constraints: GRANT_CONSTRAINTS,
    MAY GranteeServicePrincipal: SERVICE_PRINCIPAL, MAY RetiringServicePrincipal: SERVICE_PRINCIPAL,
]);
pub(crate) static GRANT_OPERATION_LIST: Shape = list(&GRANT_OPERATION);
pub(crate) static GRANT_TOKEN_LIST: Shape = Shape::List { member: &GRANT_TOKEN, min: 0, max: 10 };
pub(crate) static KEY_AGREEMENT_ALGORITHM_SPEC_LIST: Shape = list(&KEY_AGREEMENT_ALGORITHM_SPEC);
pub(crate) static KEY_LAST_USAGE_DATA: Shape = Shape::Structure(members![
    MAY Operation: KEY_LAST_USAGE_TRACKING_OPERATION, MAY Timestamp: DATE,
    MAY CloudTrailEventId: CLOUD_TRAIL_EVENT_ID, MAY KmsRequestId: KMS_REQUEST_ID,
]);
pub(crate) static KEY_LIST: Shape = list(&KEY_LIST_ENTRY);
pub(crate) static KEY_LIST_ENTRY: Shape = Shape::Structure(members![MAY KeyId: KEY_ID, MAY KeyArn: ARN]);
pub(crate) static KEY_METADATA: Shape = Shape::Structure(members![
    MAY AWSAccountId: AWS_ACCOUNT_ID, MUST KeyId: KEY_ID, MAY Arn: ARN, MAY CreationDate: DATE, MAY Enabled: BOOLEAN,
    MAY Description: DESCRIPTION, MAY KeyUsage: KEY_USAGE, MAY KeyState: KEY_STATE, MAY DeletionDate: DATE,
    MAY ValidTo: DATE, MAY Origin: ORIGIN, MAY CustomKeyStoreId: CUSTOM_KEY_STORE_ID,
    MAY CloudHsmClusterId: CLOUD_HSM_CLUSTER_ID, MAY ExpirationModel: EXPIRATION_MODEL, MAY KeyManager: KEY_MANAGER,
    MAY CustomerMasterKeySpec: CUSTOMER_MASTER_KEY_SPEC, MAY KeySpec: KEY_SPEC,
    MAY EncryptionAlgorithms: ENCRYPTION_ALGORITHM_SPEC_LIST, MAY SigningAlgorithms: SIGNING_ALGORITHM_SPEC_LIST,
    MAY KeyAgreementAlgorithms: KEY_AGREEMENT_ALGORITHM_SPEC_LIST,
    MAY EncapsulationAlgorithms: ENCAPSULATION_ALGORITHM_SPEC_LIST, MAY MultiRegion: BOOLEAN,
    MAY MultiRegionConfiguration: MULTI_REGION_CONFIGURATION,
    MAY PendingDeletionWindowInDays: PENDING_WINDOW_IN_DAYS, MAY MacAlgorithms: MAC_ALGORITHM_SPEC_LIST,
    MAY XksKeyConfiguration: XKS_KEY_CONFIGURATION, MAY CurrentKeyMaterialId: BACKING_KEY_ID,
]);
pub(crate) static MAC_ALGORITHM_SPEC_LIST: Shape = list(&MAC_ALGORITHM_SPEC);
pub(crate) static MULTI_REGION_CONFIGURATION: Shape = Shape::Structure(members![
    MAY MultiRegionKeyType: MULTI_REGION_KEY_TYPE, MAY PrimaryKey: MULTI_REGION_KEY,
    MAY ReplicaKeys: MULTI_REGION_KEY_LIST,
]);
pub(crate) static MULTI_REGION_KEY: Shape = Shape::Structure(members![MAY Arn: ARN, MAY Region: REGION]);
pub(crate) static MULTI_REGION_KEY_LIST: Shape = list(&MULTI_REGION_KEY);
pub(crate) static POLICY_NAME_LIST: Shape = list(&POLICY_NAME);
pub(crate) static RECIPIENT: Shape = Shape::Structure(members![
    MAY KeyEncryptionAlgorithm: KEY_ENCRYPTION_MECHANISM, MAY AttestationDocument: ATTESTATION_DOCUMENT,
]);
pub(crate) static RESOURCE_OWNERS_LIST: Shape = Shape::List { member: &RESOURCE_OWNER, min: 1, max: 2 };
pub(crate) static ROTATIONS_LIST: Shape = list(&ROTATIONS_LIST_ENTRY);
pub(crate) static ROTATIONS_LIST_ENTRY: Shape = Shape::Structure(members![
    MAY KeyId: KEY_ID, MAY KeyMaterialId: BACKING_KEY_ID, MAY KeyMaterialDescription: KEY_MATERIAL_DESCRIPTION,
    MAY ImportState: IMPORT_STATE, MAY KeyMaterialState: KEY_MATERIAL_STATE, MAY ExpirationModel: EXPIRATION_MODEL,
    MAY ValidTo: DATE, MAY RotationDate: DATE, MAY RotationType: ROTATION,
]);
pub(crate) static SIGNING_ALGORITHM_SPEC_LIST: Shape = list(&SIGNING_ALGORITHM_SPEC);
pub(crate) static TAG: Shape = Shape::Structure(members![MUST TagKey: TAG_KEY, MUST TagValue: TAG_VALUE]);
pub(crate) static TAG_KEY_LIST: Shape = list(&TAG_KEY);
pub(crate) static TAG_LIST: Shape = list(&TAG);
pub(crate) static XKS_KEY_CONFIGURATION: Shape = Shape::Structure(members![MAY Id: XKS_KEY_ID]);
pub(crate) static XKS_PROXY_AUTHENTICATION_CREDENTIAL: Shape = Shape::Structure(members![
    MUST AccessKeyId: XKS_PROXY_AUTHENTICATION_ACCESS_KEY_ID,
    MUST RawSecretAccessKey: XKS_PROXY_AUTHENTICATION_RAW_SECRET_ACCESS_KEY,
]);
pub(crate) static XKS_PROXY_CONFIGURATION: Shape = Shape::Structure(members![
    MAY Connectivity: XKS_PROXY_CONNECTIVITY, MAY AccessKeyId: XKS_PROXY_AUTHENTICATION_ACCESS_KEY_ID,
    MAY UriEndpoint: XKS_PROXY_URI_ENDPOINT, MAY UriPath: XKS_PROXY_URI_PATH,
    MAY VpcEndpointServiceName: XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME, MAY VpcEndpointServiceOwner: ACCOUNT_ID,
]);

//! Operations on keys: what they are, their names, tags and policies.

operations! {
    CreateKey
        takes {
            MAY Policy: POLICY, MAY Description: DESCRIPTION, MAY KeyUsage: KEY_USAGE,
            MAY CustomerMasterKeySpec: CUSTOMER_MASTER_KEY_SPEC, MAY KeySpec: KEY_SPEC, MAY Origin: ORIGIN,
            MAY CustomKeyStoreId: CUSTOM_KEY_STORE_ID, MAY BypassPolicyLockoutSafetyCheck: BOOLEAN,
            MAY Tags: TAG_LIST, MAY MultiRegion: BOOLEAN, MAY XksKeyId: XKS_KEY_ID,
        }
        gives { MAY KeyMetadata: KEY_METADATA };
    DescribeKey
        takes { MUST KeyId: KEY_ID, MAY GrantTokens: GRANT_TOKEN_LIST }
        gives { MAY KeyMetadata: KEY_METADATA };
    ListKeys pages Keys
        takes { MAY Limit: LIMIT, MAY Marker: MARKER, MAY ResourceOwners: RESOURCE_OWNERS_LIST }
        gives { MAY Keys: KEY_LIST, MAY NextMarker: MARKER, MAY Truncated: BOOLEAN };
    UpdateKeyDescription
        takes { MUST KeyId: KEY_ID, MUST Description: DESCRIPTION }
        gives {};
    EnableKey
        takes { MUST KeyId: KEY_ID }
        gives {};
    DisableKey
        takes { MUST KeyId: KEY_ID }
        gives {};
    ScheduleKeyDeletion
        takes { MUST KeyId: KEY_ID, MAY PendingWindowInDays: PENDING_WINDOW_IN_DAYS }
        gives {
            MAY KeyId: KEY_ID, MAY DeletionDate: DATE, MAY KeyState: KEY_STATE,
            MAY PendingWindowInDays: PENDING_WINDOW_IN_DAYS,
        };
    CancelKeyDeletion
        takes { MUST KeyId: KEY_ID }
        gives { MAY KeyId: KEY_ID };
    GetPublicKey
        takes { MUST KeyId: KEY_ID, MAY GrantTokens: GRANT_TOKEN_LIST }
        gives {
            MAY KeyId: KEY_ID, MAY PublicKey: PUBLIC_KEY, MAY CustomerMasterKeySpec: CUSTOMER_MASTER_KEY_SPEC,
            MAY KeySpec: KEY_SPEC, MAY KeyUsage: KEY_USAGE, MAY EncryptionAlgorithms: ENCRYPTION_ALGORITHM_SPEC_LIST,
            MAY SigningAlgorithms: SIGNING_ALGORITHM_SPEC_LIST,
            MAY KeyAgreementAlgorithms: KEY_AGREEMENT_ALGORITHM_SPEC_LIST,
            MAY EncapsulationAlgorithms: ENCAPSULATION_ALGORITHM_SPEC_LIST,
        };
    GetKeyLastUsage
        takes { MUST KeyId: KEY_ID }
        gives {
            MAY KeyId: KEY_ID, MAY KeyLastUsage: KEY_LAST_USAGE_DATA, MAY TrackingStartDate: DATE,
            MAY KeyCreationDate: DATE,
        };
    CreateAlias
        takes { MUST AliasName: ALIAS_NAME, MUST TargetKeyId: KEY_ID }
        gives {};
    UpdateAlias
        takes { MUST AliasName: ALIAS_NAME, MUST TargetKeyId: KEY_ID }
        gives {};
    DeleteAlias
        takes { MUST AliasName: ALIAS_NAME }
        gives {};
    ListAliases pages Aliases
        takes { MAY KeyId: KEY_ID, MAY Limit: LIMIT, MAY Marker: MARKER }
        gives { MAY Aliases: ALIAS_LIST, MAY NextMarker: MARKER, MAY Truncated: BOOLEAN };
    TagResource
        takes { MUST KeyId: KEY_ID, MUST Tags: TAG_LIST }
        gives {};
    UntagResource
        takes { MUST KeyId: KEY_ID, MUST TagKeys: TAG_KEY_LIST }
        gives {};
    ListResourceTags pages Tags
        takes { MUST KeyId: KEY_ID, MAY Limit: LIMIT, MAY Marker: MARKER }
        gives { MAY Tags: TAG_LIST, MAY NextMarker: MARKER, MAY Truncated: BOOLEAN };
    GetKeyPolicy
        takes { MUST KeyId: KEY_ID, MAY PolicyName: POLICY_NAME }
        gives { MAY Policy: POLICY, MAY PolicyName: POLICY_NAME };
    PutKeyPolicy
        takes {
            MUST KeyId: KEY_ID, MAY PolicyName: POLICY_NAME, MUST Policy: POLICY,
            MAY BypassPolicyLockoutSafetyCheck: BOOLEAN,
        }
        gives {};
    ListKeyPolicies pages PolicyNames
        takes { MUST KeyId: KEY_ID, MAY Limit: LIMIT, MAY Marker: MARKER }
        gives { MAY PolicyNames: POLICY_NAME_LIST, MAY NextMarker: MARKER, MAY Truncated: BOOLEAN };
    ReplicateKey
        takes {
            MUST KeyId: KEY_ID, MUST ReplicaRegion: REGION, MAY Policy: POLICY,
            MAY BypassPolicyLockoutSafetyCheck: BOOLEAN, MAY Description: DESCRIPTION, MAY Tags: TAG_LIST,
        }
        gives { MAY ReplicaKeyMetadata: KEY_METADATA, MAY ReplicaPolicy: POLICY, MAY ReplicaTags: TAG_LIST };
    UpdatePrimaryRegion
        takes { MUST KeyId: KEY_ID, MUST PrimaryRegion: REGION }
        gives {};
}

//! Operations on the material of keys: rotation and import.

operations! {
    EnableKeyRotation
        takes { MUST KeyId: KEY_ID, MAY RotationPeriodInDays: ROTATION_PERIOD_IN_DAYS }
        gives {};
    DisableKeyRotation
        takes { MUST KeyId: KEY_ID }
        gives {};
    GetKeyRotationStatus
        takes { MUST KeyId: KEY_ID }
        gives {
            MAY KeyRotationEnabled: BOOLEAN, MAY KeyId: KEY_ID, MAY RotationPeriodInDays: ROTATION_PERIOD_IN_DAYS,
            MAY NextRotationDate: DATE, MAY OnDemandRotationStartDate: DATE,
        };
    RotateKeyOnDemand
        takes { MUST KeyId: KEY_ID }
        gives { MAY KeyId: KEY_ID };
    ListKeyRotations pages Rotations
        takes {
            MUST KeyId: KEY_ID, MAY IncludeKeyMaterial: INCLUDE_KEY_MATERIAL, MAY Limit: LIMIT, MAY Marker: MARKER,
        }
        gives { MAY Rotations: ROTATIONS_LIST, MAY NextMarker: MARKER, MAY Truncated: BOOLEAN };
    GetParametersForImport
        takes {
            MUST KeyId: KEY_ID, MUST WrappingAlgorithm: ALGORITHM_SPEC, MUST WrappingKeySpec: WRAPPING_KEY_SPEC,
        }
        gives {
            MAY KeyId: KEY_ID, MAY ImportToken: CIPHERTEXT, MAY PublicKey: PLAINTEXT, MAY ParametersValidTo: DATE,
        };
    ImportKeyMaterial
        takes {
            MUST KeyId: KEY_ID, MUST ImportToken: CIPHERTEXT, MUST EncryptedKeyMaterial: CIPHERTEXT,
            MAY ValidTo: DATE, MAY ExpirationModel: EXPIRATION_MODEL, MAY ImportType: IMPORT,
            MAY KeyMaterialDescription: KEY_MATERIAL_DESCRIPTION, MAY KeyMaterialId: BACKING_KEY_ID,
        }
        gives { MAY KeyId: KEY_ID, MAY KeyMaterialId: BACKING_KEY_ID };
    DeleteImportedKeyMaterial
        takes { MUST KeyId: KEY_ID, MAY KeyMaterialId: BACKING_KEY_ID }
        gives { MAY KeyId: KEY_ID, MAY KeyMaterialId: BACKING_KEY_ID_RESPONSE };
}
